"""Keys of moves by number: new ones are numbered in the order of booking, and a SKU is held to its dimension."""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.inventory.arrays import Bool, Int64, UInt8
from domain.inventory.codes import DIMENSION, number
from domain.inventory.keys import Keys
from domain.inventory.legs import Legs, legs_of
from domain.inventory.tables import KEY
from domain.inventory.wellformed import NOWHERE, Judged


def enrol(moves: pl.DataFrame, judged: Judged, keys: Keys) -> Legs:
    """Legs of the moves that are fine, in order; new keys join `keys`, and other dimensions are refused in `judged`."""
    goes = np.flatnonzero((judged.code == 0) & (judged.there != NOWHERE))
    ends = moves.select(KEY)
    if len(goes):
        ends = pl.concat([ends, _destinations(moves[goes])])
    found = keys.find(ends)
    _hold(moves["sku"], found[: moves.height], judged, keys)
    fine = judged.code == 0
    row = np.append(np.arange(moves.height), goes)
    new = np.flatnonzero((found < 0) & fine[row])
    if len(new):
        new = new[np.argsort(row[new], kind="stable")]
        keys.add(ends[new].with_columns(pl.Series("dimension", judged.dimension[row[new]])))
        found[new] = keys.find(ends[new])
    return _legs(judged, fine, goes, found)


def _destinations(moves: pl.DataFrame) -> pl.DataFrame:
    site = pl.coalesce("to_site", "site").alias("site")
    return moves.select(site, "sku", pl.col("to_location").alias("location"))


def _hold(skus: pl.Series, found: Int64, judged: Judged, keys: Keys) -> None:
    """Refuse rows whose dimension is not that of their SKU."""
    dimension = judged.dimension.copy()
    met = found >= 0
    dimension[met] = keys.dimensions()[found[met]]
    new = np.flatnonzero((judged.code == 0) & ~met)
    if len(new):
        dimension[new] = _first_seen(skus[new], judged.dimension[new], keys)
    judged.code[(judged.code == 0) & (dimension != judged.dimension)] = number(DIMENSION)


def _first_seen(skus: pl.Series, own: UInt8, keys: Keys) -> UInt8:
    """Dimension each SKU was first seen with, before now or in the rows given, which are in order."""
    before = keys.frame.select("sku", "dimension").join(skus.to_frame("sku"), on="sku", how="semi")
    rows = pl.DataFrame({"sku": skus, "dimension": own})
    first = pl.concat([before, rows]).unique("sku", keep="first", maintain_order=True)
    found: UInt8 = rows.select("sku").join(first, on="sku", how="left", maintain_order="left")["dimension"].to_numpy()
    return found


def _legs(judged: Judged, fine: Bool, goes: Int64, found: Int64) -> Legs:
    n = len(fine)
    there = np.full(n, -1, dtype=np.int64)
    there[goes] = found[n:]
    if fine.all():
        return legs_of(np.arange(n), (found[:n], judged.here), (there, judged.there), judged.quantity)
    rows = np.flatnonzero(fine)
    here = (found[rows], judged.here[rows])
    return legs_of(rows, here, (there[rows], judged.there[rows]), judged.quantity[rows])
