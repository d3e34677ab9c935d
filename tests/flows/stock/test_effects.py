"""What items, promotions, outside forecasts and stock-outs tell reaches the estimates, to the bucket."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from .lanes import NOWHERE
from .site import DAY_S, HOUR_S, text
from .step_flow import StockFlow

pytestmark = pytest.mark.slow

DAYS = 24
Row = dict[str, Any]


def sale(day: int, units: float, **values: Any) -> Row:
    """What was sold of the bolt on a day."""
    row = {"event_id": f"s{day}", "site": "north", "sku": "bolt", "quantity": units, "uom": "each", "in_stock": True}
    return row | {"promotion": None, "event_time": text(day * DAY_S + 10 * HOUR_S)} | values


def item(**values: Any) -> Row:
    """The bolt's master data."""
    row = {"event_id": "i", "sku": "bolt", "category": "hardware", "uom": "each", "abc": "B", "unit_cost": 3.0}
    row |= {"pack": 1.0, "minimum_order": 1.0, "lead_time_mean_d": 2.0, "lead_time_sd_d": 0.5, "review_d": 1.0}
    return row | {"service_level": 0.95, "event_time": text(0)} | values


def forecast(day: int, units: float) -> Row:
    """What an outsider expects of a day, told the day before."""
    row = {"event_id": f"f{day}", "author": "erp", "site": "north", "sku": "bolt", "quantity": units, "uom": "each"}
    return row | {"bucket_start": text(day * DAY_S), "event_time": text((day - 1) * DAY_S + 9 * HOUR_S)}


def promotion(first: int, end: int, told: int) -> Row:
    """A promotion of the days from the first to before the end, told on another day."""
    row = {"event_id": "p", "promotion": "spring", "site": "north", "sku": "bolt", "starts_at": text(first * DAY_S)}
    return row | {"ends_at": text(end * DAY_S), "event_time": text(told * DAY_S + 9 * HOUR_S)}


def opening(units: float) -> Row:
    """Bolts that are there from the start."""
    row = {"event_id": "o", "site": "north", "sku": "bolt", "location": "pick", "quantity": units, "uom": "each"}
    row |= {"reason": "opening", "document": "o", "line": "1"}
    return row | {"record_time": text(0), "event_time": text(HOUR_S)}


def played(**streams: list[Row]) -> StockFlow:
    """Everything of these streams (named with underscores), told in order."""
    flow = StockFlow(NOWHERE, partitions=["0"])
    for name, rows in streams.items():
        ordered = sorted(rows, key=lambda row: row["event_time"])
        flow.read((name.replace("_", "."), "0"), [json.dumps(row).encode() for row in ordered])
    for lane in flow.lanes:
        flow.end(lane)
    flow.finish()
    return flow


def estimates(**streams: list[Row]) -> pl.DataFrame:
    return played(**streams).table("demand").sort("bucket_start")


BASE = [sale(day, 10 + day % 3) for day in range(DAYS)]


def test_sales_of_orders_and_of_the_till_are_one_demand():
    """Two streams add up in the day's bucket, whatever unit each is told in."""
    orders = [sale(day, 1, uom="dozen") | {"event_id": f"o{day}", "priority": 3} for day in range(DAYS)]
    found = estimates(pos_sale=BASE, demand_line=orders)
    assert found["sold"].to_list()[:20] == [10 + day % 3 + 12 for day in range(20)]


def test_an_item_gives_its_category_and_its_reviews():
    """From when it is known; without an item there is nothing to review."""
    flow = played(pos_sale=BASE, item=[item(event_time=text(5 * DAY_S))], inventory_move=[opening(5)])
    categories = flow.table("demand").sort("bucket_start")["category"].to_list()
    assert set(categories[6:]) == {"hardware"}
    assert "hardware" not in categories[:5]
    reviews = flow.table("replenishment").sort("event_time")
    assert text(6 * DAY_S)[:19] == reviews["event_time"][0].isoformat()[:19]
    assert reviews["recommended"].min() > 0
    assert flow.table("order_proposal")["kind"].unique().to_list() == ["order"]
    assert played(pos_sale=BASE, inventory_move=[opening(5)]).table("replenishment").height == 0


def test_an_item_in_other_units_means_the_same():
    """A dozen that costs twelve times as much, in packs of a twelfth: not a byte of a review changes but for names."""
    one = item(pack=24.0, minimum_order=48.0, order_cost=20.0, holding_rate=0.2)
    dozen = one | {"uom": "dozen", "unit_cost": 36.0, "pack": 2.0, "minimum_order": 4.0}
    found = [
        played(pos_sale=BASE, item=[row], inventory_move=[opening(5)]).table("replenishment") for row in (one, dozen)
    ]
    assert found[0].height > 10
    assert found[0].equals(found[1])


def test_a_promotion_lifts_what_is_expected_and_not_the_base():
    """Known before it begins, the days ahead are expected to be more; afterwards the base is what it was."""
    promoted = [sale(day, 40) if 16 <= day < 18 else row for day, row in enumerate(BASE)]
    told = estimates(pos_sale=promoted, promotion=[promotion(16, 18, told=14)])
    quiet = estimates(pos_sale=promoted)
    assert told.filter("promoted")["bucket_start"].dt.day().to_list() == [20, 21]
    ends = told["bucket_end"].dt.day().to_list()
    after = ends.index(24)
    assert told["mean"][after] < quiet["mean"][after]
    before = estimates(pos_sale=BASE)["mean"][after]
    assert told["mean"][after] == pytest.approx(before, rel=0.05)


def test_a_forecast_from_outside_is_weighed_in():
    """One that is right while the past is not shifts the mean from the day it is known, and earns its weight."""
    jumping = [sale(day, 30 if day % 2 else 2) for day in range(DAYS)]
    right = [forecast(day, 30 if day % 2 else 2) for day in range(2, DAYS + 3)]
    with_it, without = estimates(pos_sale=jumping, forecast=right), estimates(pos_sale=jumping)
    assert with_it["weight_outside"].null_count() < DAYS - 5
    assert without["weight_outside"].null_count() == without.height
    weights = with_it["weight_outside"].drop_nulls()
    assert weights[-1] > weights[0]
    assert with_it["mean"].to_list()[-5:] != without["mean"].to_list()[-5:]


def test_a_sale_at_a_stock_out_stands_for_more():
    """Demand is more than was sold when there was no more to sell, and only then."""
    short = [sale(day, 3, in_stock=False) if day in (12, 15) else row for day, row in enumerate(BASE)]
    found = estimates(pos_sale=short)
    censored = found.filter("censored")
    assert censored.height == 2
    assert (censored["demand"] > censored["sold"]).all()
    rest = found.filter(~pl.col("censored"))
    assert rest["demand"].equals(rest["sold"])
