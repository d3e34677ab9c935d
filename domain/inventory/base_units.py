"""Quantities of any unit in the base unit of its dimension, exactly or not at all."""

from __future__ import annotations

from math import gcd
from typing import Final

import polars as pl

from domain.inventory.codes import LIMIT
from domain.inventory.units import BASE, MILLI, UNITS

_PER: Final = {name: MILLI // gcd(unit.milli, MILLI) for name, unit in UNITS.items()}
_TIMES: Final = {name: unit.milli // gcd(unit.milli, MILLI) for name, unit in UNITS.items()}
_WORTH: Final = {name: unit.milli / MILLI for name, unit in UNITS.items()}
BASES: Final = {name: BASE[unit.dimension] for name, unit in UNITS.items()}
"""Base unit by unit."""


def in_base(quantity: pl.Series, uom: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Thousandths of `uom` as thousandths of the base unit, and that unit; units are those of `UNITS`.

    Null where a quantity is null, no whole number of thousandths of the base unit, or beyond `codes.LIMIT`.

    >>> quantity, base = in_base(pl.Series([2_000, 1, 10**15]), pl.Series(["dozen", "mg", "t"]))
    >>> quantity.to_list(), base.to_list()
    ([24000, None, None], ['each', 'g', 'g'])
    """
    per = uom.replace_strict(_PER, return_dtype=pl.Int64)
    times = uom.replace_strict(_TIMES, return_dtype=pl.Int64)
    whole = quantity // per
    fits = (quantity % per == 0) & (whole.abs() <= LIMIT // times)
    found = pl.select(pl.when(fits).then(whole * times)).to_series()
    return found.alias(quantity.name), uom.replace_strict(BASES, return_dtype=pl.String)


def beyond(quantity: pl.Series, uom: pl.Series) -> pl.Series:
    """Whether thousandths of `uom` are more than `codes.LIMIT` thousandths of the base unit.

    >>> beyond(pl.Series([10**15, 10**15]), pl.Series(["gross", "each"])).to_list()
    [True, False]
    """
    return quantity.abs() * uom.replace_strict(_WORTH, return_dtype=pl.Float64) > LIMIT


def cost_in_base(cost: pl.Series, uom: pl.Series) -> pl.Series:
    """Cost of one base unit, of costs of one `uom`.

    >>> cost_in_base(pl.Series("unit_cost", [36.0, 8.0]), pl.Series(["dozen", "kg"])).to_list()
    [3.0, 0.008]
    """
    return cost / uom.replace_strict(_WORTH, return_dtype=pl.Float64)
