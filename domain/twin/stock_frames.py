"""What a simulated site delivers, as the inventory core takes it: frames by window.

A row that arrives later than its time and the allowed lateness takes its place when it arrives; no other does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from domain.inventory.counts import COUNT as COUNTED
from domain.inventory.counts import COUNT_SCHEMA, ITEM_SCHEMA
from domain.inventory.tables import MOVE_SCHEMA
from domain.inventory.units import MILLI
from domain.twin.stock_records import COUNT, ITEM, MOVE, Delivered

_LATENESS_US: Final = 10 * 60_000_000


@dataclass(frozen=True, slots=True)
class StockFrames:
    """Moves (MOVE_SCHEMA), counts (COUNT_SCHEMA) and items (ITEM_SCHEMA), each in no order that matters."""

    moves: pl.DataFrame
    counts: pl.DataFrame
    items: pl.DataFrame


def stock_frames(delivered: Iterable[Delivered], window_us: int, lateness_us: int = _LATENESS_US) -> StockFrames:
    """Frames of delivered rows."""
    rows: dict[str, list[dict[str, Any]]] = {MOVE: [], COUNT: [], ITEM: []}
    for one in delivered:
        valid_us = _us(one.row["event_time"])
        time_us = valid_us if one.delivered_us <= valid_us + lateness_us else one.delivered_us
        times = {"valid_us": valid_us, "time_us": time_us, "window_start": time_us // window_us * window_us}
        rows[one.stream].append(_EXTRAS[one.stream](one.row) | times)
    return StockFrames(
        moves=_frame(rows[MOVE], MOVE_SCHEMA),
        counts=_frame(rows[COUNT], COUNT_SCHEMA),
        items=_frame(rows[ITEM], ITEM_SCHEMA),
    )


def _frame(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema) if rows else pl.DataFrame(schema=schema)


def _move(row: dict[str, Any]) -> dict[str, Any]:
    identity = hashlib.sha256(f"{row['site']}\0{row['document']}\0{row['line']}".encode()).digest()
    return row | {
        "quantity": round(row["quantity"] * MILLI),
        "record_us": _us(row["record_time"]),
        "_identity": int.from_bytes(identity[:8], "big"),
    }


def _count(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"kind": COUNTED, "quantity": round(row["quantity"] * MILLI), "as_of_us": _us(row["as_of"])}


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"pack": round(row["pack"] * MILLI)}


_EXTRAS: Final = {MOVE: _move, COUNT: _count, ITEM: _item}


def _us(text: str) -> int:
    # Microseconds as integers: a float of seconds would lose the last digit.
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
