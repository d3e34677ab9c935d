"""Units of measure, and quantities as whole thousandths of a base unit: sums of integers are exact in any order.

Each dimension has one base unit; a unit is worth a whole number of thousandths (*milli*) of it. Metric and US customary
mass are dimensions of their own: a pound is no whole number of milligrams, and what is not exact is not converted.
Names are matched as they are written (`ml` is not `ML`); the codes of UN/ECE Recommendation 20 are known beside them.
A case or a pallet holds what its item says, not what a table says, so neither is a unit here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

MILLI: Final = 1_000
"""Thousandths in a unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure: its dimension, and how many thousandths of the dimension's base unit it is worth."""

    dimension: str
    milli: int


BASE: Final = {
    "count": "each",
    "mass": "g",
    "volume": "ml",
    "length": "mm",
    "area": "cm2",
    "us_mass": "oz",
    "us_volume": "fl_oz",
    "us_length": "in",
}
"""Base unit by dimension."""

_SPELLINGS: Final[dict[str, dict[int, str]]] = {
    "count": {1: "each ea pc pcs piece unit EA C62 H87", 2: "pair PR", 12: "dozen DZN", 144: "gross GRO"},
    "mass": {1: "g GRM", 1_000: "kg KGM", 1_000_000: "t TNE"},
    "volume": {1: "ml MLT", 10: "cl CLT", 100: "dl DLT", 1_000: "l LTR", 1_000_000: "m3 MTQ"},
    "length": {1: "mm MMT", 10: "cm CMT", 1_000: "m MTR", 1_000_000: "km KMT"},
    "area": {1: "cm2 CMK", 10_000: "m2 MTK"},
    "us_mass": {1: "oz ONZ", 16: "lb LBR"},
    "us_volume": {1: "fl_oz OZA", 16: "pt PTL", 32: "qt QTL", 128: "gal GLL"},
    "us_length": {1: "in INH", 12: "ft FOT", 36: "yd YRD"},
}
_SMALL: Final = {"mg": Unit("mass", 1), "MGM": Unit("mass", 1)}

UNITS: Final[dict[str, Unit]] = {
    spelling: Unit(dimension, MILLI * factor)
    for dimension, sizes in _SPELLINGS.items()
    for factor, spellings in sizes.items()
    for spelling in spellings.split()
} | _SMALL
"""Every unit by each of its spellings."""

_EXACT = 2.0**50  # below it, rounding the product finds the right thousandth for certain


def to_milli(quantity: pl.Series) -> pl.Series:
    """Quantities as whole thousandths of their unit (Int64); null where they are not exactly that.

    A decimal fraction has no exact double, so a float is taken for the thousandth whose nearest double it is.

    >>> to_milli(pl.Series([0.1, 2.0, 1.0005, 0.1 + 0.2, float("nan")])).to_list()
    [100, 2000, None, None, None]
    """
    values = quantity.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        nearest = np.rint(values * MILLI)
        exact = (np.abs(nearest) <= _EXACT) & (nearest / MILLI == values)
    whole = np.where(exact, nearest, 0).astype(np.int64)
    return pl.Series(quantity.name, whole).set(pl.Series(~exact), None)
