"""Slips of the hand at counting: which one it was is named, and how surely; losses are not taken for slips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inventory.mis_key import mis_key
from domain.inventory.tolerance import Tolerance


def _tolerance(book: int, abc: str = "B") -> int:
    return Tolerance().quantity(abc, book)


@pytest.mark.parametrize(
    ("counted", "book", "slip", "least"),
    [
        (10_000, 1_000, "factor_10", 0.99),
        (123, 1_230, "factor_10", 0.9),
        (123, 1_234, "factor_10", 0.6),
        (100, 1_200, "dozen", 0.9),
        (1_200, 100, "dozen", 0.9),
        (5_210, 2_510, "transposed", 0.9),
        (1_324, 1_234, "transposed", 0.8),
        (-417, 417, "wrong_sign", 0.99),
    ],
)
def test_a_slip_is_named_with_its_probability(counted, book, slip, least):
    """Units counted, units booked, and how surely it was what it was."""
    found = mis_key(counted * 1_000, book * 1_000, _tolerance(book * 1_000))
    assert found is not None
    assert found.slip == slip
    assert least < found.probability <= found.any_slip <= 1


def test_goods_by_weight_are_transposed_to_the_thousandth():
    """1.243 keyed for 1.234."""
    found = mis_key(1_243, 1_234, 1)
    assert found is not None
    assert (found.slip, found.meant) == ("transposed", 1_234)


def test_a_pack_counted_as_one_is_named():
    """Cases of 18 keyed as pieces."""
    found = mis_key(20_000, 360_000, _tolerance(360_000), pack=18_000)
    assert found is not None
    assert (found.slip, found.meant) == ("pack", 360_000)


def test_a_smaller_number_makes_a_slip_less_sure():
    """12 for 21 may be a loss of nine; 1012 for 1021 hits a rarer number."""
    small, large = mis_key(12_000, 21_000, 1_000), mis_key(5_012_000, 5_102_000, 10_000)
    assert small is not None
    assert large is not None
    assert small.probability < large.probability


def test_true_losses_are_seldom_taken_for_slips():
    """Of losses of 2 to 30 % of any stock, few happen to look like a slip."""
    rng = np.random.default_rng(5)
    book = rng.integers(100, 5_000, 3_000)
    loss = np.maximum((book * rng.uniform(0.02, 0.3, len(book))).astype(int), 2)
    found = [
        mis_key((b - x) * 1_000, b * 1_000, _tolerance(b * 1_000))
        for b, x in zip(book.tolist(), loss.tolist(), strict=True)
    ]
    taken = sum(f is not None and f.any_slip >= 0.5 for f in found)
    assert taken / len(found) < 0.05


@given(
    st.integers(-(2**50), 2**50),
    st.integers(-(2**50), 2**50),
    st.integers(1_000, 2**40),
    st.none() | st.integers(1, 10**3) | st.integers(1, 10**3).map(lambda pieces: pieces * 1_000),
)
def test_any_numbers_give_a_probability_or_nothing(counted, book, tolerance, pack):
    """Whatever is counted and booked."""
    if abs(counted - book) <= tolerance:
        return
    found = mis_key(counted, book, tolerance, pack=pack)
    assert found is None or 0 < found.probability <= found.any_slip <= 1
