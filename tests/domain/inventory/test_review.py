"""Reviews: whose turn it is, in which units, and what sites give each other before anything is ordered."""

from __future__ import annotations

import polars as pl
import pytest

from domain.inventory.orders import AWAITED_SCHEMA, HELD_SCHEMA
from domain.inventory.review import review

DAY = 86_400_000_000
MONDAY = 19_786 * DAY
"""4 March 2024; the number of its day is even."""

DEMAND = {"site": "north", "sku": "bolt", "horizon": 7, "mean": 21.0, "variance": 63.0}
ITEM = {
    "sku": "bolt",
    "uom": "each",
    "policy": "s_S",
    "service": "cycle",
    "unit_cost": 3.0,
    "pack": 1_000,
    "minimum_order": 0,
    "order_cost": None,
    "holding_rate": None,
    "lead_time_mean_d": 4.0,
    "lead_time_sd_d": 1.0,
    "review_d": 1.0,
    "service_level": 0.95,
}
STOCK = {"site": "north", "sku": "bolt", "uom": "each", "position": 12_000, "available": 10_000}
TYPES = dict.fromkeys(("order_cost", "holding_rate"), pl.Float64) | dict.fromkeys(("pack", "minimum_order"), pl.Int64)


def reviewed(demand=({},), items=({},), stock=({},), *, day=0, length=DAY, bucket="day", **decided):
    """A review at the end of a bucket that begins so many days after Monday; what is given differs from the above."""
    start = MONDAY + day * DAY
    times = {"bucket_start": start, "bucket_end": start + length}
    frames = [
        pl.DataFrame([DEMAND | times | change for change in demand]),
        pl.DataFrame([ITEM | change for change in items], schema_overrides=TYPES),
        pl.DataFrame([STOCK | change for change in stock]),
    ]
    return review(*frames, bucket, **decided)


def test_an_item_is_reviewed_with_the_demand_of_a_bucket():
    """Mean and variance of the horizon are shared out over its buckets; the order is what the row recommends."""
    found = reviewed()
    row = found.rows.row(0, named=True)
    assert (row["demand_mean"], row["demand_sd"]) == (3.0, 3.0)
    assert (row["lead_time_mean"], row["lead_time_sd"], row["review"]) == (4.0, 1.0, 1.0)
    assert (row["position"], row["available"], row["uom"]) == (12_000, 10_000, "each")
    assert row["status"] == "order"
    assert found.orders["recommended"].to_list() == [row["recommended"]]
    assert row["time_us"] == MONDAY + DAY


def test_lead_time_and_review_are_counted_in_buckets():
    """A week holds seven days of lead time; a review every day of a weekly bucket is one each bucket."""
    row = reviewed(length=7 * DAY, bucket="week").rows.row(0, named=True)
    assert (row["lead_time_mean"], row["lead_time_sd"]) == (pytest.approx(4 / 7), pytest.approx(1 / 7))
    assert row["review"] == 1.0


@pytest.mark.parametrize(("period", "days"), [(1.0, 6), (2.0, 3), (3.0, 2), (7.0, 1), (0.0, 6), (0.5, 6)])
def test_an_item_is_reviewed_once_in_each_of_its_periods(period, days):
    """Not at the end of every bucket; a period shorter than a bucket, or none, is a bucket."""
    found = [reviewed(items=[{"review_d": period}], day=day).rows.height for day in range(6)]
    assert sum(found) == days


@pytest.mark.parametrize("lacks", ["demand", "items", "stock"])
def test_without_demand_item_or_stock_there_is_nothing_to_review(lacks):
    """Another SKU's row is no row of this one."""
    found = reviewed(**{lacks: [{"sku": "nut"}]})
    assert found.rows.height == found.orders.height == found.transfers.height == 0


def test_stock_of_another_dimension_is_not_reviewed():
    """Pieces and grams cannot be compared: nothing is ordered or moved, and the row says why."""
    sites = [{}, {"site": "south"}]
    stock = [{"uom": "g"}, {"uom": "g", "site": "south", "position": 900_000, "available": 900_000}]
    found = reviewed(sites, stock=stock)
    assert found.orders.height == found.transfers.height == 0
    row = found.rows.row(0, named=True)
    assert (row["status"], row["uom"], row["position"], row["reorder_point"]) == ("invalid", "g", 12_000, None)
    assert row["reason"] == "The item is told in each, and its stock is kept in g: nothing is recommended."


def test_an_economic_quantity_needs_a_holding_cost():
    """Wilson's, of a year's demand; nothing else speaks for a larger order than demand itself."""
    with_costs = reviewed(items=[{"order_cost": 50.0, "holding_rate": 0.2}]).rows.row(0, named=True)
    # sqrt(2 * 50 * 3 * 365 / (0.2 * 3)) = 427.2
    assert with_costs["order_quantity"] == 428_000
    free = reviewed(items=[{"order_cost": 50.0, "holding_rate": 0.0}]).rows.row(0, named=True)
    assert free["order_quantity"] == reviewed().rows["order_quantity"][0]


