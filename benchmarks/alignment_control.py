"""How steady capacity is kept in step with demand: ours beside simpler controllers, on the same arrivals.

A zone of some 25 robots over four days of five-minute intervals, 20 seeds, all controllers on the same arrivals of each
seed (common random numbers). Arrivals are Poisson about a mean that waves with the day and wanders; what a controller
takes for the demand to come is an exponentially weighted mean of what came (weight 0.15), the same for all.

- *chase*: as many robots as the last interval kept busy, rounded up;
- *feed-forward*: the forecast at 90 % utilisation, rounded;
- *PI*: on the backlog alone, back-calculation, hysteresis of 1.5 robots, SIMC gains for an integrating process of twice
  the dead time: with those for the true one it turns round more than twice as often;
- *LP-MPC*: least robots, shortfall from 90 % utilisation, backlog and moves over 12 intervals, at the costs of our MPC
  but none for a switch, in fractions of robots, the first of which is rounded;
- *our MPC*, *ours with integral*, *ours*: `domain.alignment.controllers`.

Mean robots; 95th percentile of the backlog in tasks; reversals (moves against the move before them) and the sum of
moves in four days; bullwhip: variance of the setpoint over the variance of arrivals per interval in robots (tasks over
what a robot does in an interval). With each difference from ours: 95 % bounds of its mean, by bootstrap over seeds.

    python -m benchmarks.alignment_control [--seeds 20] [--mpc-seeds 20]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from benchmarks.alignment_plant import PER_HOUR, Float64, Plant, Run, Seen, Steer, reversals, simulate
from domain.alignment.controllers.course import Costs
from domain.alignment.controllers.load import Aims
from domain.alignment.controllers.mpc import MpcConfig, MpcController
from domain.alignment.controllers.reading import Controller, Reading, fresh
from domain.alignment.controllers.smith import SmithConfig, SmithController

MEASURES = ("mean robots", "backlog p95", "reversals", "sum of moves", "bullwhip")
OURS = "ours"

COMPARABLE = Plant()
STRONG = Plant(wave=0.5)
"""Demand of the day's peak is three times that of the night."""


def chase(_: Plant) -> Steer:
    return lambda seen: ceil(seen.arrived / seen.rate)


def feed_forward(_: Plant) -> Steer:
    return lambda seen: round(seen.forecast / seen.rate / 0.9)


@dataclass
class Pi:
    """On the backlog, in tasks, aiming at a fifth of an interval's mean demand."""

    plant: Plant
    integral: float

    def __call__(self, seen: Seen) -> int:
        theta = 2 * (self.plant.delay + 0.5)
        gain, reset = 1 / (seen.rate * 2 * theta), 8 * theta
        error = seen.backlog - 0.2 * self.plant.mean
        wanted = self.integral + gain * error
        sent = min(max(wanted, 0.0), float(seen.high))
        self.integral += (gain * error + sent - wanted) / reset
        return round(sent) if abs(sent - seen.last) > 1.5 else seen.last


def pi(plant: Plant) -> Steer:
    return Pi(plant, plant.mean / plant.rate)


class Lp:
    """A linear program over robots, up, down, short and backlog of each interval, from the backlog of now on."""

    def __init__(self, plant: Plant) -> None:
        self.costs = Costs()
        self.ahead, n = plant.delay, 12 + plant.delay
        one, no, step = np.eye(n), np.zeros((n, n)), np.eye(n) - np.eye(n, k=-1)
        self.moves = csr_array(np.hstack([step, -one, one, no, no]))
        self.needs = csr_array(-np.block([[one, no, no, no, step], [one, no, no, one, no]]))
        costs = (1.0, self.costs.moving, self.costs.moving, self.costs.short, self.costs.waiting)
        self.cost = np.repeat(costs, n)
        self.n = n

    def __call__(self, seen: Seen) -> int:
        n, demand = self.n, seen.forecast / seen.rate
        sent = ((seen.robots, *seen.pending) if self.ahead else ())[: self.ahead]
        before, needed = np.zeros(n), np.full(n, demand)
        before[0] = seen.robots
        needed[0] += seen.backlog / seen.rate
        fixed = [(robots, robots) for robots in sent] + [(0, seen.high)] * (n - len(sent))
        result = linprog(
            self.cost,
            A_ub=self.needs,
            b_ub=-np.concatenate([needed, np.full(n, demand / 0.9)]),
            A_eq=self.moves,
            b_eq=before,
            bounds=fixed + [(0, None)] * (4 * n),
        )
        return round(result.x[self.ahead])


