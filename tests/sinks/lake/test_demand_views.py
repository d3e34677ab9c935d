"""Demand in the lake: the newest bucket of each series, and forecasts against what came of them."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from dashboards.sql import query
from domain.demand.book import DemandBook
from domain.demand.model import DemandModel
from domain.demand.rows import ROWS
from flows.stock.results import estimated
from schemas.outputs import DEMAND
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.writer import LakeWriter

from .frames import START, rows_of

HORIZON = 3
DAY = timedelta(days=1)


def buckets(series: str, *demand: float | None, lower: int = 0, upper: int = 4, first: int = 0) -> pl.DataFrame:
    """Rows of `demand`, a day each; None where the series slept."""
    days = [day for day, asked in enumerate(demand, start=first) if asked is not None]
    asked = [one for one in demand if one is not None]
    times = {
        "bucket_start": [START + day * DAY for day in days],
        "bucket_end": [START + (day + 1) * DAY for day in days],
        "horizon_end": [START + (day + 1 + HORIZON) * DAY for day in days],
    }
    return rows_of("demand", len(days)).with_columns(
        pl.lit("s").alias("site"),
        pl.lit(series).alias("sku"),
        pl.Series("demand", asked, dtype=pl.Float64),
        pl.Series("sold", asked, dtype=pl.Float64),
        pl.Series("censored", [one == 3.0 for one in asked]),
        pl.lit(lower, pl.Int64).alias("lower"),
        pl.lit(upper, pl.Int64).alias("upper"),
        pl.lit(HORIZON, pl.Int64).alias("horizon"),
        *(pl.Series(name, values, dtype=DEMAND.schema[name]) for name, values in times.items()),
    )


@pytest.fixture
def lake(sqlite_location: LakeLocation) -> LakeLocation:
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    writer.append("demand", buckets("steady", 1.0, 1.0, 2.0, 3.0, 0.0, 1.0))
    writer.append("demand", buckets("sleeper", 5.0, None, None, 2.0, None, None))
    writer.commit()
    writer.close()
    return sqlite_location


def test_newest_bucket_of_each_series(lake: LakeLocation) -> None:
    """The latest view has one row per series, its newest, however long ago; as of a time, that of what was there."""
    told = query(lake, "SELECT sku, bucket_start, demand FROM demand_latest ORDER BY sku").rows
    assert told == [("sleeper", START + 3 * DAY, 2.0), ("steady", START + 5 * DAY, 1.0)]
    assert query(lake, "SELECT count(*) FROM demand_latest_as_of(now() - INTERVAL 1 DAY)").rows == [(0,)]
    assert query(lake, "SELECT count(*) FROM demand_latest_as_of(now())").rows == [(2,)]


def test_forecasts_against_what_was_asked_for(lake: LakeLocation) -> None:
    """Each closed horizon has the sum of its buckets, none of its own bucket, nothing for a series that sleeps."""
    told = query(
        lake,
        "SELECT sku, issued_at, horizon_end, asked, sold, censored, held FROM demand_outcome ORDER BY sku, issued_at",
    ).rows
    assert [(sku, end - begin) for sku, begin, end, *_ in told] == [(sku, HORIZON * DAY) for sku, *_ in told]
    assert [(sku, begin, *rest) for sku, begin, _, *rest in told] == [
        ("sleeper", START + 1 * DAY, 2.0, 2.0, False, True),
        ("steady", START + 1 * DAY, 6.0, 6.0, True, False),
        ("steady", START + 2 * DAY, 5.0, 5.0, True, False),
        ("steady", START + 3 * DAY, 4.0, 4.0, True, True),
    ]


def test_a_reader_elsewhere_sees_the_same(lake: LakeLocation) -> None:
    """Horizons are lengths of time, whatever zone the reader's session is in and when its clocks change."""
    sql = "SELECT sku, epoch_us(issued_at), asked FROM demand_outcome ORDER BY ALL"
    with connect(lake, read_only=True) as reader:
        here = reader.execute(sql).fetchall()
        reader.execute("SET TimeZone = 'America/New_York'")  # clocks go forward on 9 March 2025
        assert reader.execute(sql).fetchall() == here


@pytest.mark.slow
def test_outcomes_are_the_verdicts_of_the_model(sqlite_location: LakeLocation) -> None:
    """Of real estimates, a forecast held just where the bucket that ended its horizon says it did not miss."""
    hour_us = 3_600_000_000
    first_us = int(START.timestamp()) * 1_000_000
    book = DemandBook(DemandModel(bucket="hour", zone="UTC", horizon=HORIZON), 100)
    sales = [
        {"site": "s", "sku": f"sku-{n}", "time_us": first_us + hour * hour_us, "quantity": 1_000 * quantity}
        for n in range(4)
        for hour in range(120)
        if (quantity := (hour * (7 + n)) % (3 + 4 * n) - n) > 0
    ]
    filler = {"category": "c", "censored": False, "promoted": False}
    rows = pl.DataFrame([{**filler, **row} for row in sales])
    book.add(rows.select(pl.col(name).cast(dtype) for name, dtype in ROWS.items()))
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    for output, frame in estimated(book.advance(first_us + 120 * hour_us)):
        writer.append(output, frame)
    writer.commit()
    writer.close()
    judged = "(SELECT site, sku, bucket_end AS horizon_end, missed FROM demand WHERE missed IS NOT NULL)"
    ways = query(
        sqlite_location,
        f"SELECT held, missed, count(*) FROM demand_outcome FULL JOIN {judged} USING (site, sku, horizon_end)"
        " GROUP BY ALL ORDER BY ALL",
    ).rows
    assert [row[:2] for row in ways] == [(False, True), (True, False)]
    assert sum(row[2] for row in ways) > 300
