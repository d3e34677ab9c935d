"""Local search on a plan: passes that lower its cost, until nothing is better or the effort is spent.

A plan of few tasks is shaken and searched again, several times, and the best of all is taken (iterated local search:
Lourenco, Martin and Stuetzle, 2003). Where there are many, a task is held only against those nearest to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import KDTree

from domain.allocation.moves import relocated
from domain.allocation.passes import LEAST_GAIN, exchange, reorder
from domain.allocation.plan import Plan
from domain.allocation.problem import Bool, Int64, Problem

_ALL_PAIRS: Final = 64
_NEAREST: Final = 8
_SHAKEN: Final = 3


def improved(problem: Problem, sequences: Int64) -> Int64:
    """The sequences after local search."""
    plan = Plan(problem, sequences)
    planned = np.sort(sequences[sequences >= 0])
    if not planned.size:
        return sequences
    near = _pairs(problem, planned)
    descend(plan, near, np.ones(plan.everyone.size, dtype=np.bool_))
    if planned.size <= _ALL_PAIRS:
        return shaken(plan, near)
    return plan.sequences


def descend(plan: Plan, near: tuple[Int64, Int64], changed: Bool) -> None:
    """Passes until nothing is better, beginning with robots that were `changed`."""
    while plan.costed < plan.problem.config.effort:
        whole = bool(changed.all())
        after = reorder(plan, np.flatnonzero(changed))
        after |= exchange(plan, near, changed | after)
        if not after.any():
            if whole:
                return
            after[:] = True
        changed = after


def shaken(plan: Plan, near: tuple[Int64, Int64]) -> Int64:
    """The best of the plans found after tasks were moved at random, again and again."""
    rng = np.random.default_rng(plan.sequences.size)
    best, least = plan.sequences.copy(), plan.total_s()
    for turn in range(plan.problem.config.shakes):
        shake(plan, rng, turn)
        changed = (plan.sequences != best).any(1)
        if not changed.any():
            continue
        descend(plan, near, changed)
        if plan.total_s() < least - LEAST_GAIN:
            best, least = plan.sequences.copy(), plan.total_s()
        else:
            plan.put(plan.everyone, best)
    return best


def shake(plan: Plan, rng: np.random.Generator, turn: int) -> None:
    """In turn: a few tasks go anywhere; a robot gives all its tasks away; a robot takes half of all tasks.

    What is dear in small steps, as a robot that would have to charge for its first task, takes large ones.
    """
    robot = int(rng.integers(plan.everyone.size))
    planned = plan.sequences[plan.sequences >= 0]
    if turn % 3 == 0:
        chosen, targets = rng.choice(planned, min(_SHAKEN, planned.size), replace=False), plan.everyone >= 0
    elif turn % 3 == 1:
        chosen, targets = plan.sequences[robot][plan.sequences[robot] >= 0], plan.everyone != robot
    else:
        chosen, targets = planned[rng.random(planned.size) < 0.5], plan.everyone == robot  # noqa: PLR2004 - half
    for task in chosen:
        _move(plan, rng, int(task), targets)


def _move(plan: Plan, rng: np.random.Generator, task: int, targets: Bool) -> None:
    """Move a task to any place of any of the targets, if there is one that can do it."""
    ((a, i),) = np.argwhere(plan.sequences == task)
    length = (plan.sequences >= 0).sum(1)
    able = targets & plan.problem.capable[plan.problem.tasks.kind[task]] & (length < plan.sequences.shape[1])
    able[a] = False
    if not able.any():
        return
    b = rng.choice(np.flatnonzero(able))
    move = relocated(plan.sequences, *(np.array([one]) for one in (a, i, b, rng.integers(length[b] + 1))))
    if np.isfinite(plan.cost_s(move.b, move.new_b)).all():
        plan.put(move.a, move.new_a)
        plan.put(move.b, move.new_b)


def _pairs(problem: Problem, planned: Int64) -> tuple[Int64, Int64]:
    """Pairs of tasks that are worth holding against each other: all where there are few, else the nearest."""
    if planned.size <= _ALL_PAIRS:
        t, u = np.repeat(planned, planned.size), np.tile(planned, planned.size)
    else:
        tasks, config = problem.tasks, problem.config
        x, y, zone = tasks.x[planned], tasks.y[planned], tasks.zone[planned]
        apart = zone * max(config.travel_between_s * config.speed_m_s, 1.0) * np.isnan(x + y)
        where = np.column_stack([np.nan_to_num(x), np.nan_to_num(y), apart])
        _, near = KDTree(where).query(where, k=_NEAREST + 1)
        t, u = np.repeat(planned, _NEAREST + 1), planned[np.asarray(near, dtype=np.int64).ravel()]
    return t[t != u], u[t != u]
