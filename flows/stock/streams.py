"""The streams that are merged into demand and stock: which columns each brings."""

from __future__ import annotations

from typing import Final

import polars as pl

MOVE: Final = "inventory.move"
COUNT: Final = "inventory.count"
SNAPSHOT: Final = "inventory.snapshot"
ITEM: Final = "item"
ORDER_LINE: Final = "demand.line"
POINT_OF_SALE: Final = "pos.sale"
PROMOTION: Final = "promotion"
FORECAST: Final = "forecast"
CONTROL: Final = "control"

SETPOINT: Final = "setpoint"
"""What a control message is about that is none of the stock's business."""

SALES: Final = (ORDER_LINE, POINT_OF_SALE)
"""Kinds that tell of demand."""

AMOUNTS: Final = (*SALES, FORECAST)
"""Kinds whose quantities are held to the unit of their SKU."""

_TIME: Final[pl.DataType] = pl.Datetime("us", "UTC")


def _columns(
    strings: str, numbers: str = "", times: str = "", booleans: str = ""
) -> dict[str, pl.DataType | type[pl.DataType]]:
    kinds: tuple[tuple[str, pl.DataType | type[pl.DataType]], ...] = (
        (strings, pl.String),
        (numbers, pl.Float64),
        (times, _TIME),
        (booleans, pl.Boolean),
    )
    return {name: dtype for names, dtype in kinds for name in [*names.split()]} | {"event_time": _TIME}


_SALE: Final = _columns("site sku uom promotion", "quantity", booleans="in_stock")

STREAMS: Final[dict[str, dict[str, pl.DataType | type[pl.DataType]]]] = {
    MOVE: _columns(
        "event_id site sku location uom reason document line to_site to_location corrects", "quantity", "record_time"
    ),
    COUNT: _columns("event_id site sku location uom document counted_by", "quantity", "as_of"),
    SNAPSHOT: _columns("event_id site sku location uom", "on_hand", "as_of"),
    ITEM: _columns(
        "sku category uom abc service policy",
        "unit_cost pack minimum_order order_cost holding_rate lead_time_mean_d lead_time_sd_d review_d service_level",
    ),
    ORDER_LINE: _SALE,
    POINT_OF_SALE: _SALE,
    PROMOTION: _columns("promotion site sku", times="starts_at ends_at"),
    FORECAST: _columns("author site sku uom", "quantity", "bucket_start"),
    CONTROL: _columns("event_id proposal about decision by comment"),
}
"""Columns of each kind, by the name of its contract."""
