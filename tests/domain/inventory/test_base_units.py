"""Quantities in base units: exactly, or not at all."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from domain.inventory.base_units import BASES, in_base
from domain.inventory.codes import LIMIT
from domain.inventory.units import BASE, MILLI, UNITS

quantities = st.one_of(
    st.integers(-(10**6), 10**6),
    st.integers(-(2**50), 2**50),
    st.sampled_from([LIMIT, LIMIT + 1, -LIMIT, -LIMIT - 1, 0, None]),
)


@given(st.lists(st.tuples(quantities, st.sampled_from(sorted(UNITS))), min_size=1, max_size=30))
def test_quantities_are_those_of_exact_fractions(rows):
    """Null where a fraction of a thousandth, or more than a balance holds, would be left; never a rounded one."""
    found, bases = in_base(*_columns(rows))
    assert bases.to_list() == [BASE[UNITS[unit].dimension] for _, unit in rows]
    assert found.to_list() == [_exactly(quantity, unit) for quantity, unit in rows]


def _columns(rows):
    quantities, units = zip(*rows, strict=True)
    return pl.Series(quantities, dtype=pl.Int64), pl.Series(units)


def _exactly(quantity, unit):
    if quantity is None:
        return None
    exact = Fraction(quantity * UNITS[unit].milli, MILLI)
    return int(exact) if exact.denominator == 1 and abs(exact) <= LIMIT else None


def test_every_unit_has_a_base_of_its_own_dimension():
    """The base unit of a dimension is worth a thousand thousandths, and is its own base."""
    assert set(BASES) == set(UNITS)
    assert {unit: UNITS[unit].milli for unit in BASES.values()} == dict.fromkeys(BASE.values(), MILLI)
    assert all(BASES[base] == base for base in BASE.values())
