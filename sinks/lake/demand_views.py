"""Demand in the lake: the newest estimate of each series, and estimates held against what came of them."""

from __future__ import annotations

from schemas.outputs import DEMAND, Column, Output
from sinks.lake.derived import Derived
from sinks.lake.meta import RECORDED_AT

_DEMAND = {column.name: column for column in DEMAND.columns}

LATEST = Output(
    name="demand_latest",
    grain="one row per site and sku: its newest bucket",
    comment=f"{DEMAND.comment}; a series that has slept for long tells nothing until it sells again",
    columns=(*DEMAND.columns, RECORDED_AT),
    key=("site", "sku"),
)

OUTCOME = Output(
    name="demand_outcome",
    grain="one row per site, sku and bucket whose horizon has ended",
    comment="Forecasts held against what was then asked for; those whose horizon is still open are left out",
    columns=(
        *(_DEMAND[name] for name in ("site", "sku", "category")),
        Column("issued_at", "timestamp", "UTC", "When it was forecast: end of a bucket, start of the horizon"),
        *(_DEMAND[name] for name in ("horizon", "horizon_end", "demand_class", "mean", "lower", "upper", "level")),
        Column("asked", "number", "per uom", "Demand from issued_at to horizon_end, stock-outs made up for"),
        Column("sold", "number", "per uom", "What of it was ordered and sold"),
        Column("censored", "boolean", "", "Whether stock ran out in the meantime, so that asked is an estimate too"),
        Column("held", "boolean", "", "Whether what was asked for lies in the interval, ends included"),
        *(_DEMAND[name] for name in ("cold", "model")),
    ),
    key=("site", "sku", "issued_at"),
)


def _latest(rows: str) -> str:
    newest = f"SELECT site, sku, max(bucket_start) AS newest FROM {rows} GROUP BY site, sku"
    return (
        f"SELECT d.* FROM {rows} AS d SEMI JOIN ({newest}) AS n"
        " ON d.site = n.site AND d.sku = n.sku AND d.bucket_start = n.newest"
    )


# In whole microseconds, as days of an interval would be those of the reader's time zone. A bucket of a sleeping series
# has no row, and no demand.
_OUTCOME_SQL = """
    SELECT site, sku, category, bucket_end AS issued_at, horizon, horizon_end, demand_class, mean, lower, upper, level,
           asked, sold_then AS sold, censored_then AS censored, asked BETWEEN lower AND upper AS held, cold, model
    FROM (
        SELECT *, coalesce(sum(demand) OVER ahead, 0) AS asked, coalesce(sum(sold) OVER ahead, 0) AS sold_then,
               coalesce(bool_or(censored) OVER ahead, false) AS censored_then
        FROM main.demand
        WINDOW ahead AS (
            PARTITION BY site, sku ORDER BY epoch_us(bucket_start)
            RANGE BETWEEN greatest(epoch_us(bucket_end) - epoch_us(bucket_start), 0) FOLLOWING
                      AND greatest(epoch_us(horizon_end) - epoch_us(bucket_start) - 1, 0) FOLLOWING
        )
    )
    WHERE horizon_end <= (SELECT max(bucket_end) FROM main.demand)
"""

DEMAND_VIEWS = (
    Derived(LATEST, _latest("main.demand")),
    Derived(
        Output(
            "demand_latest_as_of", LATEST.grain, "demand_latest as the lake had it at t", LATEST.columns, LATEST.key
        ),
        _latest("(FROM main.demand WHERE recorded_at <= CAST(t AS TIMESTAMP WITH TIME ZONE))"),
        ("t",),
    ),
    Derived(OUTCOME, _OUTCOME_SQL),
)
"""Views and macros of demand."""
