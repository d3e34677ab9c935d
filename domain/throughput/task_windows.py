"""Windows of task: the transitions that begin and end work, kept until their window is final.

Whether a task's transitions share a partition is the business of whoever fills the topic. So starts are joined
to ends only where all partitions meet (`service_time`), and a partition hands on a few columns per transition.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.throughput.counters import WINDOW_START

COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "event_time": pl.Datetime("us", "UTC"),
    "transition": pl.String,
    "work_units": pl.Float64,
}
"""Columns needed of task rows."""

TASK_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    WINDOW_START: pl.Int64,
    "at_us": pl.Int64,
    "transition": pl.String,
    "work_micro": pl.Int64,
}
"""One row per transition that begins or ends work: event time in us, work in millionths of a unit."""

STARTED: Final = "started"
ENDED: Final = ("done", "failed", "cancelled")

_LARGEST = 2**52  # four billion units of work; two thousand of them still fit into an Int64


def reduced(rows: pl.DataFrame, window_us: int) -> pl.DataFrame:
    """Rows of `TASK_SCHEMA` of task rows (`COLUMNS`), in their order."""
    rows = rows.filter(pl.col("transition").is_in([STARTED, *ENDED]))
    at = rows["event_time"].to_physical().to_numpy()
    work = np.rint(np.minimum(rows["work_units"].to_numpy() * 1e6, _LARGEST)).astype(np.int64)
    return rows.select(
        "site",
        "zone",
        "task",
        pl.Series(WINDOW_START, at // window_us * window_us, pl.Int64),
        pl.Series("at_us", at, pl.Int64),
        "transition",
        pl.Series("work_micro", work, pl.Int64),
    )


class TaskWindows:
    """Rows of `TASK_SCHEMA` per window, sorted."""

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._rows = pl.DataFrame(schema=TASK_SCHEMA)

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows; every later call brings only rows that belong behind them."""
        if rows.height:
            self._rows = pl.concat([self._rows, reduced(rows, self._window)])

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Rows of windows that start in [start, end), folded and pending; changes nothing."""
        ahead = pl.concat([self._rows, reduced(pending, self._window)])
        return _sorted(ahead.filter(pl.col(WINDOW_START).is_between(start, end, closed="left")))

    def close(self, end: int) -> pl.DataFrame:
        """Rows of all windows that end at or before `end`, which are then forgotten."""
        done = pl.col(WINDOW_START) + self._window <= end
        closed = self._rows.filter(done)
        self._rows = self._rows.filter(~done)
        return _sorted(closed)

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {"rows": to_bytes(self._rows)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self._rows = from_bytes(state["rows"])


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(pl.all())
