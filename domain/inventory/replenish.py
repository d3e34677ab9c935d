"""What to order now: reorder points and orders of many items at many sites, as rows with their reasons.

Rules:

- Open orders count: what is compared is the ledger's position, on hand + on order + in transit - allocated - backorder.
- (s, S): at or below s, order up to S = s + Q. (R, Q): at or below R, order the fewest whole Q that lead above it.
  Q is the economic quantity, the minimum order, or the demand of a review period, whichever is most, in whole packs.
- The reorder point covers the lead time's demand and the undershoot, with their variances (`lead_time`), at a cycle or
  a fill service level (`policies`).
- Without demand nothing is ordered but what is owed (a position below 0). Without a history of demand, or with figures
  that make no sense, nothing is ordered and the row says why.
- A proposal's id is a digest of what it asks for and when, so the same review gives the same id wherever it runs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.inventory.lead_time import Bool, Demand, Float64, during, undershoot
from domain.inventory.policies import (
    Int64,
    cycle_reorder_point,
    fill_reorder_point,
    order_multiples,
    order_quantity,
    order_up_to,
)
from domain.inventory.units import MILLI
from schemas.ids import event_id

Schema = dict[str, pl.DataType | type[pl.DataType]]

PROPOSAL_TYPE: Final = "inventory.replenishment.v1"
"""Names the kind of id."""

ITEM_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "sku": pl.String,
    "policy": pl.String,
    "counted": pl.Boolean,
    "position": pl.Int64,
    "demand_mean": pl.Float64,
    "demand_sd": pl.Float64,
    "lead_time_mean": pl.Float64,
    "lead_time_sd": pl.Float64,
    "review": pl.Float64,
    "service": pl.String,
    "service_level": pl.Float64,
    "economic_quantity": pl.Float64,
    "minimum_order": pl.Int64,
    "pack": pl.Int64,
}
"""An item at a site. `policy` is s_S or r_Q, `service` is cycle or fill. Demand is per bucket and in base units, null
where there is no history; lead time and review period are in buckets. `position`, `minimum_order` and `pack` are
thousandths of the base unit; `economic_quantity` (Harris 1913) is in base units. These last three may be null: nothing
is known that speaks for a larger order."""

REPLENISHMENT_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "sku": pl.String,
    "policy": pl.String,
    "status": pl.String,
    "position": pl.Int64,
    "reorder_point": pl.Int64,
    "order_up_to": pl.Int64,
    "order_quantity": pl.Int64,
    "recommended": pl.Int64,
    "safety_stock": pl.Float64,
    "demand_mean": pl.Float64,
    "demand_sd": pl.Float64,
    "lead_time_mean": pl.Float64,
    "lead_time_sd": pl.Float64,
    "review": pl.Float64,
    "service": pl.String,
    "service_level": pl.Float64,
    "reason": pl.String,
    "proposal_id": pl.String,
    "time_us": pl.Int64,
}
"""What is recommended, one row an item, in the order given. `status` is order, enough, no_demand, no_history or
invalid, and after a review also held; with no history, or invalid, reorder_point to safety_stock are null, but
recommended is 0. Thousandths of the base unit: position to recommended; `order_up_to` is null for r_Q. `safety_stock`
(base units): the reorder point less the mean of what it covers. `proposal_id` is null where nothing is recommended."""

_LARGEST: Final = 1e12
"""Base units: beyond it thousandths are no longer exact."""

_FIGURES: Final = ("demand_mean", "demand_sd", "lead_time_mean", "lead_time_sd", "review")


def replenish(items: pl.DataFrame, time_us: int, bucket: str = "day") -> pl.DataFrame:
    """Rows of REPLENISHMENT_SCHEMA for rows of ITEM_SCHEMA, as of `time_us`; `bucket` is the word for the reasons."""
    rows = items.select(list(ITEM_SCHEMA)).with_columns(status=_status()).with_row_index("_row")
    known = rows.filter(pl.col("status").is_null())
    computed = _computed(known)
    result = (
        pl.concat([computed, rows.filter(pl.col("status").is_not_null())], how="diagonal")
        .sort("_row")
        .with_columns(pl.col("recommended").fill_null(0), pl.lit(time_us, pl.Int64).alias("time_us"))
        .with_columns(reason=_reason(bucket))
    )
    ids = [
        event_id(PROPOSAL_TYPE, [site, sku, recommended, time_us]) if recommended else None
        for site, sku, recommended in result.select("site", "sku", "recommended").iter_rows()
    ]
    return result.with_columns(pl.Series("proposal_id", ids, pl.String)).select(list(REPLENISHMENT_SCHEMA))


def _status() -> pl.Expr:
    """What keeps an item from being computed, or null."""
    sensible = pl.all_horizontal(
        *(pl.col(name).is_between(0, _LARGEST) for name in _FIGURES),  # NaN is beyond any number
        pl.col("demand_mean") * (pl.col("lead_time_mean") + pl.col("lead_time_sd") + pl.col("review") + 1) <= _LARGEST,
        pl.col("demand_sd") * (pl.col("lead_time_mean") + pl.col("review") + 1) <= _LARGEST,
        pl.col("service_level").is_between(0, 1, closed="none"),
        pl.col("policy").is_in(["s_S", "r_Q"]),
        pl.col("service").is_in(["cycle", "fill"]),
        pl.col("position").is_between(-_LARGEST * MILLI, _LARGEST * MILLI),
        pl.col("counted").is_not_null(),
        pl.col("economic_quantity").fill_null(0).is_between(0, _LARGEST),
        pl.col("minimum_order").fill_null(0).is_between(0, _LARGEST * MILLI),
        pl.col("pack").fill_null(1).is_between(1, _LARGEST * MILLI),
    )
    no_history = pl.col("demand_mean").is_null() | pl.col("demand_sd").is_null()
    return (
        pl.when(no_history)
        .then(pl.lit("no_history"))
        .when(sensible.fill_null(value=False))
        .then(pl.lit(None, pl.String))
        .otherwise(pl.lit("invalid"))
    )


def _computed(rows: pl.DataFrame) -> pl.DataFrame:
    """Sensible rows, with reorder points and orders."""
    column = {name: rows[name].to_numpy() for name in (*_FIGURES, "counted")}
    counted = column["counted"].astype(bool)
    bucket = Demand(column["demand_mean"], column["demand_sd"] ** 2)
    lead_time = during(column["lead_time_mean"], column["lead_time_sd"], bucket)
    below = undershoot(column["review"], bucket, counted)
    covered = lead_time + below
    minimum = rows["minimum_order"].fill_null(0).to_numpy()
    pack = packs(rows["pack"], counted)
    wanted = np.maximum(rows["economic_quantity"].fill_null(0).to_numpy(), bucket.mean * column["review"])
    quantity = order_quantity(np.ceil(np.maximum(wanted * MILLI, 1)).astype(np.int64), minimum, pack)
    point = _points(rows, lead_time, below, quantity, counted)
    reorder = np.rint(point * MILLI).astype(np.int64)
    return _ordered(rows, reorder, quantity, minimum, pack).with_columns(
        safety_stock=pl.Series(point - covered.mean),
        covered_mean=pl.Series(covered.mean),
        covered_sd=pl.Series(np.sqrt(covered.variance)),
    )


def _points(rows: pl.DataFrame, lead_time: Demand, below: Demand, quantity: Int64, counted: Bool) -> Float64:
    """Reorder points in base units, each by its own kind of service."""
    covered, level, point = lead_time + below, rows["service_level"].to_numpy(), np.zeros(rows.height)
    cycle = (rows["service"] == "cycle").to_numpy()
    fill = ~cycle
    point[cycle] = cycle_reorder_point(covered.of(cycle), level[cycle], counted[cycle])
    lot = quantity / MILLI
    ordered = lot + np.where((rows["policy"] == "s_S").to_numpy(), below.mean, 0)
    point[fill] = fill_reorder_point(
        covered.of(fill), lead_time.of(fill), lot[fill], ordered[fill], level[fill], counted[fill]
    )
    return point


def _ordered(rows: pl.DataFrame, reorder: Int64, quantity: Int64, minimum: Int64, pack: Int64) -> pl.DataFrame:
    """The rows with points, levels, orders and status."""
    position = rows["position"].to_numpy()
    demanded, up_to = (rows["demand_mean"] > 0).to_numpy(), (rows["policy"] == "s_S").to_numpy()
    trigger = np.where(demanded, reorder, -1)
    top = np.where(demanded, reorder + quantity, 0)
    recommended = np.where(
        up_to,
        order_up_to(position, trigger, top, minimum, pack),
        order_multiples(position, trigger, quantity),
    )
    status = np.where(recommended > 0, "order", np.where(demanded, "enough", "no_demand"))
    return rows.with_columns(
        status=pl.Series(status, dtype=pl.String),
        reorder_point=pl.Series(reorder),
        order_up_to=pl.Series(top).set(pl.Series(~up_to), None),
        order_quantity=pl.Series(quantity),
        recommended=pl.Series(recommended),
    )


def packs(pack: pl.Series, counted: Bool) -> Int64:
    """Packs in thousandths: whole units where things are counted and no pack is known."""
    known = pack.fill_null(0).to_numpy()
    return np.where(known > 0, known, np.where(counted, MILLI, 1))


def _reason(bucket: str) -> pl.Expr:
    """A sentence with the numbers."""
    status, owed = pl.col("status"), pl.col("demand_mean") == 0
    covers = pl.format(
        "the reorder point {}, which covers a demand of {} (sd {}) over a lead time of {} (sd {}) with {}, "
        "at {} % {} service",
        _units("reorder_point"),
        _number(pl.col("covered_mean")),
        _number(pl.col("covered_sd")),
        _span("lead_time_mean", bucket),
        _number(pl.col("lead_time_sd")),
        pl.when(pl.col("review") == 1)
        .then(pl.lit(f"a review every {bucket}"))
        .when(pl.col("review") > 0)
        .then(pl.format("a review every {}", _span("review", bucket)))
        .otherwise(pl.lit("continuous review")),
        _number(pl.col("service_level") * 100),
        "service",
    )
    aim = (
        pl.when(pl.col("policy") == "s_S")
        .then(pl.format("up to {}", _units("order_up_to")))
        .otherwise(pl.format("in lots of {}", _units("order_quantity")))
    )
    return (
        pl.when(status == "no_history")
        .then(pl.lit("There is no history of demand: nothing is recommended."))
        .when(status == "invalid")
        .then(pl.lit("A figure is missing, negative, not finite or out of its range: nothing is recommended."))
        .when(status == "no_demand")
        .then(pl.lit("No demand is expected and nothing is owed."))
        .when(owed)
        .then(pl.format("No demand is expected, but {} is owed. Order {}.", _owed(), _units("recommended")))
        .when(status == "order")
        .then(
            pl.format(
                "Position {} is at or below {}. Order {}, {}.", _units("position"), covers, _units("recommended"), aim
            )
        )
        .otherwise(pl.format("Position {} is above {}.", _units("position"), covers))
    )


def _owed() -> pl.Expr:
    return _number(-pl.col("position") / MILLI)


def _units(name: str) -> pl.Expr:
    return _number(pl.col(name) / MILLI)


def _span(name: str, bucket: str) -> pl.Expr:
    """So many buckets."""
    one = pl.col(name) == 1
    return pl.format("{} {}", _number(pl.col(name)), pl.when(one).then(pl.lit(bucket)).otherwise(pl.lit(f"{bucket}s")))


def _number(value: pl.Expr) -> pl.Expr:
    """At most two decimals, none where they are 0."""
    return value.round(2).cast(pl.String).str.strip_suffix(".0")
