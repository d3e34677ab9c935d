"""Transfers between sites against all the ways there are to move things."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inventory.transfers import TRANSFER_SCHEMA, matched, transfers, transported

SCHEMA = {"site": pl.String, "sku": pl.String} | dict.fromkeys(
    ("position", "available", "reorder_point", "order_up_to"), pl.Int64
)
amounts = st.lists(st.integers(1, 3), min_size=1, max_size=2)


def _every_split(surplus, shortage):
    """All whole moves that no giver and no taker is overdrawn by."""
    cells = [range(min(a, b) + 1) for a in surplus for b in shortage]
    for cell in product(*cells):
        moved = np.array(cell).reshape(len(surplus), len(shortage))
        if (moved.sum(1) <= surplus).all() and (moved.sum(0) <= shortage).all():
            yield moved


@settings(deadline=None)
@given(amounts, amounts)
def test_the_shortage_left_is_the_least_of_all_splits(surplus, shortage):
    """By counting every split; and the moves are no more than givers and takers less one."""
    moved = matched(np.array(surplus), np.array(shortage))
    assert (moved.sum(1) <= surplus).all()
    assert (moved.sum(0) <= shortage).all()
    assert moved.sum() == max(split.sum() for split in _every_split(surplus, shortage))
    assert np.count_nonzero(moved) <= len(surplus) + len(shortage) - 1


@settings(deadline=None)
@given(amounts, amounts, st.data())
def test_costs_are_the_least_of_the_splits_with_the_least_shortage(surplus, shortage, data):
    """By counting every split, some pairs being forbidden."""
    prices = st.one_of(st.integers(0, 9), st.just(float("inf")))
    shape = len(surplus), len(shortage)
    costs = np.array(data.draw(st.lists(prices, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])), float)
    costs = costs.reshape(shape)
    moved = transported(np.array(surplus), np.array(shortage), costs)
    free = np.where(np.isfinite(costs), costs, 0)
    best = min(
        (-int(split.sum()), float((split * free).sum()))
        for split in _every_split(surplus, shortage)
        if not split[~np.isfinite(costs)].any()
    )
    assert not moved[~np.isfinite(costs)].any()
    assert (moved.sum(1) <= surplus).all()
    assert (moved.sum(0) <= shortage).all()
    assert (-int(moved.sum()), float((moved * free).sum())) == best


def test_large_amounts_stay_whole():
    """Thousandths by the billion: every unit that can be given is."""
    surplus, shortage = np.array([10**12 + 1, 7]), np.array([10**12 + 3, 10**9 + 1])
    for moved in (matched(surplus, shortage), transported(surplus, shortage, np.ones((2, 2)))):
        assert moved.sum() == surplus.sum()


def test_equal_amounts_go_in_one_move():
    """5 and 3 for 3 and 5: two moves, not three."""
    assert matched(np.array([5, 3]), np.array([3, 5])).tolist() == [[0, 5], [3, 0]]


def _stock(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


STOCK = _stock(
    ("north", "bolt", 90_000, 70_000, 20_000, 40_000),
    ("south", "bolt", 5_000, 5_000, 20_000, 40_000),
    ("west", "bolt", 12_000, 12_000, 20_000, 40_000),
    ("north", "nut", 90_000, 90_000, 20_000, 40_000),
    ("south", "nut", 25_000, 25_000, 20_000, 40_000),
)


def test_a_site_with_too_much_helps_those_with_too_little():
    """Both takers come to their reorder point; a SKU that lacks nothing is left alone."""
    moves = transfers(STOCK, 5)
    assert moves.schema == TRANSFER_SCHEMA
    assert moves.select("sku", "from_site", "to_site", "quantity").rows() == [
        ("bolt", "north", "south", 15_000),
        ("bolt", "north", "west", 8_000),
    ]
    assert moves["reason"][0] == (
        "north has 50 above its order-up-to level and south lacks 15 of its reorder point: move 15."
    )
    assert moves["proposal_id"].n_unique() == 2


@pytest.mark.parametrize(
    ("available", "expected"), [(70_000, [15_000, 8_000]), (17_000, [15_000, 2_000]), (0, []), (-4_000, [])]
)
def test_only_what_lies_on_the_shelves_is_given(available, expected):
    """A surplus that is still on order moves nothing."""
    stock = STOCK.with_columns(
        available=pl.when(pl.col("position") == 90_000).then(pl.lit(available, pl.Int64)).otherwise("available")
    )
    assert transfers(stock, 5)["quantity"].to_list() == expected


def test_costs_choose_the_giver():
    """The nearer site gives; a pair without a cost is never used."""
    stock = _stock(
        ("a", "bolt", 60_000, 60_000, 20_000, 40_000),
        ("b", "bolt", 60_000, 60_000, 20_000, 40_000),
        ("c", "bolt", 5_000, 5_000, 20_000, 40_000),
    )
    assert transfers(stock, 5, {("a", "c"): 2.0, ("b", "c"): 1.0})["from_site"].to_list() == ["b"]
    assert transfers(stock, 5, {("a", "c"): 2.0})["from_site"].to_list() == ["a"]
    assert transfers(stock, 5, {}).is_empty()


def test_order_of_rows_and_unknown_levels_change_nothing():
    """Rows come in any order; a site without levels takes no part."""
    unknown = _stock(("east", "bolt", 1_000, 1_000, None, None))
    assert transfers(pl.concat([unknown, STOCK])[::-1], 5).equals(transfers(STOCK, 5))
    assert transfers(STOCK.clear(), 5).is_empty()
