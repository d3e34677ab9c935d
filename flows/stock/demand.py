"""The demand side of merged streams: sales, promotions and forecasts in, estimates of closed buckets out.

Amounts are rounded to thousandths of the base unit. A SKU keeps the dimension of its item, or else of its first sale;
sales in units of another one are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from domain.demand.book import Closed, DemandBook
from domain.demand.model import DemandModel
from domain.demand.plans import FORECASTS, PROMOTIONS
from domain.demand.rows import ROWS
from domain.inventory.base_units import BASES, cost_in_base, in_base
from domain.inventory.codes import LIMIT
from domain.inventory.units import UNITS, to_milli
from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import IDENTITY, OFFSET, PARTITION
from domain.streaming.windows import TIME
from flows.carried import ORIGIN, SOURCE
from flows.settings import Stock
from flows.stock.streams import FORECAST, ITEM, PROMOTION, SALES, STREAMS

DIMENSION: Final = "demand.dimension"
"""Code of a sale in units of another dimension than its SKU has."""

_REFUSED: Final = {SOURCE: pl.String, PARTITION: pl.String, OFFSET: pl.Int64, "code": pl.String}
_ITEMS: Final = {name: dtype for name, dtype in STREAMS[ITEM].items() if name != TIME} | dict.fromkeys(
    ("pack", "minimum_order", "time_us"), pl.Int64
)


class DemandSide:
    """Items as they are known, and the demand of their series."""

    def __init__(self, settings: Stock) -> None:
        model = DemandModel(bucket=settings.bucket, zone=settings.time_zone, horizon=settings.horizon)
        self._book = DemandBook(model, settings.live_series)
        self._units: dict[str, str] = {}
        """Base units of SKUs that were sold before their item was told."""
        self.items = pl.DataFrame(schema=_ITEMS)
        """The newest row of each SKU, quantities in thousandths of the base unit."""

    def take(self, rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Take in rows of whole windows, by kind, later than those before; sales that are refused, with a code."""
        known = pl.concat([self.items, _items(rows[ITEM])]) if ITEM in rows else self.items
        if PROMOTION in rows:
            self._book.promote(_promotions(rows[PROMOTION]))
        if FORECAST in rows:
            self._book.forecast(_forecasts(rows[FORECAST]))
        refused = pl.DataFrame(schema=_REFUSED)
        if sales := [rows[kind] for kind in SALES if kind in rows]:
            refused = self._sell(pl.concat(sales, how="diagonal").sort(TIME, IDENTITY), known)
        self.items = known.unique("sku", keep="last", maintain_order=True)
        return refused

    def _sell(self, sales: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
        made = _sales(sales, items)
        own, held = made["own"], made["uom"]
        firsts = zip(made["sku"], own, held, strict=True)
        units = [self._units.setdefault(sku, unit) if base is None else base for sku, unit, base in firsts]
        fits = own == pl.Series(units, dtype=pl.String)
        self._book.add(made.filter(fits).select(ROWS.keys()))
        return made.filter(~fits).select(*ORIGIN, code=pl.lit(DIMENSION))

    def advance(self, until_us: int) -> Closed:
        """Estimates of the buckets that have ended by then."""
        return self._book.advance(until_us)

    def snapshot(self) -> list[object]:
        """State as primitives, bytes and parts."""
        return [self._book.snapshot(), to_bytes(self.items), self._units]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        book, items, self._units = state
        self._book.restore(book)
        self.items = from_bytes(items)


def _time(rows: pl.DataFrame) -> pl.Series:
    return rows[TIME].to_physical().alias("time_us")


def _items(rows: pl.DataFrame) -> pl.DataFrame:
    quantities = [in_base(to_milli(rows[name]), rows["uom"])[0] for name in ("pack", "minimum_order")]
    _, base = in_base(to_milli(rows["pack"]), rows["uom"])
    cost = cost_in_base(rows["unit_cost"], rows["uom"])
    made = rows.with_columns(_time(rows), *quantities, cost, base.alias("uom"))
    return made.select(_ITEMS.keys())


def _promotions(rows: pl.DataFrame) -> pl.DataFrame:
    times = {"starts_us": rows["starts_at"].to_physical(), "ends_us": rows["ends_at"].to_physical()}
    return rows.with_columns(_time(rows), **times).select(PROMOTIONS.keys())


def _forecasts(rows: pl.DataFrame) -> pl.DataFrame:
    made = rows.with_columns(_time(rows), _amount().alias("quantity"), pl.col("bucket_start").to_physical())
    return made.select(FORECASTS.keys())


def _sales(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """ROWS, in order of time, with the base unit of each row (`own`) and of the item as then known (`uom`)."""
    made = rows.select(
        "site",
        "sku",
        IDENTITY,
        *ORIGIN,
        _time(rows),
        _amount().alias("quantity"),
        pl.col("uom").replace_strict(BASES, return_dtype=pl.String).alias("own"),
        (~pl.col("in_stock")).alias("censored"),
        pl.col("promotion").is_not_null().alias("promoted"),
    )
    known = items.select("sku", "category", "uom", "time_us").sort("time_us", maintain_order=True)
    return made.join_asof(known, on="time_us", by="sku", strategy="backward", check_sortedness=False)


def _amount() -> pl.Expr:
    """Quantities in thousandths of the base unit, to the nearest; what no balance could hold counts as the most."""
    milli = pl.col("uom").replace_strict({name: unit.milli for name, unit in UNITS.items()}, return_dtype=pl.Float64)
    return (pl.col("quantity") * milli).round().clip(upper_bound=float(LIMIT)).cast(pl.Int64)
