"""A review: what demand, lead times and stock at the end of a bucket come to, for all items at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from domain.inventory.orders import AWAITED_SCHEMA, HELD_SCHEMA
from domain.inventory.replenish import ITEM_SCHEMA, packs, replenish
from domain.inventory.transfers import transfers
from domain.inventory.units import MILLI

_DAY_US: Final = 86_400_000_000
_YEAR_D: Final = 365.0
_COUNTED: Final = "each"

NONE_AWAITED: Final = pl.DataFrame(schema=AWAITED_SCHEMA)
NONE_HELD: Final = pl.DataFrame(schema=HELD_SCHEMA)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review comes to. `rows` and `orders`: `replenish.REPLENISHMENT_SCHEMA`, with available, uom and accepted.

    `rows` are all items, with the id of what is ordered of them in the end; `transfers` (`transfers.TRANSFER_SCHEMA`)
    is what sites can give each other; `orders` what is still to be ordered once that is on its way.
    """

    rows: pl.DataFrame
    transfers: pl.DataFrame
    orders: pl.DataFrame


def review(
    demand: pl.DataFrame,
    items: pl.DataFrame,
    stock: pl.DataFrame,
    bucket: str,
    awaited: pl.DataFrame = NONE_AWAITED,
    held: pl.DataFrame = NONE_HELD,
) -> Reviewed:
    """Review the items of one bucket.

    `demand`: site, sku, bucket_start, bucket_end, horizon, mean, variance, as `demand.estimates.ESTIMATES`, all of one
    bucket. `items`: one row per sku with uom and the figures of the contract `item`, quantities in thousandths.
    `stock`: site, sku, uom, position, available in thousandths. An item is reviewed at the first end of a bucket in
    each of its review periods; without a row in all three there is nothing to review, and one that is told in another
    dimension than its stock is kept in is told as invalid. `awaited`
    (`orders.AWAITED_SCHEMA`) counts as if it were in the position, `held` (`orders.HELD_SCHEMA`) is not proposed.
    """
    start, end = int(demand["bucket_start"][0]), int(demand["bucket_end"][0])
    rows = demand.join(items, on="sku", how="inner").join(stock, on=["site", "sku"], how="inner", suffix="_stock")
    rows = rows.join(awaited, on=["site", "sku"], how="left").with_columns(pl.col("accepted").fill_null(0))
    rows = rows.with_columns(
        pl.col("position") + pl.col("accepted"),
        # What is to be given away is no longer there to give.
        pl.col("available") + pl.min_horizontal("accepted", pl.lit(0)),
    )
    period_us = pl.max_horizontal((pl.col("review_d") * _DAY_US).cast(pl.Int64), pl.lit(1))
    due = rows.filter(end // period_us > start // period_us).sort("site", "sku")
    due = due.with_columns(_figures((end - start) / _DAY_US))
    told = _replenished(due, end, bucket, held)
    barred = held.filter(kind="transfer").select("sku", "from_site", "site").rows()
    pack = packs(due["pack"], due["counted"].fill_null(value=False).to_numpy())
    packed = told.with_columns(pl.Series("pack", pack), due["minimum_order"].fill_null(0).alias("minimum"))
    moves = transfers(packed, end, barred=barred)
    under_way = due.with_columns(position=_once_moved(due, moves)) if moves.height else due
    orders = _replenished(under_way, end, bucket, held).filter(status="order")
    proposals = orders.select("site", "sku", "proposal_id")
    told = told.drop("proposal_id").join(proposals, on=["site", "sku"], how="left", maintain_order="left")
    return Reviewed(told.select(orders.columns), moves, orders)


def _replenished(due: pl.DataFrame, end: int, bucket: str, held: pl.DataFrame) -> pl.DataFrame:
    """Rows of the review, with what is beside the figures: what was accepted, and what was rejected lately."""
    rows = replenish(due.select(ITEM_SCHEMA.keys()), end, bucket)
    rows = rows.with_columns(due["available"], due["uom_stock"].alias("uom"), due["accepted"], item_uom=due["uom"])
    rejected = held.filter(kind="order").select("site", "sku", "held_until_us")
    rows = rows.join(rejected, on=["site", "sku"], how="left", maintain_order="left")
    is_held = (pl.col("status") == "order") & pl.col("held_until_us").is_not_null()
    until = pl.from_epoch("held_until_us", "us").dt.strftime("%Y-%m-%d %H:%M UTC")
    amount = (pl.col("accepted") / MILLI).cast(pl.String).str.strip_suffix(".0")
    counted = pl.format(" Of the position, {} was accepted and is on no paper yet.", amount)
    not_again = pl.format(" It was rejected, and is not proposed again before {}.", until)
    fits = pl.col("item_uom") == pl.col("uom")
    unfit = "The item is told in {}, and its stock is kept in {}: nothing is recommended."
    return rows.with_columns(
        pl.when(is_held).then(pl.lit("held")).otherwise("status").alias("status"),
        reason=pl.concat_str(
            pl.when(fits).then("reason").otherwise(pl.format(unfit, "item_uom", "uom")),
            pl.when(pl.col("accepted") != 0).then(counted).otherwise(pl.lit("")),
            pl.when(is_held).then(not_again).otherwise(pl.lit("")),
        ),
    ).drop("held_until_us", "item_uom")


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
        pl.when(pl.col("uom") == pl.col("uom_stock")).then(pl.col("uom") == _COUNTED).alias("counted"),
        mean.alias("demand_mean"),
        (pl.col("variance") / pl.col("horizon")).sqrt().alias("demand_sd"),
        (pl.col("lead_time_mean_d") / bucket_d).alias("lead_time_mean"),
        (pl.col("lead_time_sd_d") / bucket_d).alias("lead_time_sd"),
        pl.max_horizontal(pl.col("review_d") / bucket_d, pl.lit(1.0)).alias("review"),
        pl.when(holding > 0).then(economic).alias("economic_quantity"),
    ]
