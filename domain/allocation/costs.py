"""What a sequence of tasks costs a robot, in seconds.

A robot does its tasks one after another: it charges if it must, travels, works. A second until a task is done costs
its weight; a second late costs `lateness_cost` times that; battery used, old telemetry, errors and taking over what
another robot was told to do cost besides. What robots cost each other by crowding a zone is not in here (`congestion`).

A robot must charge before a task that would leave it with less than the reserve. It then charges up to
`charge_until_pct`, or to what the task needs if that is more. What a full battery does not last for cannot be done;
neither can what a robot that charges just now would have to charge more for, and what it is not capable of: the cost
is infinite.

Many sequences are costed at once: `sequences` has a row of task numbers for each, filled up with -1; `robots` says
whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from domain.allocation.problem import Bool, Float64, Int64, Problem

FULL = 100.0
NONE = -1


@dataclass(frozen=True, slots=True)
class Step:
    """The tasks at one place of their sequences. Where a sequence has ended (`on` is false) values mean nothing."""

    on: Bool
    wait_s: Float64
    charge_s: Float64
    travel_s: Float64
    work_s: Float64
    done_s: Float64
    late_s: Float64
    energy_pct: Float64
    charge_pct: Float64
    """To what it charges, NaN where it need not."""
    possible: Bool


def steps(problem: Problem, robots: Int64, sequences: Int64) -> Iterator[Step]:
    """The tasks of each place in turn, from the first to the last place that any sequence has a task at."""
    have, todo, config = problem.robots, problem.tasks, problem.config
    x, y, zone = have.x[robots], have.y[robots], have.zone[robots]
    clock, battery = have.ready_s[robots], have.battery[robots]
    speed, unit_s, charging = have.speed[robots], have.unit_s[robots], have.charging[robots]
    for place in range(sequences.shape[1]):
        task = sequences[:, place]
        on = task >= 0
        if not on.any():
            return
        to_x, to_y, to_zone = todo.x[task], todo.y[task], todo.zone[task]
        travel = travel_s(problem, (x, y, zone), (to_x, to_y, to_zone), speed)
        work = todo.units[task] * unit_s
        energy = travel * config.travel_pct_s + work * config.work_pct_s
        least = energy + config.reserve_pct
        lacks = battery < least
        target, charge = np.full_like(least, np.nan), np.zeros_like(least)
        possible = problem.capable[todo.kind[task], robots]
        if lacks.any():
            target[lacks] = np.maximum(least[lacks], config.charge_until_pct)
            charge[lacks] = config.charge_trip_s + (target[lacks] - battery[lacks]) / config.charge_pct_s
            possible &= ~(lacks & (charging | (target > FULL)))
            battery = np.where(lacks, target, battery)
        done = clock + charge + travel + work
        yield Step(
            on=on,
            wait_s=clock,
            charge_s=charge,
            travel_s=travel,
            work_s=work,
            done_s=done,
            late_s=np.maximum(done - todo.due_s[task], 0.0),
            energy_pct=energy,
            charge_pct=target,
            possible=possible,
        )
        clock, battery = done, battery - energy
        x, y, zone = to_x, to_y, to_zone


def travel_s(
    problem: Problem, start: tuple[Float64, Float64, Int64], end: tuple[Float64, Float64, Int64], speed: Float64
) -> Float64:
    """Seconds from place to place (x, y, zone): the distance as the crow flies, defaults where it is not known."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    travel: Float64 = np.sqrt(dx * dx + dy * dy) / speed
    if problem.placed:
        return travel
    config = problem.config
    default = np.where(end[2] == start[2], config.travel_within_s, config.travel_between_s)
    return np.where(np.isnan(travel), default, travel)


def cost_s(problem: Problem, robots: Int64, sequences: Int64) -> Float64:
    """Cost of each sequence; inf where it cannot be done."""
    total = np.zeros(robots.size)
    for place, step in enumerate(steps(problem, robots, sequences)):
        cost = task_cost_s(problem, robots, sequences[:, place], step)
        total += np.where(step.on, np.where(step.possible, cost, np.inf), 0.0)
    return total


def task_cost_s(problem: Problem, robots: Int64, task: Int64, step: Step) -> Float64:
    """Cost of a step's tasks."""
    config = problem.config
    timed = problem.tasks.weight[task] * (step.done_s + config.lateness_cost * step.late_s)
    steady = step.energy_pct * config.energy_s_pct + problem.robots.health_s[robots]
    return timed + steady + change_s(problem, robots, task)


def change_s(problem: Problem, robots: Int64, task: Int64) -> Float64:
    """Cost of tasks that another robot was told to do."""
    told = problem.tasks.told[task]
    return np.where((told >= 0) & (told != robots), problem.config.change_s, 0.0)
