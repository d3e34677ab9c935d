"""An aggregation that aggregates nothing: the rows of each window as they are, for who must see every one of them."""

from __future__ import annotations

import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import IDENTITY
from domain.streaming.windows import TIME, WINDOW_START


class WholeRows:
    """Rows of some columns, by window; sorted by event time and identity."""

    def __init__(self, schema: pl.Schema, window_us: int) -> None:
        self._rows = pl.DataFrame(schema=schema)
        self._window = window_us

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows."""
        if rows.height:
            self._rows = pl.concat([self._rows, rows])

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Rows, folded and pending, of windows that start in [start, end)."""
        rows = self._windowed(pl.concat([self._rows, pending]))
        return rows.filter(pl.col(WINDOW_START).is_between(start, end, closed="left"))

    def close(self, end: int) -> pl.DataFrame:
        """Rows of windows that end at or before `end`, which are then forgotten."""
        done = self._rows[TIME].to_physical() < end // self._window * self._window
        closed, self._rows = self._rows.filter(done), self._rows.filter(~done)
        return self._windowed(closed)

    def _windowed(self, rows: pl.DataFrame) -> pl.DataFrame:
        start = pl.col(TIME).to_physical() // self._window * self._window
        return rows.with_columns(start.alias(WINDOW_START)).sort(TIME, IDENTITY)

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {"rows": to_bytes(self._rows)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self._rows = from_bytes(state["rows"])
