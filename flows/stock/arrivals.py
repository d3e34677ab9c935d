"""Rows of merged streams as the core takes them: microseconds, thousandths, items per base unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from domain.inventory.base_units import cost_in_base, in_base
from domain.inventory.counts import COUNT as COUNTED
from domain.inventory.counts import ITEM_SCHEMA, STATEMENT
from domain.inventory.stockroom import STATED_SCHEMA, WINDOWED_DECISION_SCHEMA, Arrivals
from domain.inventory.tables import MOVE_SCHEMA, Schema
from domain.inventory.units import to_milli
from domain.streaming.frames import frame_of
from domain.streaming.partition import IDENTITY, VALID
from domain.streaming.timeline import Release
from domain.streaming.windows import TIME, WINDOW_START
from flows.carried import SOURCE, sourced
from flows.stock.streams import CONTROL, COUNT, ITEM, MOVE, SNAPSHOT

_WINDOWED_ITEM: Final[Schema] = {**ITEM_SCHEMA, WINDOW_START: pl.Int64}


def gathered(
    releases: Sequence[Release], stragglers: Sequence[pl.DataFrame], kinds: Mapping[str, str]
) -> dict[str, pl.DataFrame]:
    """Rows of all releases by kind, in order of event time, identity and place, each with its source.

    `kinds` is the kind of each source, by name. Stragglers, which are `sourced` already, take their place at the start
    of the first window.
    """
    parts: dict[str, list[pl.DataFrame]] = {}
    start = pl.lit(min(release.window_start for release in releases), pl.Int64)
    for rows in stragglers:
        placed = rows.with_columns(start.cast(rows.schema[TIME]).alias(TIME), start.alias(WINDOW_START))
        parts.setdefault(kinds[rows[SOURCE][0]], []).append(placed)
    windows: dict[str, list[pl.DataFrame]] = {}
    for release in releases:
        for place, rows in release.partials.items():
            windows.setdefault(place, []).append(rows)
    for place, frames in sorted(windows.items()):
        parts.setdefault(kinds[place.partition("/")[0]], []).append(sourced(place, pl.concat(frames)))
    return {
        kind: pl.concat(frames, how="diagonal").sort(TIME, IDENTITY, maintain_order=True)
        for kind, frames in parts.items()
    }


def arrivals(rows: Mapping[str, pl.DataFrame]) -> Arrivals:
    """What the stockroom takes of rows by kind."""
    return Arrivals(
        moves=_frame(rows.get(MOVE), MOVE_SCHEMA, _moves),
        counts=_frame(rows.get(COUNT), STATED_SCHEMA, lambda stated: _stated(stated, COUNTED)),
        statements=_frame(rows.get(SNAPSHOT), STATED_SCHEMA, _statements),
        items=_frame(rows.get(ITEM), _WINDOWED_ITEM, _items),
        decisions=_frame(rows.get(CONTROL), WINDOWED_DECISION_SCHEMA, _decisions),
    )


def _frame(rows: pl.DataFrame | None, schema: Schema, made: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    return frame_of((), schema) if rows is None else made(rows).select(schema.keys())


_PLACE: Final = (pl.col(TIME).to_physical().alias("time_us"), pl.col(WINDOW_START))


def _moves(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        to_milli(rows["quantity"]).alias("quantity"),
        pl.col(VALID).alias("valid_us"),
        pl.col(TIME).to_physical().alias("time_us"),
        pl.col("record_time").to_physical().alias("record_us"),
    )


def _stated(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    as_of = pl.col("as_of").to_physical().alias("as_of_us")
    return rows.with_columns(to_milli(rows["quantity"]).alias("quantity"), as_of, *_PLACE, kind=pl.lit(kind))


def _statements(rows: pl.DataFrame) -> pl.DataFrame:
    return _stated(rows.rename({"on_hand": "quantity"}), STATEMENT)


def _items(rows: pl.DataFrame) -> pl.DataFrame:
    pack, _ = in_base(to_milli(rows["pack"]), rows["uom"])
    return rows.with_columns(pack.alias("pack"), cost_in_base(rows["unit_cost"], rows["uom"]), *_PLACE)


def _decisions(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(*_PLACE)
