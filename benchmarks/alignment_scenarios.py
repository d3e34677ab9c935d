"""What the controllers make of a constant, a step, a ramp, saturation, a gap, a wrong delay, a wrong rate, noise.

Each scenario is a zone of `alignment_plant` with given arrivals, none of them random but those of *noise*.

    python -m benchmarks.alignment_scenarios
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.alignment_control import feed_forward, our_mpc, ours, ours_integral, pi
from benchmarks.alignment_plant import Float64, Plant, Run, Seen, Steer, reversals, simulate

PLANT = Plant(delay=2)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Arrivals of each interval, and what they happen to."""

    arrived: Float64
    plant: Plant = PLANT
    assumed: int | None = None
    """Delay that the controller assumes; None for the true one."""
    noise: float = 0.0
    """Standard deviation of the forecast, over it, anew in each interval."""


def steady(*parts: tuple[float, int]) -> Float64:
    """So many arrivals for so many intervals, one part after the other."""
    return np.concatenate([np.full(length, tasks) for tasks, length in parts])


def ramp(start: float, end: float, length: int) -> Float64:
    return np.concatenate([steady((start, 60)), np.linspace(start, end, length), steady((end, 150))])


SCENARIOS: dict[str, Scenario] = {
    "constant": Scenario(steady((69, 576))),
    "step up by 30 %": Scenario(steady((69, 60), (90, 300))),
    "step up by 50 %": Scenario(steady((69, 60), (103.5, 300))),
    "step up to double": Scenario(steady((69, 60), (138, 300))),
    "step down to half": Scenario(steady((138, 60), (69, 300))),
    "small zone, 1 to 2 robots": Scenario(steady((3, 60), (6, 300))),
    "ramp up by half in 4 hours": Scenario(ramp(69, 103.5, 48)),
    "ramp down by half in 4 hours": Scenario(ramp(69, 34.5, 48)),
    "saturation for 4 hours": Scenario(steady((69, 60), (120, 48), (69, 300)), replace(PLANT, high=32)),
    "2 hours without demand": Scenario(steady((69, 60), (0, 24), (69, 200))),
    "delay 4, taken for 2": Scenario(steady((69, 60), (90, 300)), replace(PLANT, delay=4), 2),
    "delay 1, taken for 2": Scenario(steady((69, 60), (90, 300)), replace(PLANT, delay=1), 2),
    "delay 8, taken for 4": Scenario(steady((69, 60), (90, 300)), replace(PLANT, delay=8), 4),
    "rate taken for 25 % too high": Scenario(steady((69, 576)), replace(PLANT, believed_rate=3.75)),
    "rate taken for 25 % too low": Scenario(steady((69, 576)), replace(PLANT, believed_rate=2.4)),
    "forecast noise of 5 %": Scenario(steady((69, 576)), noise=0.05),
    "forecast noise of 10 %": Scenario(steady((69, 576)), noise=0.10),
}


def noisy(steer: Steer, deviation: float) -> Steer:
    rng = np.random.default_rng(1)
    return lambda seen: steer(replace(seen, forecast=seen.forecast * max(0.0, 1 + deviation * rng.normal())))


def believing(steer: Steer, assumed: int, first: int) -> Steer:
    """A controller that is not told what is in force: it believes that its setpoints take the delay it assumes."""
    sent = [first] * (assumed + 1)

    def believe(seen: Seen) -> int:
        *pending, last = sent[-assumed:] if assumed else sent[-1:]
        told = (*pending, last)
        robots = steer(replace(seen, robots=told[0], pending=told[1:]))
        sent.append(min(robots, seen.high))
        return robots

    return believe


def play(scenario: Scenario, make: Callable[[Plant], Steer]) -> Run:
    """Run a scenario from a setpoint that fits its first arrivals."""
    plant, first = scenario.plant, round(scenario.arrived[0] / scenario.plant.rate / 0.9)
    steer = make(plant if scenario.assumed is None else replace(plant, delay=scenario.assumed))
    if scenario.assumed is not None:
        steer = believing(steer, scenario.assumed, first)
    if scenario.noise:
        steer = noisy(steer, scenario.noise)
    return simulate(plant, scenario.arrived, steer, start=first)


CONTENDERS: dict[str, Callable[[Plant], Steer]] = {
    "feed-forward": feed_forward,
    "PI": pi,
    "ours": ours,
    "ours with integral": ours_integral,
    "our MPC": our_mpc,
}


def steps(make: Callable[[Plant], Steer]) -> list[tuple[float, int]]:
    """Steps of demand, zones of 5 to 230 robots, that answer at once or late: each its size, and reversals after it."""
    told = []
    for delay in (0, 1, 2, 4):
        for tasks in (15, 69, 240, 690):
            for times in (0.1, 0.3, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, 3, 4):
                scenario = Scenario(steady((tasks, 60), (times * tasks, 300)), Plant(delay=delay, high=10_000))
                told.append((times, reversals(play(scenario, make).setpoints[60:])))
    return told


def main() -> None:
    """Print a line for each scenario and controller, and what becomes of steps of many sizes."""
    print(f"| scenario | {' | '.join(CONTENDERS)} |\n|---|{'---|' * len(CONTENDERS)}")
    for name, scenario in SCENARIOS.items():
        cells = []
        for make in CONTENDERS.values():
            run = play(scenario, make)
            cells.append(
                f"{reversals(run.setpoints)}, {run.setpoints[-1]}, {run.backlog.max():.0f}, {run.backlog[-1]:.0f}"
            )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    for name, make in (("ours", ours), ("ours with integral", ours_integral)):
        sizes, turned = zip(*steps(make), strict=True)
        print(
            f"{name}: {len(sizes)} steps to {min(sizes):.0%} and up to {max(sizes):.0%}: most reversals {max(turned)}"
        )
    backlog = play(SCENARIOS["step up to double"], ours).backlog
    print(f"what a doubled demand leaves waiting is cleared after {np.flatnonzero(backlog)[-1] - 59} intervals")


if __name__ == "__main__":
    main()
