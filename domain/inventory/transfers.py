"""Stock that one site has too much of and another too little: what to move before anything is ordered from outside.

A site gives what its position has above its order-up-to level, as far as that lies on its shelves; it is given what its
position lacks of its reorder point. Rules, in this order:

0. Moves are of whole packs, none less than the minimum: what lacks is rounded up to them, what can be given down.
1. The shortage that remains is the least there can be: every split moves min(all that can be given, all that lacks).
   Parts of a split that are less than the minimum are left out; they are ordered from outside.
2. What is moved costs least, where moves have costs: a transport problem per SKU, solved as a linear programme, whose
   corners are whole numbers.
3. Few moves: at most givers and takers of a SKU, less one. The fewest are not sought: that is a packing problem.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import polars as pl

from domain.inventory.lead_time import Float64
from domain.inventory.policies import Int64
from schemas.ids import event_id

TRANSFER_TYPE: Final = "inventory.transfer.v1"
"""Names the kind of id."""

TRANSFER_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "sku": pl.String,
    "from_site": pl.String,
    "to_site": pl.String,
    "quantity": pl.Int64,
    "surplus": pl.Int64,
    "shortage": pl.Int64,
    "reason": pl.String,
    "proposal_id": pl.String,
    "time_us": pl.Int64,
}
"""A move that is recommended, thousandths of the base unit: `surplus` of the giver and `shortage` of the taker before
any move. Sorted by (sku, from_site, to_site)."""


def transfers(
    stock: pl.DataFrame,
    time_us: int,
    move_costs: Mapping[tuple[str, str], float] | None = None,
    barred: Collection[tuple[str, str, str]] = (),
) -> pl.DataFrame:
    """Moves in TRANSFER_SCHEMA between the sites of each SKU.

    `stock` has one row per (site, sku): position, available (on hand, not allocated), reorder_point, order_up_to, pack
    and minimum (the same at all sites of a SKU); all Int64 thousandths. A row with a null in it takes no part.
    `move_costs` is the cost of one unit from a site to another; a pair it lacks is never used. `barred` are SKU and
    sites, from and to, that must not be used either.
    """
    rows = (
        stock.drop_nulls(["position", "available", "reorder_point", "order_up_to", "pack", "minimum"])
        .with_columns(
            surplus=pl.min_horizontal(pl.col("position") - pl.col("order_up_to"), "available").clip(lower_bound=0),
            shortage=(pl.col("reorder_point") - pl.col("position")).clip(lower_bound=0),
        )
        .with_columns(least=_packed(pl.col("minimum")))
        .with_columns(
            gives=pl.col("surplus") // pl.col("pack") * pl.col("pack"),
            takes=pl.when(pl.col("shortage") > 0)
            .then(pl.max_horizontal(_packed(pl.col("shortage")), "least"))
            .otherwise(0),
        )
        .with_columns(gives=pl.when(pl.col("gives") >= pl.col("least")).then("gives").otherwise(0))
        .filter(((pl.col("gives") > 0).any() & (pl.col("takes") > 0).any()).over("sku"))
        .sort("sku", "site")
    )
    found = []
    for (sku,), group in rows.group_by("sku", maintain_order=True):
        givers, takers = group.filter(pl.col("gives") > 0), group.filter(pl.col("takes") > 0)
        surplus, shortage = givers["surplus"].to_numpy(), takers["shortage"].to_numpy()
        moved = _moved(str(sku), givers, takers, move_costs, barred)
        for giver, taker in zip(*np.nonzero(moved), strict=True):
            sites = str(givers["site"][int(giver)]), str(takers["site"][int(taker)])
            found.append(
                _row(str(sku), sites, int(moved[giver, taker]), int(surplus[giver]), int(shortage[taker]), time_us)
            )
    return pl.DataFrame(found, schema=TRANSFER_SCHEMA, orient="row")


def _packed(amount: pl.Expr) -> pl.Expr:
    """An amount in whole packs, rounded up."""
    return -(-amount // pl.col("pack")) * pl.col("pack")


def _moved(
    sku: str,
    givers: pl.DataFrame,
    takers: pl.DataFrame,
    move_costs: Mapping[tuple[str, str], float] | None,
    barred: Collection[tuple[str, str, str]],
) -> Int64:
    """What each giver of a SKU moves to each taker, in whole packs and no less than the minimum."""
    pack, least = int(givers["pack"][0]), int(givers["least"][0])
    gives, takes = givers["gives"].to_numpy() // pack, takers["takes"].to_numpy() // pack
    pairs = [(giver, taker) for giver in givers["site"] for taker in takers["site"]]
    shut = np.array([(sku, *pair) in barred for pair in pairs])
    if move_costs is None and not shut.any():
        moved = matched(gives, takes)
    else:
        costs = np.array([1.0 if move_costs is None else move_costs.get(pair, np.inf) for pair in pairs])
        moved = transported(gives, takes, np.where(shut, np.inf, costs).reshape(gives.size, takes.size))
    return np.where(moved * pack >= least, moved * pack, 0)


def matched(surplus: Int64, shortage: Int64) -> Int64:
    """What each giver (rows) moves to each taker (columns): equal amounts first, then the largest of both.

    Each move empties a giver or fills a taker, and the last one ends with no giver or no taker left, which proves rules
    1 and 3.
    """
    left, lacking = surplus.copy(), shortage.copy()
    moved = np.zeros((left.size, lacking.size), dtype=np.int64)
    for taker in range(lacking.size):
        same = np.flatnonzero(left == lacking[taker])
        if same.size:
            moved[same[0], taker] = lacking[taker]
            left[same[0]] = lacking[taker] = 0
    while left.any() and lacking.any():
        giver, taker = int(left.argmax()), int(lacking.argmax())
        quantity = min(left[giver], lacking[taker])
        moved[giver, taker] += quantity
        left[giver] -= quantity
        lacking[taker] -= quantity
    return moved


def transported(surplus: Int64, shortage: Int64, costs: Float64) -> Int64:
    """What each giver moves to each taker at least cost, the shortage being least; infinite costs forbid a pair."""
    from scipy.optimize import linprog  # noqa: PLC0415 - 0.5 s that most runs need not pay

    moved = np.zeros(costs.shape, dtype=np.int64)
    pairs = np.argwhere(np.isfinite(costs))
    if not pairs.size:
        return moved
    price = costs[tuple(pairs.T)]
    # A unit left lacking costs more than any way of moving things about could save.
    reward = 1 + (np.ptp(price) + np.abs(price).max()) * min(costs.shape)
    limits = np.concatenate(
        [pairs[:, 0] == np.arange(surplus.size)[:, None], pairs[:, 1] == np.arange(shortage.size)[:, None]]
    )
    scale = max(surplus.max(), shortage.max())
    solved = linprog(price - reward, A_ub=limits, b_ub=np.concatenate([surplus, shortage]) / scale, method="highs-ds")
    moved[tuple(pairs.T)] = np.rint(solved.x * scale)
    return moved


def _row(
    sku: str, sites: tuple[str, str], quantity: int, surplus: int, shortage: int, time_us: int
) -> tuple[object, ...]:
    giver, taker = sites
    reason = (
        f"{giver} has {surplus / 1000:g} above its order-up-to level and {taker} lacks {shortage / 1000:g} of its "
        f"reorder point: move {quantity / 1000:g}."
    )
    identity = event_id(TRANSFER_TYPE, [sku, giver, taker, quantity, time_us])
    return sku, giver, taker, quantity, surplus, shortage, reason, identity, time_us
