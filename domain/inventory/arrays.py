"""Array types, and the five coefficients of a posting packed into one byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.inventory.reasons import BALANCES

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

PATTERNS: Final[Int64] = np.stack([np.arange(3 ** len(BALANCES)) // 3**i % 3 - 1 for i in range(len(BALANCES))])
"""Coefficient by balance and pattern: a pattern is the coefficients plus one, as digits to base three."""


def pattern(coefficients: Mapping[str, int]) -> int:
    """Pattern of coefficients by balance.

    >>> PATTERNS[:, pattern({"on_hand": 1, "on_order": -1})].tolist()
    [1, 0, 0, -1, 0]
    """
    return sum((coefficients.get(name, 0) + 1) * 3**i for i, name in enumerate(BALANCES))


def ends_of_runs(*columns: Int64) -> Bool:
    """True where a row differs in any column from the row behind it; the last row does."""
    last = np.ones(len(columns[0]), dtype=np.bool_)
    for at, column in enumerate(columns):
        differs = column[1:] != column[:-1]
        last[:-1] = differs if at == 0 else last[:-1] | differs
    return last
