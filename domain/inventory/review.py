"""A review: what demand, lead times and stock at the end of a bucket come to, for all items at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.inventory.replenish import ITEM_SCHEMA, replenish
from domain.inventory.transfers import transfers

_DAY_US: Final = 86_400_000_000
_YEAR_D: Final = 365.0
_COUNTED: Final = "each"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review comes to. `rows` and `orders` are in `replenish.REPLENISHMENT_SCHEMA`, with available and uom.

    `rows` are all items; `transfers` (`transfers.TRANSFER_SCHEMA`) is what sites can give each other; `orders` what is
    still to be ordered once that is on its way.
    """

    rows: pl.DataFrame
    transfers: pl.DataFrame
    orders: pl.DataFrame


def review(demand: pl.DataFrame, items: pl.DataFrame, stock: pl.DataFrame, bucket: str) -> Reviewed:
    """Review the items of one bucket.

    `demand`: site, sku, bucket_start, bucket_end, horizon, mean, variance, as `demand.estimates.ESTIMATES`, all of one
    bucket. `items`: one row per sku with uom and the figures of the contract `item`, quantities in thousandths.
    `stock`: site, sku, uom, position, available in thousandths. An item is reviewed at the first end of a bucket in
    each of its review periods; without a row in all three there is nothing to review.
    """
    start, end = int(demand["bucket_start"][0]), int(demand["bucket_end"][0])
    rows = demand.join(items, on="sku", how="inner").join(stock, on=["site", "sku"], how="inner", suffix="_stock")
    period_us = pl.max_horizontal((pl.col("review_d") * _DAY_US).cast(pl.Int64), pl.lit(1))
    is_due = (end // period_us > start // period_us) & (pl.col("uom") == pl.col("uom_stock"))
    due = rows.filter(is_due).sort("site", "sku").with_columns(_figures((end - start) / _DAY_US))
    told = _replenished(due, end, bucket)
    moves = transfers(told, end)
    if moves.height == 0:
        return Reviewed(told, moves, told.filter(pl.col("recommended") > 0))
    under_way = due.with_columns(position=_once_moved(due, moves))
    orders = _replenished(under_way, end, bucket)
    return Reviewed(told, moves, orders.filter(pl.col("recommended") > 0))


def _replenished(due: pl.DataFrame, end: int, bucket: str) -> pl.DataFrame:
    return replenish(due.select(ITEM_SCHEMA.keys()), end, bucket).with_columns(due["available"], due["uom"])


def _once_moved(due: pl.DataFrame, moves: pl.DataFrame) -> pl.Series:
    """Positions when all transfers are on their way."""
    changes = pl.concat(
        [
            moves.select("sku", site="to_site", change="quantity"),
            moves.select("sku", site="from_site", change=-pl.col("quantity")),
        ]
    )
    summed = changes.group_by("site", "sku").agg(pl.col("change").sum())
    change = due.join(summed, on=["site", "sku"], how="left", maintain_order="left")["change"].fill_null(0)
    return due["position"] + change


def _figures(bucket_d: float) -> list[pl.Expr]:
    mean = pl.col("mean") / pl.col("horizon")
    yearly = mean * _YEAR_D / bucket_d
    holding = pl.col("holding_rate") * pl.col("unit_cost")
    economic = (2 * pl.col("order_cost") * yearly / holding).sqrt()
    return [
        (pl.col("uom") == _COUNTED).alias("counted"),
        mean.alias("demand_mean"),
        (pl.col("variance") / pl.col("horizon")).sqrt().alias("demand_sd"),
        (pl.col("lead_time_mean_d") / bucket_d).alias("lead_time_mean"),
        (pl.col("lead_time_sd_d") / bucket_d).alias("lead_time_sd"),
        pl.max_horizontal(pl.col("review_d") / bucket_d, pl.lit(1.0)).alias("review"),
        pl.when(holding > 0).then(economic).alias("economic_quantity"),
    ]
