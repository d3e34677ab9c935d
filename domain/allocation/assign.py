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
from domain.allocation.moves import rank_within
from domain.allocation.problem import Bool, Float64, Int64, Problem, Robots, Tasks

T = TypeVar("T", bound=np.generic)

_IMPOSSIBLE: Final = 1e15
_LOOK_AHEAD: Final = 2.0
_BLOCK: Final = 16_384


def assigned(problem: Problem) -> Int64:
    """Sequences, a row for each robot; tasks that no robot has room or battery for are in none."""
    robots, depth = problem.robots.x.size, min(problem.config.depth, max(problem.tasks.x.size, 1))
    sequences = np.full((robots, depth), NONE, dtype=np.int64)
    length = np.zeros(robots, dtype=np.int64)
    left = np.arange(problem.tasks.x.size)
    crowd = Congestion(problem)
    tried = np.zeros(left.size, dtype=np.bool_)
    while True:
        room = np.flatnonzero(length < depth)
        left = left[problem.capable[problem.tasks.kind[left]][:, room].any(1)]
        if not left.size:
            return sequences
        window = _most_urgent(problem, left, room, tried)
        present = crowd.present(np.arange(robots), sequences)
        robot, task, problem = _round(problem, room, window, present, crowd)
        sequences[robot, length[robot]] = task
        length[robot] += 1
        done = np.isin(window, task)
        if not task.size:  # whatever could be done would have been
            done[:] = True
        tried[window] = True
        left = np.setdiff1d(left, window[done], assume_unique=True)


def urgency(problem: Problem, tasks: Int64) -> Float64:
    """What a second of delay costs for each second of work, as of the time when robots are free on average."""
    todo, config = problem.tasks, problem.config
    work = np.maximum(todo.units[tasks] * problem.robots.unit_s.mean() + config.travel_within_s, 1.0)
    slack = np.maximum(todo.due_s[tasks] - problem.robots.ready_s.mean() - work, 0.0)
    pressing = np.exp(-slack / (_LOOK_AHEAD * work.mean()))
    rate: Float64 = todo.weight[tasks] * (1 + config.lateness_cost * pressing) / work
    return rate


def _most_urgent(problem: Problem, left: Int64, room: Int64, tried: Bool) -> Int64:
    """As many tasks as robots with room, and of each kind no more than there are robots that could do it.

    Those that have been tried before, and that no robot was left for, come last.
    """
    order = left[np.lexsort((-urgency(problem, left), tried[left]))]
    kind = problem.tasks.kind[order]
    could = problem.capable[:, room].sum(1)
    most: Int64 = order[rank_within(kind) < could[kind]][: room.size]
    return most


def _round(
    problem: Problem, room: Int64, window: Int64, present: Bool, crowd: Congestion
) -> tuple[Int64, Int64, Problem]:
    """Robots, their next tasks, and the problem after it; none only if no robot can do any of the tasks next."""
    places = _place(problem.robots, room), _place(problem.tasks, window)
    found = [
        _matched(problem, room[rows], window[columns], present, crowd)
        for rows, columns in blocks(*places, np.arange(room.size), np.arange(window.size))
    ]
    robot, task = (np.concatenate([part[at] for part in found]) for at in (0, 1))
    if not robot.size:
        robot, task = _matched(problem, room, window, present, crowd)
    return robot, task, after(problem, robot, task)


def _place(things: Robots | Tasks, which: Int64) -> Float64:
    """Two coordinates, the zone's number where a position is not known."""
    x, y, zone = things.x[which], things.y[which], things.zone[which].astype(np.float64)
    return np.column_stack([np.where(np.isnan(x), zone, x), np.where(np.isnan(y), zone, y)])


def blocks(robots: Float64, tasks: Float64, rows: Int64, columns: Int64) -> list[tuple[Int64, Int64]]:
    """Robots and tasks (their places) in blocks of no more than `_BLOCK` pairs, halved across the longer side."""
    if rows.size * columns.size <= _BLOCK or rows.size < 2 or columns.size < 2:  # noqa: PLR2004 - nothing to halve
        return [(rows, columns)]
    side = int(np.argmax(np.ptp(tasks[columns], axis=0)))
    halves = zip(
        np.array_split(rows[np.argsort(robots[rows, side], kind="stable")], 2),
        np.array_split(columns[np.argsort(tasks[columns, side], kind="stable")], 2),
        strict=True,
    )
    return [block for half in halves for block in blocks(robots, tasks, *half)]


def _matched(problem: Problem, room: Int64, window: Int64, present: Bool, crowd: Congestion) -> tuple[Int64, Int64]:
    """Robots and their next tasks, at least cost."""
    robots, tasks = np.repeat(room, window.size), np.tile(window, room.size)
    (step,) = steps(problem, robots, tasks[:, np.newaxis])
    cost = np.where(step.possible, task_cost_s(problem, robots, tasks, step), _IMPOSSIBLE).reshape(room.size, -1)
    if crowd.limits:
        cost = cost + crowd.appended_s(crowd.robots(present), present[room], window)
    row, column = linear_sum_assignment(cost)
    sound = cost[row, column] < _IMPOSSIBLE
    return room[row[sound]], window[column[sound]]


def after(problem: Problem, robot: Int64, task: Int64) -> Problem:
    """The problem when robots have done tasks, one each."""
    if not robot.size:
        return problem
    have, todo = problem.robots, problem.tasks
    (step,) = steps(problem, robot, task[:, np.newaxis])
    before = np.where(np.isnan(step.charge_pct), have.battery[robot], step.charge_pct)
    ends = replace(
        have,
        x=_with(have.x, robot, todo.x[task]),
        y=_with(have.y, robot, todo.y[task]),
        zone=_with(have.zone, robot, todo.zone[task]),
        ready_s=_with(have.ready_s, robot, step.done_s),
        battery=_with(have.battery, robot, before - step.energy_pct),
    )
    return replace(problem, robots=ends)


def _with(values: npt.NDArray[T], at: Int64, new: npt.NDArray[T]) -> npt.NDArray[T]:
    changed = values.copy()
    changed[at] = new
    return changed
