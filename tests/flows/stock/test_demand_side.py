"""Sales and forecasts in units that do not fit their SKU."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from domain.streaming.partition import IDENTITY
from domain.streaming.windows import TIME
from flows.carried import ORIGIN
from flows.settings import Stock
from flows.stock.demand import DIMENSION, DemandSide
from flows.stock.streams import FORECAST, ITEM, POINT_OF_SALE, STREAMS

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY_US = 86_400_000_000


def _rows(kind: str, *rows: dict[str, Any]) -> pl.DataFrame:
    same = {"site": "north", "sku": "bolt", "uom": "each", "in_stock": True, "bucket_start": MONDAY + timedelta(days=1)}
    same |= {"pack": 1.0, "minimum_order": 1.0, "unit_cost": 1.0, "category": "hardware"}
    columns = STREAMS[kind]
    frame = pl.DataFrame([{name: (same | row).get(name) for name in columns} for row in rows], schema=columns)
    source, partition, offset = ORIGIN
    own = {IDENTITY: pl.Series(range(len(rows)), dtype=pl.UInt64), offset: pl.Series(range(len(rows)), dtype=pl.Int64)}
    return frame.with_columns(pl.lit("s").alias(source), pl.lit("0").alias(partition), **own)


def _expected(side: DemandSide) -> float:
    return side.advance(int(MONDAY.timestamp() * 1e6) + DAY_US).estimates["next_mean"].item()


@pytest.mark.parametrize("told", ["item", "sale"])
def test_a_forecast_of_another_dimension_is_refused(told):
    """It would count for thousands of pieces: it is refused with the code of sales, and moves no estimate."""
    sale = _rows(POINT_OF_SALE, {"quantity": 5.0, TIME: MONDAY + timedelta(hours=9)})
    rows = {POINT_OF_SALE: sale}
    if told == "item":
        rows[ITEM] = _rows(ITEM, {TIME: MONDAY})
    late = MONDAY + timedelta(hours=10)
    alone, side, fine = DemandSide(Stock()), DemandSide(Stock()), DemandSide(Stock())
    assert alone.take(rows).height == 0
    found = side.take(rows | {FORECAST: _rows(FORECAST, {"quantity": 5.0, "uom": "kg", TIME: late})})
    assert found.select("_source", "code").rows() == [("s", DIMENSION)]
    assert fine.take(rows | {FORECAST: _rows(FORECAST, {"quantity": 5.0, "uom": "dozen", TIME: late})}).height == 0
    base = _expected(alone)
    assert base == pytest.approx(5.0)
    assert _expected(side) == base
    assert _expected(fine) > base


def test_a_forecast_binds_nobody():
    """What comes before the first sale is taken as it is; the sale decides the unit."""
    side = DemandSide(Stock())
    early = {"quantity": 5.0, "uom": "kg", TIME: MONDAY + timedelta(hours=8)}
    sale = _rows(POINT_OF_SALE, {"quantity": 5.0, TIME: MONDAY + timedelta(hours=9)})
    assert side.take({FORECAST: _rows(FORECAST, early), POINT_OF_SALE: sale}).height == 0
    assert side.take({FORECAST: _rows(FORECAST, early | {TIME: MONDAY + timedelta(hours=10)})}).height == 1
