"""Replenishment rows: what is recommended, why, and what stays out of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from domain.inventory.lead_time import Demand, during, undershoot
from domain.inventory.policies import fill_reorder_point
from domain.inventory.replenish import ITEM_SCHEMA, REPLENISHMENT_SCHEMA, replenish

ITEM = {
    "site": "north",
    "sku": "bolt",
    "policy": "s_S",
    "counted": True,
    "position": 12_000,
    "demand_mean": 3.0,
    "demand_sd": 2.5,
    "lead_time_mean": 4.0,
    "lead_time_sd": 1.0,
    "review": 1.0,
    "service": "cycle",
    "service_level": 0.95,
}
AT = 1_000_000


def _items(*changes):
    return pl.DataFrame([dict.fromkeys(ITEM_SCHEMA) | ITEM | change for change in changes], schema=ITEM_SCHEMA)


def _row(**change):
    return replenish(_items(change), AT).row(0, named=True)


def test_an_order_up_to_s_with_its_reason():
    """s is the 95 % quantile of lead-time demand and undershoot; the sentence has the numbers."""
    row = _row()
    assert (row["status"], row["reorder_point"], row["order_up_to"]) == ("order", 25_000, 28_000)
    assert row["recommended"] == 28_000 - 12_000
    assert row["safety_stock"] == pytest.approx(25 - 12 - (2.5**2 + 9 - 3) / 6)
    assert row["reason"] == (
        "Position 12 is at or below the reorder point 25, which covers a demand of 14.04 (sd 6.24) over a lead time of "
        "4 days (sd 1) with a review every day, at 95 % cycle service. Order 16, up to 28."
    )


def test_lots_of_q():
    """As few lots as lead above R; no level S."""
    row = _row(policy="r_Q", economic_quantity=7.2, pack=4_000)
    assert (row["order_quantity"], row["recommended"], row["order_up_to"]) == (8_000, 16_000, None)
    assert row["reason"].endswith("Order 16, in lots of 8.")


def test_packs_and_minimum():
    """The lot and the order are whole packs and no less than the minimum."""
    row = _row(pack=12_000, minimum_order=30_000)
    assert (row["order_quantity"], row["order_up_to"], row["recommended"]) == (36_000, 61_000, 60_000)


def test_open_orders_count():
    """What is on order is in the position: nothing is ordered twice."""
    before = _row()
    after = _row(position=12_000 + before["recommended"])
    assert (after["status"], after["recommended"], after["proposal_id"]) == ("enough", 0, None)
    assert after["reason"].startswith("Position 28 is above the reorder point 25, which covers")


def test_at_the_reorder_point_it_is_ordered_and_one_above_not():
    """Position 25 and 26."""
    assert _row(position=25_000)["recommended"] == 3_000
    assert _row(position=26_000)["recommended"] == 0


@pytest.mark.parametrize("policy", ["s_S", "r_Q"])
def test_without_demand_only_what_is_owed_is_ordered(policy):
    """Zero demand, position 0: nothing; backorders of 5: five, in packs."""
    none = {"policy": policy, "demand_mean": 0.0, "demand_sd": 0.0}
    idle = _row(**none | {"demand_sd": 4.0}, position=0)
    assert (idle["status"], idle["recommended"], idle["reorder_point"]) == ("no_demand", 0, 0)
    owed = _row(**none, position=-5_000)
    assert (owed["status"], owed["recommended"]) == ("order", 5_000)
    assert owed["reason"] == "No demand is expected, but 5 is owed. Order 5."
    assert _row(**none, position=-5_000, pack=4_000)["recommended"] == 8_000


def test_without_history_nothing_is_recommended():
    """No figures of demand: no reorder point, and the reason."""
    assert _row(demand_sd=None)["status"] == "no_history"
    row = _row(demand_mean=None, demand_sd=None)
    assert (row["status"], row["reorder_point"], row["recommended"], row["proposal_id"]) == (
        "no_history",
        None,
        0,
        None,
    )
    assert row["reason"] == "There is no history of demand: nothing is recommended."


@pytest.mark.parametrize(
    "change",
    [
        {"service_level": 1.0},
        {"service_level": None},
        {"demand_mean": float("nan")},
        {"demand_sd": -1.0},
        {"lead_time_sd": float("inf")},
        {"lead_time_mean": None},
        {"demand_mean": 1e12, "lead_time_mean": 10.0},
        {"demand_mean": 1.0, "lead_time_sd": 1e12},
        {"policy": "monthly"},
        {"service": "best"},
        {"position": None},
        {"position": -(2**62)},
        {"position": 2**62},
        {"demand_sd": 1e12},
        {"counted": None},
        {"pack": 0},
        {"minimum_order": 2**62},
        {"economic_quantity": float("nan")},
    ],
)
def test_figures_that_make_no_sense_disturb_no_other_item(change):
    """The row says so and recommends nothing; its neighbour is as it is alone."""
    rows = replenish(_items(change, {}), AT)
    assert rows.row(0, named=True)["status"] == "invalid"
    assert rows["recommended"][0] == 0
    assert_frame_equal(rows[1:], replenish(_items({}), AT))


def test_fill_goes_by_what_is_ordered_in_a_cycle():
    """Up to S that is the lot and what stock had fallen below s; in lots of Q it is Q, so that its point is higher."""
    wild = {"service": "fill", "demand_sd": 12.0, "service_level": 0.9, "review": 7.0}
    bucket, counted = Demand(np.array([3.0]), np.array([144.0])), np.array([True])
    waiting, below = during(np.array([4.0]), np.array([1.0]), bucket), undershoot(np.array([7.0]), bucket, counted)
    for policy, ordered in (("s_S", 21 + below.mean), ("r_Q", np.array([21.0]))):
        lot, level = np.array([21.0]), np.array([0.9])
        expected = fill_reorder_point(waiting + below, waiting, lot, ordered, level, counted)
        assert _row(**wild, policy=policy)["reorder_point"] == int(expected[0]) * 1_000
    assert _row(**wild, policy="s_S")["reorder_point"] < _row(**wild, policy="r_Q")["reorder_point"]


def test_certain_demand_and_lead_time_need_no_safety_stock():
    """10 a day, 4 days: 40, and the undershoot of a daily review that may come to nine."""
    row = _row(demand_mean=10.0, demand_sd=0.0, lead_time_sd=0.0)
    assert 40_000 < row["reorder_point"] <= 50_000
    assert _row(demand_mean=10.0, demand_sd=0.0, lead_time_sd=0.0, review=0.0)["reorder_point"] == 40_000


def test_a_measured_reorder_point_is_exact_to_the_thousandth():
    """1.001 times 1000 is a little less than 1001 in doubles; nothing is lost by it."""
    certain = {"counted": False, "demand_sd": 0.0, "lead_time_mean": 1.0, "lead_time_sd": 0.0, "review": 0.0}
    assert _row(demand_mean=1.001, **certain)["reorder_point"] == 1_001


def test_orders_that_come_at_once_cover_the_review_only():
    """Lead time 0, and a lead time shorter than the review period."""
    assert _row(lead_time_mean=0.0, lead_time_sd=0.0)["reorder_point"] == 6_000
    monthly = _row(review=30.0)
    assert monthly["order_quantity"] == 90_000
    assert 90_000 < monthly["reorder_point"] < 120_000
    assert "with continuous review" in _row(review=0.0)["reason"]
    assert "a lead time of 1 day (sd 1) with a review every 2 days" in _row(review=2.0, lead_time_mean=1.0)["reason"]


def test_more_spread_and_more_service_need_more_stock():
    """Demand, lead time, level; a fill level needs less than the same cycle level."""
    point = _row()["reorder_point"]
    for change in ({"demand_sd": 5.0}, {"lead_time_sd": 3.0}, {"service_level": 0.99}, {"review": 7.0}):
        assert _row(**change)["reorder_point"] > point
    assert _row(service="fill", economic_quantity=40.0)["reorder_point"] < point


def test_measured_amounts_are_not_rounded_to_units():
    """Thousandths of a gram, but whole packs where there are packs."""
    row = _row(counted=False)
    assert row["reorder_point"] % 1_000
    assert row["recommended"] == row["order_up_to"] - 12_000
    assert _row(counted=False, pack=500)["recommended"] % 500 == 0


def test_how_items_are_cut_into_calls_changes_nothing():
    """Rows one by one, reversed, and all at once are the same, ids included."""
    items = _items(
        *(
            {"sku": f"s{n}", "position": 3_000 * n, "demand_mean": 0.4 * n, "service": ("cycle", "fill")[n % 2]}
            for n in range(20)
        )
    )
    whole = replenish(items, AT)
    assert dict(whole.schema) == REPLENISHMENT_SCHEMA
    assert_frame_equal(pl.concat([replenish(items[n], AT) for n in range(20)]), whole)
    assert_frame_equal(replenish(items[::-1], AT)[::-1], whole)
    assert replenish(items.clear(), AT).schema == whole.schema


def test_a_proposal_id_is_its_content():
    """The same review gives the same id; another time, site or quantity another one."""
    ids = [_row()["proposal_id"], _row(site="south")["proposal_id"], _row(position=11_000)["proposal_id"]]
    later = replenish(_items({}), AT + 1)["proposal_id"][0]
    assert len({*ids, later}) == 4
    assert _row()["proposal_id"] == ids[0]
    assert len(ids[0]) == 32
