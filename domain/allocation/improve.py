"""Local search on a plan: changes that lower its cost, until there is none or the effort is spent.

In a pass the order within each robot is changed first, then tasks and tails go from robot to robot. Changes are taken
best first, and a robot takes part in one change of a pass, so that what each is worth adds up. Where there are many
tasks, a task is held only against those nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import KDTree

from domain.allocation.congestion import Congestion
from domain.allocation.costs import cost_s
from domain.allocation.moves import Moves, allowed, crossed, relocated, reordered, swapped
from domain.allocation.problem import Bool, Float64, Int64, Problem

_ALL_PAIRS: Final = 64
_NEAREST: Final = 8
_LEAST_GAIN: Final = 1e-6


class Plan:
    """Sequences of robots, and what they cost."""

    def __init__(self, problem: Problem, sequences: Int64) -> None:
        self.problem = problem
        self.sequences = sequences.copy()
        self.everyone = np.arange(sequences.shape[0])
        self.cost = cost_s(problem, self.everyone, sequences)
        self.crowd = Congestion(problem)
        self.present = self.crowd.present(self.everyone, sequences)
        self.robots = self.crowd.robots(self.present)

    def total_s(self) -> float:
        """Cost of it all."""
        return float(self.cost.sum() + self.crowd.cost_s(self.robots))

    def put(self, robots: Int64, sequences: Int64) -> None:
        """Give robots other sequences."""
        self.sequences[robots] = sequences
        self.cost[robots] = cost_s(self.problem, robots, sequences)
        self.present[robots] = self.crowd.present(robots, sequences)
        self.robots = self.crowd.robots(self.present)


def improved(problem: Problem, sequences: Int64) -> Int64:
    """The sequences after local search."""
    plan = Plan(problem, sequences)
    if problem.tasks.x.size == 0 or plan.everyone.size == 0:
        return sequences
    near = _neighbours(problem)
    changed = np.ones(plan.everyone.size, dtype=np.bool_)
    for _ in range(problem.config.effort):
        whole = bool(changed.all())
        after = reorder(plan, np.flatnonzero(changed))
        after |= exchange(plan, near, changed | after)
        if not after.any():
            if whole:
                break
            after[:] = True
        changed = after
    return plan.sequences


def reorder(plan: Plan, robots: Int64) -> Bool:
    """The best change of order within each of the robots, where one is better; which were changed."""
    changed = np.zeros(plan.everyone.size, dtype=np.bool_)
    robot, new = reordered(plan.sequences, robots)
    if not robot.size:
        return changed
    gain = plan.cost[robot] - cost_s(plan.problem, robot, new)
    order = np.lexsort((np.arange(robot.size), -gain, robot))
    best = order[np.concatenate([[True], np.diff(robot[order]) > 0])]
    best = best[gain[best] > _LEAST_GAIN]
    plan.put(robot[best], new[best])
    changed[robot[best]] = True
    return changed


@dataclass(frozen=True, slots=True)
class Places:
    """Where each task is."""

    robot: Int64
    place: Int64
    length: Int64


def places(sequences: Int64, tasks: int) -> Places:
    """Robot and place of each task, -1 where it has none."""
    robot, place = np.full(tasks, -1), np.full(tasks, -1)
    row, column = np.nonzero(sequences >= 0)
    task = sequences[row, column]
    robot[task], place[task] = row, column
    return Places(robot, place, (sequences >= 0).sum(1))


def exchange(plan: Plan, near: tuple[Int64, Int64], concerned: Bool) -> Bool:
    """Tasks and tails that go from robot to robot, one of which is `concerned`; which robots were changed."""
    moves = _between(plan, near, concerned)
    changed = np.zeros(plan.everyone.size, dtype=np.bool_)
    if not moves.a.size:
        return changed
    cost = cost_s(plan.problem, np.concatenate([moves.a, moves.b]), np.concatenate([moves.new_a, moves.new_b]))
    size = moves.a.size
    change = cost[:size] + cost[size:] - plan.cost[moves.a] - plan.cost[moves.b]
    crowding, touched = _crowding(plan, moves)
    change += crowding
    better = np.flatnonzero(change < -_LEAST_GAIN)
    better = better[np.argsort(change[better], kind="stable")]
    taken, zones = [], np.zeros(plan.crowd.limits, dtype=np.bool_)
    for at in better:
        a, b = moves.a[at], moves.b[at]
        if changed[a] or changed[b] or (zones & touched[at]).any():
            continue
        changed[a] = changed[b] = True
        zones |= touched[at]
        taken.append(at)
    plan.put(moves.a[taken], moves.new_a[taken])
    plan.put(moves.b[taken], moves.new_b[taken])
    return changed


def _crowding(plan: Plan, moves: Moves) -> tuple[Float64, Bool]:
    """What each move changes in the cost of congestion, and the zones in which it changes how many robots there are."""
    if not plan.crowd.limits:
        return np.zeros(moves.a.size), np.zeros((moves.a.size, 0), dtype=np.bool_)
    before = plan.present[moves.a].astype(np.int64) + plan.present[moves.b]
    after = plan.crowd.present(moves.a, moves.new_a).astype(np.int64) + plan.crowd.present(moves.b, moves.new_b)
    cost = plan.crowd.cost_s(plan.robots + after - before) - plan.crowd.cost_s(plan.robots)
    return cost, after != before


def _between(plan: Plan, near: tuple[Int64, Int64], concerned: Bool) -> Moves:
    """Moves between robots: each task to before and behind those near it and to the front of robots, swaps, tails."""
    sequences, depth = plan.sequences, plan.sequences.shape[1]
    at = places(sequences, plan.problem.tasks.x.size)
    t, u = near
    t, u = t[at.robot[t] >= 0], u[at.robot[t] >= 0]
    t, u = t[at.robot[u] >= 0], u[at.robot[u] >= 0]
    a, b = at.robot[t], at.robot[u]
    keep = (a != b) & (concerned[a] | concerned[b])
    a, b, i, j = a[keep], b[keep], at.place[t[keep]], at.place[u[keep]]
    one = a < b
    tails = allowed(at.length, depth, a, i, b, j)
    later = allowed(at.length, depth, a, i, b, j + 1)
    room = at.length[b] < depth
    parts = [
        relocated(sequences, a[room], i[room], b[room], j[room]),
        relocated(sequences, a[room], i[room], b[room], j[room] + 1),
        swapped(sequences, a[one], i[one], b[one], j[one]),
        crossed(sequences, a[one & tails], i[one & tails], b[one & tails], j[one & tails]),
        crossed(sequences, a[later], i[later], b[later], j[later] + 1),
        _to_the_front(plan, at, concerned),
    ]
    return Moves(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("a", "b", "new_a", "new_b")))


def _to_the_front(plan: Plan, at: Places, concerned: Bool) -> Moves:
    """Each task to a robot that has nothing."""
    idle = np.flatnonzero(at.length == 0)
    task = np.flatnonzero(at.robot >= 0)
    a, b = np.repeat(at.robot[task], idle.size), np.tile(idle, task.size)
    i = np.repeat(at.place[task], idle.size)
    keep = concerned[a] | concerned[b]
    a, b, i = a[keep], b[keep], i[keep]
    return relocated(plan.sequences, a, i, b, np.zeros(a.size, dtype=np.int64))


def _neighbours(problem: Problem) -> tuple[Int64, Int64]:
    """Pairs of tasks that are worth holding against each other: all where there are few, else the nearest."""
    tasks = problem.tasks
    size = tasks.x.size
    if size <= _ALL_PAIRS:
        t, u = np.divmod(np.arange(size * size), size)
        return t[t != u], u[t != u]
    spread = max(problem.config.travel_between_s * problem.config.speed_m_s, 1.0)
    where = np.column_stack([np.nan_to_num(tasks.x), np.nan_to_num(tasks.y), tasks.zone * spread * np.isnan(tasks.x)])
    _, near = KDTree(where).query(where, k=_NEAREST + 1)
    t = np.repeat(np.arange(size), _NEAREST + 1)
    u = np.asarray(near, dtype=np.int64).ravel()
    return t[t != u], u[t != u]
