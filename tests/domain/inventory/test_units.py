"""Units: conversions are exact, and what is not exact is not converted."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inventory.units import BASE, UNITS, to_milli

# Known factors, by hand: NIST Handbook 44, appendix C, and the SI prefixes.
KNOWN = [
    ("kg", "g", 1_000),
    ("t", "kg", 1_000),
    ("g", "mg", 1_000),
    ("l", "ml", 1_000),
    ("m3", "l", 1_000),
    ("m", "mm", 1_000),
    ("m2", "cm2", 10_000),
    ("dozen", "each", 12),
    ("gross", "dozen", 12),
    ("lb", "oz", 16),
    ("gal", "qt", 4),
    ("qt", "fl_oz", 32),
    ("yd", "ft", 3),
]


@pytest.mark.parametrize(("large", "small", "times"), KNOWN)
def test_units_are_worth_what_the_standards_say(large, small, times):
    """A unit is worth its standard number of smaller ones of the same dimension."""
    assert UNITS[large].dimension == UNITS[small].dimension
    assert UNITS[large].milli == times * UNITS[small].milli


def test_every_dimension_has_its_base_unit_at_a_thousand_thousandths():
    """The base unit is what its dimension is counted in."""
    assert {name: UNITS[unit] for name, unit in BASE.items()} == {
        name: UNITS[unit].__class__(name, 1_000) for name, unit in BASE.items()
    }


@given(st.integers(-(2**50), 2**50))
def test_a_float_that_is_a_thousandth_becomes_exactly_that_thousandth(milli):
    """The double nearest to k thousandths is read as k, for every k in range."""
    assert to_milli(pl.Series([float(Decimal(milli) / 1000)])).to_list() == [milli]


@given(st.floats())
def test_a_float_is_taken_for_a_thousandth_only_if_it_is_the_double_nearest_to_it(value):
    """Nothing is rounded: whatever is converted goes back to the same double."""
    (milli,) = to_milli(pl.Series([value])).to_list()
    assert milli is None or float(Decimal(milli) / 1000) == value


def test_null_stays_null_and_infinity_is_refused():
    """What is no number becomes none."""
    values = pl.Series([None, float("inf"), float("-inf"), float("nan"), 2.0**60], dtype=pl.Float64)
    assert to_milli(values).to_list() == [None] * 5
