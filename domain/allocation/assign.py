"""A first allocation, in rounds: in each, robots and the most urgent tasks are matched at least cost.

A round takes as many tasks as there are robots with room, by urgency, and gives each robot one at most, behind what it
has already: an assignment problem (Jonker and Volgenant, by scipy). Urgency is the apparent tardiness cost of a task
(Vepsalainen and Morton, 1987): what a second of delay costs, for each second of work; a deadline counts the more, the
less slack there is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from domain.allocation.congestion import Congestion
from domain.allocation.costs import NONE, steps, task_cost_s
from domain.allocation.problem import Float64, Int64, Problem, Robots

T = TypeVar("T", bound=np.generic)

_IMPOSSIBLE: Final = 1e15
_LOOK_AHEAD: Final = 2.0


def assigned(problem: Problem) -> Int64:
    """Sequences, a row for each robot; tasks that no robot has room or battery for are in none."""
    robots, depth = problem.robots.x.size, min(problem.config.depth, max(problem.tasks.x.size, 1))
    sequences = np.full((robots, depth), NONE, dtype=np.int64)
    length = np.zeros(robots, dtype=np.int64)
    left = np.arange(problem.tasks.x.size)
    crowd = Congestion(problem)
    while True:
        room = np.flatnonzero(length < depth)
        left = left[problem.capable[problem.tasks.kind[left]][:, room].any(1)]
        if not left.size:
            return sequences
        window = _most_urgent(problem, left, room)
        robot, task, hopeless, ends = _matched(problem, room, window, sequences, crowd)
        sequences[robot, length[robot]] = task
        length[robot] += 1
        problem = replace(problem, robots=ends)
        left = np.setdiff1d(left, np.concatenate([task, hopeless]), assume_unique=True)


def urgency(problem: Problem, tasks: Int64) -> Float64:
    """What a second of delay costs for each second of work, as of the time when robots are free on average."""
    todo, config = problem.tasks, problem.config
    work = np.maximum(todo.units[tasks] * problem.robots.unit_s.mean() + config.travel_within_s, 1.0)
    slack = np.maximum(todo.due_s[tasks] - problem.robots.ready_s.mean() - work, 0.0)
    pressing = np.exp(-slack / (_LOOK_AHEAD * work.mean()))
    rate: Float64 = todo.weight[tasks] * (1 + config.lateness_cost * pressing) / work
    return rate


def _most_urgent(problem: Problem, left: Int64, room: Int64) -> Int64:
    """As many tasks as robots with room, and of each kind no more than there are robots that could do it."""
    order = left[np.argsort(-urgency(problem, left), kind="stable")]
    kind = problem.tasks.kind[order]
    could = problem.capable[:, room].sum(1)
    sort = np.argsort(kind, kind="stable")
    first = np.searchsorted(kind[sort], kind[sort])
    rank = np.empty_like(sort)
    rank[sort] = np.arange(sort.size) - first
    most: Int64 = order[rank < could[kind]][: room.size]
    return most


def _matched(
    problem: Problem, room: Int64, window: Int64, sequences: Int64, crowd: Congestion
) -> tuple[Int64, Int64, Int64, Robots]:
    """Robots and their next tasks; tasks that none of the robots can do next; the robots after it."""
    robots, tasks = np.repeat(room, window.size), np.tile(window, room.size)
    (step,) = steps(problem, robots, tasks[:, np.newaxis])
    cost = np.where(step.possible, task_cost_s(problem, robots, tasks, step), _IMPOSSIBLE).reshape(room.size, -1)
    hopeless = window[(cost >= _IMPOSSIBLE).all(0)]
    if crowd.limits:
        present = crowd.present(np.arange(sequences.shape[0]), sequences)
        cost = cost + crowd.appended_s(crowd.robots(present), present[room], window)
    row, column = linear_sum_assignment(cost)
    sound = cost[row, column] < _IMPOSSIBLE
    row, column = row[sound], column[sound]
    robot, task, at = room[row], window[column], row * window.size + column
    have, todo = problem.robots, problem.tasks
    before = np.where(np.isnan(step.charge_pct[at]), have.battery[robot], step.charge_pct[at])
    ends = replace(
        have,
        x=_with(have.x, robot, todo.x[task]),
        y=_with(have.y, robot, todo.y[task]),
        zone=_with(have.zone, robot, todo.zone[task]),
        ready_s=_with(have.ready_s, robot, step.done_s[at]),
        battery=_with(have.battery, robot, before - step.energy_pct[at]),
    )
    return robot, task, hopeless, ends


def _with(values: npt.NDArray[T], at: Int64, new: npt.NDArray[T]) -> npt.NDArray[T]:
    changed = values.copy()
    changed[at] = new
    return changed
