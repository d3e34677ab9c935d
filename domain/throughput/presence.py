"""Windows of robot.state that also tell how each robot was last seen, for who has to count on it."""

from __future__ import annotations

from typing import Final, TypeAlias

import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.throughput import counters, robot_windows
from domain.throughput.robot_windows import RobotWindows, ordered

Schema: TypeAlias = dict[str, pl.DataType | type[pl.DataType]]

_LAST: Final[Schema] = {
    "last_us": pl.Int64,
    "mode": pl.String,
    "battery": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
}
COLUMNS: Final[Schema] = {**robot_windows.COLUMNS, "mode": pl.String, "x": pl.Float64, "y": pl.Float64}
"""Columns needed of robot.state rows."""

_SEEN: Final[Schema] = {**{name: counters.PARTIAL_SCHEMA[name] for name in counters.KEY}, **_LAST}

PRESENCE_SCHEMA: Final[Schema] = {**counters.PARTIAL_SCHEMA, **_LAST}
"""A partial, and the last message in that window and zone: its time in us, mode, charge in % and position in m.

A robot that changed zone has a row in each; where it is tells the row of the larger `last_us`.
"""


class PresenceWindows:
    """Partial results per site, zone, robot and window, as PRESENCE_SCHEMA, sorted by key."""

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._work = RobotWindows(window_us)
        self._last = pl.DataFrame(schema=_SEEN)

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows; every later call brings only rows that belong behind them."""
        if rows.height:
            self._work.fold(rows)
            self._last = self._latest(rows)

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Partials of windows that start in [start, end), of the rows folded and pending; changes nothing."""
        return _together(self._work.peek(pending, start, end), self._latest(pending))

    def close(self, end: int) -> pl.DataFrame:
        """Final partials of all windows that end at or before `end`, which are then forgotten."""
        closed = _together(self._work.close(end), self._last)
        self._last = self._last.filter(pl.col(counters.WINDOW_START) + self._window > end)
        return closed

    def _latest(self, rows: pl.DataFrame) -> pl.DataFrame:
        at = pl.col("event_time").to_physical()
        seen = ordered(rows).select(
            *counters.KEY[:-1],
            (at // self._window * self._window).alias(counters.WINDOW_START),
            at.alias("last_us"),
            "mode",
            "battery",
            "x",
            "y",
        )
        return pl.concat([self._last, seen]).unique(counters.KEY, keep="last", maintain_order=True)

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {**self._work.snapshot(), "last": to_bytes(self._last)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self._work.restore(state)
        self._last = from_bytes(state["last"])


def _together(work: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    return work.join(last, on=counters.KEY, how="left", maintain_order="left").select(PRESENCE_SCHEMA.keys())
