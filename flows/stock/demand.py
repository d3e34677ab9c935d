"""The demand side of merged streams: sales, promotions and forecasts in, estimates of closed buckets out.

Amounts are rounded to thousandths of the base unit. A SKU keeps the dimension of its item, or else of its first sale;
sales and forecasts in units of another one are refused.
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
from domain.inventory.tables import Schema
from domain.inventory.units import UNITS, to_milli
from domain.streaming.frames import frame_of, from_bytes, to_bytes
from domain.streaming.partition import IDENTITY, OFFSET, PARTITION
from domain.streaming.windows import TIME
from flows.carried import ORIGIN, SOURCE
from flows.settings import Stock
from flows.stock.streams import AMOUNTS, FORECAST, ITEM, PROMOTION, STREAMS

DIMENSION: Final = "demand.dimension"
"""Code of a sale, or a forecast, in units of another dimension than its SKU has."""

_REFUSED: Final[Schema] = {SOURCE: pl.String, PARTITION: pl.String, OFFSET: pl.Int64, "code": pl.String}
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
        """Take in rows of whole windows, by kind, later than those before; what of them is refused, with a code."""
        known = pl.concat([self.items, _items(rows[ITEM])]) if ITEM in rows else self.items
        if PROMOTION in rows:
            self._book.promote(_promotions(rows[PROMOTION]))
        refused = frame_of((), _REFUSED)
        if amounts := [_alike(rows[kind], foreseen=kind == FORECAST) for kind in AMOUNTS if kind in rows]:
            refused = self._hear(pl.concat(amounts, how="diagonal").sort(TIME, IDENTITY), known)
        if ITEM in rows:
            self.items = known.unique("sku", keep="last", maintain_order=True)
        return refused

    def _hear(self, amounts: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
        made = _in_base(amounts, items)
        held = made["uom"]
        if held.null_count():
            each = made.select("sku", "own", "uom", "foreseen").iter_rows()
            units = [item or self._unit(sku, own, foreseen=foreseen) for sku, own, item, foreseen in each]
            held = pl.Series(units, dtype=pl.String)
        fits = made["own"] == held
        fitting = made.filter(fits)
        self._book.add(fitting.filter(~pl.col("foreseen")).select(ROWS.keys()))
        self._book.forecast(fitting.filter("foreseen").select(FORECASTS.keys()))
        return made.filter(~fits).select(*ORIGIN, code=pl.lit(DIMENSION))

    def _unit(self, sku: str, own: str, *, foreseen: bool) -> str:
        """The unit that a SKU without an item is held to; what an outsider expects binds nobody."""
        return self._units.get(sku, own) if foreseen else self._units.setdefault(sku, own)

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


def _alike(rows: pl.DataFrame, *, foreseen: bool) -> pl.DataFrame:
    """Sales, or forecasts, with the columns of both."""
    other = {"in_stock": pl.lit(True), "promotion": pl.lit(None, pl.String)} if foreseen else {}  # noqa: FBT003
    bucket = pl.col("bucket_start").to_physical() if foreseen else pl.lit(None, pl.Int64)
    return rows.with_columns(bucket.alias("bucket_start"), foreseen=pl.lit(foreseen), **other)


def _in_base(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """ROWS or FORECASTS, with the base unit of each row (`own`) and of the item as then known (`uom`)."""
    made = rows.select(
        "site",
        "sku",
        IDENTITY,
        *ORIGIN,
        _time(rows),
        _amount().alias("quantity"),
        pl.col("uom").replace_strict(BASES, return_dtype=pl.String).alias("own"),
        "bucket_start",
        "foreseen",
        (~pl.col("in_stock")).alias("censored"),
        pl.col("promotion").is_not_null().alias("promoted"),
    )
    known = items.select("sku", "category", "uom", "time_us").sort("time_us", maintain_order=True)
    return made.join_asof(known, on="time_us", by="sku", strategy="backward", check_sortedness=False)


def _amount() -> pl.Expr:
    """Quantities in thousandths of the base unit, to the nearest; what no balance could hold counts as the most."""
    milli = pl.col("uom").replace_strict({name: unit.milli for name, unit in UNITS.items()}, return_dtype=pl.Float64)
    return (pl.col("quantity") * milli).round().clip(upper_bound=float(LIMIT)).cast(pl.Int64)