def controlled(make: Callable[[Aims], Controller], assumed: int | None = None) -> Callable[[Plant], Steer]:
    """A controller of ours, which assumes the plant's delay or another one."""

    def start(plant: Plant) -> Steer:
        controller = make(Aims(delay=plant.delay if assumed is None else assumed))
        memory = fresh()

        def steer(seen: Seen) -> int:
            nonlocal memory
            reading = Reading(
                demand=seen.forecast * PER_HOUR,
                backlog=seen.backlog,
                rate=seen.rate * PER_HOUR,
                robots=seen.robots,
                pending=seen.pending,
                low=0,
                high=seen.high,
            )
            setting, memory = controller.decide(reading, memory)
            return setting.robots

        return steer

    return start


ours = controlled(lambda aims: SmithController(SmithConfig(aims)))
ours_integral = controlled(lambda aims: SmithController(SmithConfig(aims, integral=True)))
our_mpc = controlled(lambda aims: MpcController(MpcConfig(aims)))

CONTENDERS: dict[str, Callable[[Plant], Steer]] = {
    "chase demand": chase,
    "feed-forward": feed_forward,
    "PI + anti-windup + hysteresis": pi,
    "ours with integral": ours_integral,
    OURS: ours,
}
SLOW: dict[str, Callable[[Plant], Steer]] = {"LP-MPC": Lp, "our MPC": our_mpc}


def measures(plant: Plant, run: Run) -> Float64:
    """In the order of MEASURES."""
    return np.array(
        [
            run.setpoints.mean(),
            np.percentile(run.backlog, 95),
            reversals(run.setpoints),
            np.abs(np.diff(run.setpoints)).sum(),
            run.setpoints.var() / (run.arrived / plant.rate).var(),
        ]
    )


def table(plant: Plant, contenders: dict[str, Callable[[Plant], Steer]], seeds: int) -> dict[str, Float64]:
    """Measures of each contender, a row a seed."""
    arrivals = [plant.arrivals(seed)[0] for seed in range(seeds)]
    return {
        name: np.array([measures(plant, simulate(plant, tasks, make(plant))) for tasks in arrivals])
        for name, make in contenders.items()
    }


def bounds(differences: Float64, draws: int = 10_000) -> Float64:
    """95 % bounds of the mean of paired differences, by bootstrap: low and high, for each column."""
    rng = np.random.default_rng(0)
    picked = rng.integers(0, len(differences), (draws, len(differences)))
    return np.percentile(differences[picked].mean(axis=1), [2.5, 97.5], axis=0)


def show(title: str, rows: dict[str, Float64]) -> None:
    print(f"\n{title}\n\n| | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}")
    for name, values in rows.items():
        mean = values.mean(axis=0)
        cells = [f"{mean[0]:.1f}", f"{mean[1]:.0f}", f"{mean[2]:.0f}", f"{mean[3]:,.0f}", f"{mean[4]:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n| less ours, 95 % bounds | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}")
    for name, values in rows.items():
        if name != OURS:
            low, high = bounds(values - rows[OURS][: len(values)])
            print(f"| {name} | {' | '.join(f'{a:.2f} to {b:.2f}' for a, b in zip(low, high, strict=True))} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--mpc-seeds", type=int, default=20)
    arguments = parser.parse_args()
    for title, plant in (("weak day", COMPARABLE), ("strong day", STRONG)):
        rows = table(plant, CONTENDERS, arguments.seeds)
        if arguments.mpc_seeds:
            rows |= table(plant, SLOW, arguments.mpc_seeds)
        show(title, rows)


if __name__ == "__main__":
    main()
