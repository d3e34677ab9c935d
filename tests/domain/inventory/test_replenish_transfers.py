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
    made = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return made.with_columns(pack=pl.lit(1, pl.Int64), minimum=pl.lit(0, pl.Int64))


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


@pytest.mark.parametrize(
    ("pack", "minimum", "expected"),
    [
        (1, 0, [15_000, 8_000]),
        (6_000, 0, [18_000, 12_000]),
        (6_000, 20_000, [24_000, 24_000]),
        (1, 30_000, [30_000]),
        (1, 51_000, []),
        (60_000, 0, []),
    ],
)
def test_moves_are_of_whole_packs_and_no_less_than_the_minimum(pack, minimum, expected):
    """What lacks is rounded up, what 50 above its level can give is rounded down; the rest is ordered from outside."""
    stock = STOCK.with_columns(pack=pl.lit(pack, pl.Int64), minimum=pl.lit(minimum, pl.Int64))
    assert transfers(stock, 5)["quantity"].to_list() == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-50, 90), st.integers(0, 90)), min_size=2, max_size=5),
    st.integers(1, 12),
    st.integers(0, 30),
)
def test_packs_and_minimum_overdraw_nobody(sites, pack, minimum):
    """A giver keeps its level; a taker gets at most a pack, or the minimum, beyond what it lacks."""
    rows = [(f"s{i}", "bolt", position, available, 20, 40) for i, (position, available) in enumerate(sites)]
    stock = _stock(*rows).with_columns(pack=pl.lit(pack, pl.Int64), minimum=pl.lit(minimum, pl.Int64))
    moves = transfers(stock, 5)
    assert (moves["quantity"] % pack == 0).all()
    assert (moves["quantity"] >= max(minimum, 1)).all()
    for site, _, position, available, *_ in rows:
        given_away = moves.filter(from_site=site)["quantity"].sum()
        assert given_away <= max(0, min(position - 40, available))
        came = moves.filter(to_site=site)["quantity"].sum()
        assert came < max(20 - position, minimum) + pack or came == 0


def test_a_barred_pair_is_not_used():
    """Somebody rejected it; another giver is asked, if there is one."""
    assert transfers(STOCK, 5, barred=[("bolt", "north", "south")])["to_site"].to_list() == ["west"]
    assert transfers(STOCK, 5, barred=[("nut", "north", "south")]).height == 2
    both = pl.concat([STOCK, _stock(("east", "bolt", 60_000, 60_000, 20_000, 40_000))])
    moves = transfers(both, 5, barred=[("bolt", "north", "south")])
    assert set(moves.select("from_site", "to_site").rows()) >= {("east", "south")}
    assert moves["quantity"].sum() == 23_000
