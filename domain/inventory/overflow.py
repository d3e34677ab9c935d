"""Moves that would take a balance beyond its limit, found exactly and without ever computing one that does not fit.

Only keys whose balances could come near the limit at all, by the sum of the sizes of what is posted to them, are walked
leg by leg, in whole numbers of any length: there are none of them unless something is badly wrong.
"""

from __future__ import annotations

import itertools

import numpy as np

from domain.inventory.arrays import PATTERNS, Int64
from domain.inventory.codes import LIMIT
from domain.inventory.legs import Legs

_NEAR = LIMIT * 0.999  # the sums of sizes are of doubles, and rounded


def overflowing(legs: Legs, balances: Int64) -> Int64:
    """Rows of moves that must be refused. `legs` in the order of booking; `balances` (five by key) before them."""
    reach = np.bincount(legs.key, weights=np.abs(legs.quantity), minlength=balances.shape[1])
    reach += np.abs(balances).max(axis=0, initial=0)
    doubtful = reach >= _NEAR
    if not doubtful.any():
        return np.empty(0, dtype=np.int64)
    return np.array(_walk(legs[doubtful[legs.key]], balances), dtype=np.int64)


def _walk(legs: Legs, balances: Int64) -> list[int]:
    """A refused move books none of its legs, and what comes behind it is judged without it."""
    refused: list[int] = []
    running: dict[int, list[int]] = {}
    starts = [*np.flatnonzero(np.diff(legs.row, prepend=-1)).tolist(), len(legs)]
    for begin, end in itertools.pairwise(starts):
        after: dict[int, list[int]] = {}
        for leg in range(begin, end):
            key, quantity = int(legs.key[leg]), int(legs.quantity[leg])
            before = running.get(key) or balances[:, key].tolist()
            changes = PATTERNS[:, legs.pattern[leg]].tolist()
            after[key] = [b + c * quantity for b, c in zip(before, changes, strict=True)]
        if any(abs(value) > LIMIT for values in after.values() for value in values):
            refused.append(int(legs.row[begin]))
        else:
            running |= after
    return refused
