"""Changes to a plan: sequences with a task moved, two tasks or two tails exchanged, or an order within a robot changed.

`sequences` has a row of task numbers for each robot, filled up with -1. A place is an index in a row. What is made are
rows for the robots concerned; whether they are better is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from domain.allocation.costs import NONE
from domain.allocation.problem import Bool, Int64


@dataclass(frozen=True, slots=True)
class Moves:
    """Two robots each and their new sequences."""

    a: Int64
    b: Int64
    new_a: Int64
    new_b: Int64


def relocated(sequences: Int64, a: Int64, i: Int64, b: Int64, j: Int64) -> Moves:
    """The task at place i of robot a goes to place j of robot b; b has room and is not a."""
    return Moves(a, b, without(sequences[a], i), inserted(sequences[b], j, sequences[a, i]))


def swapped(sequences: Int64, a: Int64, i: Int64, b: Int64, j: Int64) -> Moves:
    """The tasks at place i of robot a and at place j of robot b change places; b is not a."""
    each = np.arange(a.size)
    new_a, new_b = sequences[a], sequences[b]
    new_a[each, i], new_b[each, j] = sequences[b, j], sequences[a, i]
    return Moves(a, b, new_a, new_b)


def crossed(sequences: Int64, a: Int64, i: Int64, b: Int64, j: Int64) -> Moves:
    """Tails change robots: what a has from place i on, and what b has from place j on; both have room for it."""
    return Moves(a, b, _spliced(sequences[a], i, sequences[b], j), _spliced(sequences[b], j, sequences[a], i))


def without(rows: Int64, at: Int64) -> Int64:
    """Rows without the task at a place."""
    padded = np.concatenate([rows, np.full((rows.shape[0], 1), NONE)], axis=1)
    column = np.arange(rows.shape[1])
    return np.take_along_axis(padded, column + (column >= at[:, np.newaxis]), axis=1)


def inserted(rows: Int64, at: Int64, task: Int64) -> Int64:
    """Rows with a task put in at a place; there is room."""
    column, place = np.arange(rows.shape[1]), at[:, np.newaxis]
    moved = np.take_along_axis(rows, np.maximum(column - (column > place), 0), axis=1)
    return np.where(column == place, task[:, np.newaxis], moved)


def _spliced(head: Int64, until: Int64, tail: Int64, since: Int64) -> Int64:
    """The head up to a place (excluded), then the tail from a place on."""
    width = head.shape[1]
    column = np.arange(width)
    source = column + (since - until)[:, np.newaxis]
    moved = np.take_along_axis(tail, np.clip(source, 0, width - 1), axis=1)
    return np.where(column < until[:, np.newaxis], head, np.where(source < width, moved, NONE))


@cache
def orders(width: int, span: int) -> tuple[Int64, Int64]:
    """Changes of order within a row, of places at most `span` apart, and the length a row must have for each.

    A task goes to another place, two change places, or a stretch is turned round.
    """
    changes: dict[tuple[int, ...], int] = {}
    for i in range(width):
        for j in range(i + 1, min(i + span, width - 1) + 1):
            between = list(range(i, j + 1))
            for new in (
                [*between[1:], i],
                [j, *between[:-1]],
                [j, *between[1:-1], i],
                between[::-1],
            ):
                changes.setdefault((*range(i), *new, *range(j + 1, width)), j + 1)
    table = np.array(list(changes), dtype=np.int64).reshape(-1, width)
    return table, np.array(list(changes.values()), dtype=np.int64)


def reordered(sequences: Int64, robots: Int64, span: int) -> tuple[Int64, Int64]:
    """All changes of order within each robot's row, of places at most `span` apart: robot and new row."""
    length = (sequences[robots] >= 0).sum(1)
    table, needs = orders(int(length.max(initial=0)), span)
    row, change = np.nonzero(needs[np.newaxis, :] <= length[:, np.newaxis])
    robot = robots[row]
    new = sequences[robot]
    new[:, : table.shape[1]] = np.take_along_axis(new, table[change], axis=1)
    return robot, new


def allowed(length: Int64, depth: int, a: Int64, i: Int64, b: Int64, j: Int64) -> Bool:
    """Whether both robots have room when their tails are exchanged."""
    return (i + length[b] - j <= depth) & (j + length[a] - i <= depth)


def rank_within(groups: Int64) -> Int64:
    """How many of its group come before each."""
    order = np.argsort(groups, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size) - np.searchsorted(groups[order], groups[order])
    return rank
