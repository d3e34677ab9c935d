"""Passes of local search: the best changes of order within robots, the best exchanges between them.

Changes are taken best first, and a robot takes part in one change of a pass, so that what each is worth adds up; so
does a zone whose number of robots changes and that has a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from domain.allocation.estimate import Estimate
from domain.allocation.moves import Moves, allowed, crossed, rank_within, relocated, reordered, swapped
from domain.allocation.plan import Plan
from domain.allocation.problem import Bool, Float64, Int64

LEAST_GAIN: Final = 1e-6
"""Less is rounding."""

_FEW: Final = 4_000
_EACH: Final = 4
_FEW_ROBOTS: Final = 32
_SPAN: Final = 2
_IDLE: Final = 100_000

Ends = tuple[Int64, Int64, Int64, Int64]
"""Of moves: one robot and a place in its row, another robot and a place in its row."""

Kind = tuple[Callable[[Int64, Int64, Int64, Int64, Int64], Moves], Ends, Float64]
"""How moves are made, their ends, and what each would change by estimate."""


def reorder(plan: Plan, robots: Int64) -> Bool:
    """The best change of order within each of the robots, where one is better; which were changed."""
    changed = np.zeros(plan.everyone.size, dtype=np.bool_)
    span = plan.sequences.shape[1] if robots.size <= _FEW_ROBOTS else _SPAN
    robot, new = reordered(plan.sequences, robots, span)
    if not robot.size:
        return changed
    gain = plan.cost[robot] - plan.cost_s(robot, new)
    order = np.lexsort((np.arange(robot.size), -gain, robot))
    best = order[np.concatenate([[True], np.diff(robot[order]) > 0])]
    best = best[gain[best] > LEAST_GAIN]
    plan.put(robot[best], new[best])
    changed[robot[best]] = True
    return changed


def exchange(plan: Plan, near: tuple[Int64, Int64], concerned: Bool) -> Bool:
    """Tasks and tails that go from robot to robot, one of which is `concerned`; which robots were changed."""
    moves = _between(plan, near, concerned)
    changed = np.zeros(plan.everyone.size, dtype=np.bool_)
    if not moves.a.size:
        return changed
    cost = plan.cost_s(np.concatenate([moves.a, moves.b]), np.concatenate([moves.new_a, moves.new_b]))
    size = moves.a.size
    change = cost[:size] + cost[size:] - plan.cost[moves.a] - plan.cost[moves.b]
    crowding, touched = _crowding(plan, moves)
    change += crowding
    better = np.flatnonzero(change < -LEAST_GAIN)
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
    """Moves between robots: tasks to before and behind those near them and to idle robots, swaps, exchanges of tails.

    Of many, those that are best by estimate.
    """
    guess = Estimate(plan.problem, plan.sequences)
    length, depth = (plan.sequences >= 0).sum(1), plan.sequences.shape[1]
    t, u = near
    a, b = guess.robot[t], guess.robot[u]
    keep = (a != b) & (a >= 0) & (b >= 0) & (concerned[a] | concerned[b])
    t, u, a, b = t[keep], u[keep], a[keep], b[keep]
    i, j = guess.at[t], guess.at[u]
    room, one = length[b] < depth, a < b
    tails, later = one & allowed(length, depth, a, i, b, j), allowed(length, depth, a, i, b, j + 1)
    before, behind = guess.before, guess.behind
    return _best(
        plan,
        [
            (relocated, _of(room, a, i, b, j), guess.relocated(t[room], before(u[room]))),
            (relocated, _of(room, a, i, b, j + 1), guess.relocated(t[room], behind(u[room]))),
            (swapped, _of(one, a, i, b, j), guess.swapped(t[one], u[one])),
            (crossed, _of(tails, a, i, b, j), guess.crossed(t[tails], before(u[tails]))),
            (crossed, _of(later, a, i, b, j + 1), guess.crossed(t[later], behind(u[later]))),
            _to_idle(plan, guess, length, concerned),
        ],
    )


def _best(plan: Plan, kinds: list[Kind]) -> Moves:
    """Moves of all kinds: all where they are few, else those that gain most, and not too many of one robot."""
    a = np.concatenate([ends[0] for _, ends, _ in kinds])
    change = np.concatenate([change for _, _, change in kinds])
    chosen = np.isfinite(change)
    if a.size > _FEW:
        better = np.flatnonzero(change < 0)
        order = better[np.argsort(change[better], kind="stable")]
        order = order[rank_within(a[order]) < _EACH]
        chosen[:] = False
        chosen[order] = True
    parts, start = [], 0
    for make, ends, guessed in kinds:
        of_kind = chosen[start : start + guessed.size]
        start += guessed.size
        parts.append(make(plan.sequences, *_of(of_kind, *ends)))
    return Moves(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("a", "b", "new_a", "new_b")))


def _of(keep: Bool, a: Int64, i: Int64, b: Int64, j: Int64) -> Ends:
    return a[keep], i[keep], b[keep], j[keep]


def _to_idle(plan: Plan, guess: Estimate, length: Int64, concerned: Bool) -> Kind:
    """Each task to each robot that has nothing."""
    planned = np.flatnonzero(guess.robot >= 0)
    idle = np.flatnonzero((length == 0) & plan.problem.capable.any(0))[: _IDLE // max(planned.size, 1)]
    t, b = np.repeat(planned, idle.size), np.tile(idle, planned.size)
    a = guess.robot[t]
    keep = concerned[a] | concerned[b]
    t, a, b = t[keep], a[keep], b[keep]
    return relocated, (a, guess.at[t], b, np.zeros_like(b)), guess.relocated(t, guess.first(b))
