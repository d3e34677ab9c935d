"""What of a move can be judged by itself: unit, reason, destination, quantity in the base unit."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Final

import numpy as np
import polars as pl

from domain.inventory.arrays import Bool, Int64, UInt8, pattern
from domain.inventory.codes import DESTINATION, INEXACT, LIMIT, OVERFLOW, REASON_UNKNOWN, UNIT_UNKNOWN, number
from domain.inventory.reasons import REASONS
from domain.inventory.units import BASE, MILLI, UNITS

NOWHERE: Final = 255
"""Pattern of the destination of a reason that has none."""
DIMENSIONS: Final = tuple(BASE)
"""Dimensions by number."""

_UNIT_AT = {name: at for at, name in enumerate(UNITS)}
_REASON_AT = {name: at for at, name in enumerate(REASONS)}
_NO_UNIT, _NO_REASON = len(UNITS), len(REASONS)

# One entry more than there are units or reasons, for those that are unknown.
_DIMENSION = np.array([DIMENSIONS.index(u.dimension) for u in UNITS.values()] + [0], dtype=np.uint8)
_TIMES = np.array([u.milli // gcd(u.milli, MILLI) for u in UNITS.values()] + [1], dtype=np.int64)
_PER = np.array([MILLI // gcd(u.milli, MILLI) for u in UNITS.values()] + [1], dtype=np.int64)
_HERE = np.array([pattern(e.here) for e in REASONS.values()] + [0], dtype=np.uint8)
_THERE = np.array([NOWHERE if e.there is None else pattern(e.there) for e in REASONS.values()] + [NOWHERE], np.uint8)


@dataclass(frozen=True, slots=True)
class Judged:
    """By row of the moves: quantity in thousandths of the base unit, dimension, patterns, code of refusal (0: none)."""

    quantity: Int64
    dimension: UInt8
    here: UInt8
    there: UInt8
    code: UInt8


def judge(moves: pl.DataFrame) -> Judged:
    """Judge each row of `moves` (MOVE_SCHEMA) by itself."""
    unit = moves["uom"].replace_strict(_UNIT_AT, default=_NO_UNIT, return_dtype=pl.UInt8).to_numpy()
    reason = moves["reason"].replace_strict(_REASON_AT, default=_NO_REASON, return_dtype=pl.UInt8).to_numpy()
    raw = moves["quantity"].fill_null(0).to_numpy()
    per, times = _PER[unit], _TIMES[unit]
    uneven = raw % per != 0
    uneven |= moves["quantity"].is_null().to_numpy()
    whole = raw // per
    bound = LIMIT // times
    large = (whole > bound) | (whole < -bound)
    there = _THERE[reason]
    conditions = {
        OVERFLOW: large,
        INEXACT: uneven,
        DESTINATION: _lost(moves, there),
        REASON_UNKNOWN: reason == _NO_REASON,
        UNIT_UNKNOWN: unit == _NO_UNIT,
    }
    code = np.zeros(moves.height, dtype=np.uint8)
    for name, applies in conditions.items():
        code[applies] = number(name)
    return Judged(np.where(large, 0, whole) * times, _DIMENSION[unit], _HERE[reason], there, code)


def _lost(moves: pl.DataFrame, there: UInt8) -> Bool:
    """Rows that need a destination and have none, or the place they start from."""
    lost = np.zeros(moves.height, dtype=np.bool_)
    need = np.flatnonzero(there != NOWHERE)
    if len(need):
        stays = (pl.col("to_location") == pl.col("location")) & (
            pl.col("to_site").fill_null(pl.col("site")) == pl.col("site")
        )
        lost[need] = moves[need].select(pl.col("to_location").is_null() | stays).to_series().to_numpy()
    return lost
