"""Running balances of legs in order of key, and where invariants begin to be broken and hold again."""

from __future__ import annotations

from typing import Final

import numpy as np

from domain.inventory.arrays import Int64, UInt8
from domain.inventory.legs import Legs
from domain.inventory.reasons import BALANCES

INVARIANTS: Final = (*(f"negative_{name}" for name in BALANCES), "over_allocated")
"""What must not be: a balance below zero, or more allocated than is on hand."""


def running(legs: Legs, balances: Int64) -> Int64:
    """Five balances after each leg; `legs` in order of key, `balances` (five by key) before them."""
    starts = np.flatnonzero(np.diff(legs.key, prepend=-1))
    counts = np.diff(starts, append=len(legs))
    after = np.empty((len(BALANCES), len(legs)), dtype=np.int64)
    for i in range(len(BALANCES)):
        changes = legs.deltas(i)
        # The sum over all keys may wrap; what is left of it after the difference is right all the same.
        np.cumsum(changes, out=after[i])
        opening = balances[i][legs.key[starts]] - (after[i][starts] - changes[starts])
        after[i] += np.repeat(opening, counts)
    return after


def broken(balances: Int64) -> UInt8:
    """Invariants that five balances break, as bits in the order of INVARIANTS."""
    bits = np.zeros(balances.shape[1], dtype=np.uint8)
    for i, values in enumerate(balances):
        bits |= (values < 0).astype(np.uint8) << i
    bits |= (balances[1] > np.maximum(balances[0], 0)).astype(np.uint8) << len(BALANCES)
    return bits


def amount(balances: Int64, invariant: int) -> Int64:
    """What is missing for the invariant to hold; 0 where it does."""
    missing = balances[1] - np.maximum(balances[0], 0) if invariant == len(BALANCES) else -balances[invariant]
    short: Int64 = np.maximum(missing, 0)
    return short


def turns(key: Int64, after: Int64, before: Int64) -> tuple[UInt8, UInt8]:
    """Bits of what is broken after each instant, and of what of it changed there.

    `key` and `after` (five balances) by instant, in order of key; `before` five balances by key.
    """
    now = broken(after)
    then = np.roll(now, 1)
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    then[starts] = broken(before[:, key[starts]])
    return now, now ^ then