def test_a_site_with_too_much_gives_before_anything_is_ordered():
    """What is under way counts as there: only the rest is ordered. The review shows both sites as they are."""
    sites = [{}, {"site": "south"}]
    rich = {"site": "south", "position": 200_000, "available": 200_000}
    found = reviewed(demand=sites, stock=[{"position": 2_000}, rich])
    lacking = found.rows.filter(site="north").row(0, named=True)
    move = found.transfers.row(0, named=True)
    assert (move["from_site"], move["to_site"]) == ("south", "north")
    assert move["quantity"] == lacking["reorder_point"] - 2_000
    alone = reviewed(stock=[{"position": 2_000}])
    assert lacking["recommended"] == alone.rows["recommended"][0]
    assert found.orders.filter(site="north")["recommended"].sum() == lacking["recommended"] - move["quantity"]
    assert found.rows.filter(site="south")["recommended"].to_list() == [0]


def test_order_of_rows_does_not_matter():
    """Items are reviewed by site and SKU."""
    demand = [{"site": site, "sku": sku} for site in ("south", "north") for sku in ("nut", "bolt")]
    items = [{"sku": "nut"}, {}]
    stock = [row | {"position": 1_000 * at} for at, row in enumerate(demand)]
    one, other = reviewed(demand, items, stock), reviewed(demand[::-1], items[::-1], stock[::-1])
    assert one.rows.equals(other.rows)
    assert one.orders.equals(other.orders)
    assert one.transfers.equals(other.transfers)
    assert one.rows.select("site", "sku").rows() == sorted((row["site"], row["sku"]) for row in demand)


def test_what_was_accepted_counts_until_its_papers_come():
    """As if it were on order: no second order is proposed, and the row says how much of the position that is."""
    order = reviewed().orders.row(0, named=True)["recommended"]
    accepted = pl.DataFrame([("north", "bolt", order)], schema=AWAITED_SCHEMA, orient="row")
    found = reviewed(awaited=accepted)
    row = found.rows.row(0, named=True)
    assert (row["position"], row["accepted"], row["status"]) == (12_000 + order, order, "enough")
    assert row["reason"].endswith(f"Of the position, {order / 1000:g} was accepted and is on no paper yet.")
    assert found.orders.height == 0


def test_what_is_to_be_given_away_is_not_given_twice():
    """An accepted transfer leaves its giver's position, and its shelf."""
    sites = [{}, {"site": "south"}]
    rich = {"site": "south", "position": 200_000, "available": 200_000}
    gone = pl.DataFrame([("south", "bolt", -195_000)], schema=AWAITED_SCHEMA, orient="row")
    found = reviewed(demand=sites, stock=[{"position": 2_000}, rich], awaited=gone)
    assert found.transfers.height == 0
    assert found.rows.filter(site="south")["available"].to_list() == [5_000]


def test_what_was_rejected_is_not_proposed_again_at_once():
    """An order is held, and the row says until when; instead of a transfer the rest is ordered."""
    until = MONDAY + 5 * DAY
    held = pl.DataFrame([("order", "north", "bolt", None, until)], schema=HELD_SCHEMA, orient="row")
    found = reviewed(held=held)
    row = found.rows.row(0, named=True)
    assert (row["status"], row["proposal_id"]) == ("held", None)
    assert row["recommended"] > 0
    assert row["reason"].endswith("It was rejected, and is not proposed again before 2024-03-09 00:00 UTC.")
    assert found.orders.height == 0
    sites = [{}, {"site": "south"}]
    stock = [{"position": 2_000}, {"site": "south", "position": 200_000, "available": 200_000}]
    barred = pl.DataFrame([("transfer", "north", "bolt", "south", until)], schema=HELD_SCHEMA, orient="row")
    found = reviewed(demand=sites, stock=stock, held=barred)
    assert found.transfers.height == 0
    assert found.orders["site"].to_list() == ["north"]


def test_transfers_are_of_packs_and_the_review_names_what_is_ordered_in_the_end():
    """Whole units where no pack is known; the id in the review is that of the order beside the transfer, if any."""
    sites = [{}, {"site": "south"}]
    for pack, minimum in ((None, None), (25_000, 0), (10_000, 40_000)):
        stock = [{"position": 2_000}, {"site": "south", "position": 61_000, "available": 61_000}]
        items = [{"pack": pack, "minimum_order": minimum}]
        found = reviewed(demand=sites, items=items, stock=stock)
        assert (found.transfers["quantity"] % (pack or 1_000) == 0).all()
        ordered = dict(found.orders.select("site", "proposal_id").rows())
        assert dict(found.rows.select("site", "proposal_id").rows()) == dict.fromkeys(("north", "south")) | ordered
