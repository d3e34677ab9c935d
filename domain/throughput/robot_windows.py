"""Windows of robot.state: the aggregation that the partition logic drives."""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, micros, to_bytes
from domain.streaming.partition import IDENTITY
from domain.throughput import counters

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "robot": pl.String,
    "zone": pl.String,
    "site": pl.String,
    "boot_epoch": pl.Int64,
    "seq": pl.Int64,
    "event_time": pl.Datetime("us", "UTC"),
    "battery": pl.Float64,
    "tasks_done": pl.Int64,
    "busy_s": pl.Float64,
    "available_s": pl.Float64,
    "queue_depth": pl.Int64,
    "units": pl.Int64,
}
"""Columns needed of robot.state rows."""

_TIME_BITS = 43  # microseconds of a hundred days
_ROBOT_BITS = 63 - _TIME_BITS  # a million robots
_ORDER = ("robot", "event_time", "boot_epoch", "seq", IDENTITY)


class RobotWindows:
    """Partial results per site, zone, robot and window, as `counters.PARTIAL_SCHEMA`.

    Folded rows live on as integer partials and one carried reading per robot, so memory does not grow with
    the length of the window.
    """

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._carry = counters.empty_carry()
        self._partial = counters.empty_partial()

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows; every later call brings only rows that belong behind them."""
        if rows.height == 0:
            return
        counted, carry = counters.increments(ordered(rows), self._carry)
        self._carry = carry()
        self._partial = counters.aggregate(counted, self._window, self._partial)

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Partials of windows that start in [start, end), of the rows folded and pending; changes nothing."""
        counted, _ = counters.increments(ordered(pending), self._carry)
        ahead = counters.aggregate(counted, self._window, self._partial)
        return ahead.filter(pl.col(counters.WINDOW_START).is_between(start, end, closed="left"))

    def close(self, end: int) -> pl.DataFrame:
        """Final partials of all windows that end at or before `end`, which are then forgotten."""
        done = pl.col(counters.WINDOW_START) + self._window <= end
        closed = self._partial.filter(done)
        self._partial = self._partial.filter(~done)
        self._carry = counters.prune(self._carry, end)
        return closed

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {"carry": to_bytes(self._carry), "partial": to_bytes(self._partial)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self._carry = from_bytes(state["carry"])
        self._partial = from_bytes(state["partial"])


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of robot.state robot by robot, each robot's in the order of time, boot epoch, sequence and identity.

    Sorting by five columns is the dearest step of a window. One integer of robot and time settles the order unless
    two rows share both.
    """
    times = micros(rows["event_time"])
    if rows.height == 0 or int(times.max() - times.min()) >> _TIME_BITS:
        return rows.sort(_ORDER)
    robots = rows["robot"].cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)
    if int(robots.max()) >> _ROBOT_BITS:
        return rows.sort(_ORDER)
    keys = (robots << _TIME_BITS) | (times - times.min())
    order = np.argsort(keys)
    if (np.diff(keys[order]) == 0).any():
        return rows.sort(_ORDER)
    return rows[order]
