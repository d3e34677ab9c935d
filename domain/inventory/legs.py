"""The legs of moves: one for each key a move posts to, in the order in which they are booked, and by key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.inventory.arrays import PATTERNS, Bool, Int64, UInt8
from domain.inventory.wellformed import NOWHERE


@dataclass(frozen=True, slots=True)
class Legs:
    """Columns by leg: row of the move, 0 here or 1 there, number of key, quantity, pattern of its coefficients."""

    row: Int64
    side: UInt8
    key: Int64
    quantity: Int64
    pattern: UInt8

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, legs: Int64 | Bool) -> Legs:
        return Legs(self.row[legs], self.side[legs], self.key[legs], self.quantity[legs], self.pattern[legs])

    def deltas(self, balance: int) -> Int64:
        """Change of one balance by leg."""
        changes: Int64 = PATTERNS[balance][self.pattern] * self.quantity
        return changes

    def by_key(self) -> Legs:
        """Legs in order of key; those of one key stay in order."""
        # One sort of plain integers takes a fraction of the time of a stable sort of indices.
        places = np.sort(self.key << 32 | np.arange(len(self))) & 0xFFFFFFFF
        return self[places]


def legs_of(rows: Int64, here: tuple[Int64, UInt8], there: tuple[Int64, UInt8], quantity: Int64) -> Legs:
    """Legs of rows, in order.

    `here` and `there` are numbers of keys and patterns, by row as `quantity` is; a pattern NOWHERE makes no leg.
    """
    goes = np.flatnonzero(there[1] != NOWHERE)
    n = len(rows)
    if len(goes) == 0:
        return Legs(rows, np.zeros(n, dtype=np.uint8), here[0], quantity, here[1])
    twice = np.ones(n, dtype=np.int64)
    twice[goes] = 2
    at = np.repeat(np.arange(n), twice)
    side = np.zeros(len(at), dtype=np.uint8)
    second = np.cumsum(twice)[goes] - 1
    side[second] = 1
    key, pattern = here[0][at], here[1][at]
    key[second], pattern[second] = there[0][goes], there[1][goes]
    return Legs(rows[at], side, key, quantity[at], pattern)
