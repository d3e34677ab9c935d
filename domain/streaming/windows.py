"""Tumbling event-time windows over the rows of one partition, given on time and once more when final.

`Windows` keeps rows that later ones could still precede and hands them to an `Aggregation` in two ways: *fold*
for rows below the horizon, which nothing can precede any more, and *peek*, a look ahead that changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from domain.streaming.event_log import EventLog
from domain.streaming.watermark import BEGINNING, TimeBounds

TIME = "event_time"
"""Column of event time in all rows: Datetime[us, UTC]."""
WINDOW_START = "window_start"
"""Column of the window's start in all results: Int64 microseconds."""

_END = 2**62  # microseconds: beyond any event time
_FOLD_ROWS = 32_768  # rows below the horizon are folded in lots: one group-by per poll would be mostly overhead


class Aggregation(Protocol):
    """Turns rows into one or more result rows per window. A pure function of the set of rows folded.

    Results carry `window_start` (Int64 us) and are sorted by their key, so that equal rows in give equal bytes
    out. Rows come unsorted; an aggregation that needs an order sorts by event time and its own tie-breakers.
    """

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows; every later call, of any method, brings only rows that belong behind them."""
        ...

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Results of windows that start in [start, end), of the rows folded and pending; changes nothing."""
        ...

    def close(self, end: int) -> pl.DataFrame:
        """Final results of all windows that end at or before `end`, which are then forgotten."""
        ...

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        ...

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class Closed:
    """What a stretch of rows closed.

    `on_time_until` and `final_until` are window ends in microseconds up to which all results were given;
    `on_time` and `final` are the results of windows newly due and newly final. Without lateness all are final.
    """

    on_time_until: int
    final_until: int
    on_time: pl.DataFrame
    final: pl.DataFrame


class Windows:
    """The windows of one partition."""

    def __init__(self, bounds: TimeBounds, aggregation: Aggregation, schema: pl.Schema) -> None:
        self._bounds = bounds
        self._aggregation = aggregation
        self._schema = schema
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = 0
        self._log = EventLog(TIME)
        self._settled = BEGINNING
        self._on_time_until = BEGINNING
        self._final_until = BEGINNING

    def add(self, rows: pl.DataFrame, running_max: int) -> Closed | None:
        """Add accepted rows, after which the running maximum is `running_max`; what they closed, if anything."""
        if rows.height:
            self._pending.append(rows)
            self._pending_rows += rows.height
            self._log.append(rows)
        on_time = max(self._bounds.on_time_until(running_max), self._on_time_until)
        final = max(self._bounds.final_until(running_max), self._final_until)
        if on_time == self._on_time_until and final == self._final_until:
            if self._pending_rows > _FOLD_ROWS:
                self._fold(running_max - self._bounds.reach_us)
            return None
        return self._close(on_time, final, running_max - self._bounds.reach_us)

    def flush(self) -> pl.DataFrame:
        """End of input: results, as they stand, of every window that is not final. Changes nothing: input may go on."""
        pending = self._take()
        present = self._aggregation.peek(pending, self._final_until, _END)
        self._keep(pending)
        return present

    def _close(self, on_time: int, final: int, horizon: int) -> Closed:
        final_now = final > self._final_until
        # Without lateness a window is final as soon as it is due.
        due_now = on_time > self._on_time_until and self._bounds.lateness_us > 0
        # What is final is what was folded. A look ahead does not need it; it only is cheaper where rows are many.
        if final_now or self._pending_rows > _FOLD_ROWS:
            self._fold(horizon)
        due = self._due(on_time) if due_now else None
        done = self._aggregation.close(final) if final_now else None
        self._on_time_until, self._final_until = on_time, final
        nothing = next(results for results in (due, done) if results is not None).clear()
        return Closed(on_time, final, nothing if due is None else due, nothing if done is None else done)

    def _due(self, on_time: int) -> pl.DataFrame:
        pending = self._take()
        early = pending.filter(pending[TIME].to_physical() < on_time)
        due = self._aggregation.peek(early, self._on_time_until, on_time)
        self._keep(pending)
        return due

    def _fold(self, horizon: int) -> None:
        rows = self._take()
        horizon = max(horizon, self._settled)  # wider bounds since the last start do not unfold anything
        self._settled = horizon
        self._log.forget(horizon)
        settled = rows[TIME].to_physical() < horizon
        self._aggregation.fold(rows.filter(settled))
        self._keep(rows.filter(~settled))

    def _take(self) -> pl.DataFrame:
        rows = pl.concat(self._pending, rechunk=True) if self._pending else pl.DataFrame(schema=self._schema)
        self._pending, self._pending_rows = [], 0
        return rows

    def _keep(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self._pending, self._pending_rows = [rows], rows.height

    def snapshot(self) -> dict[str, Any]:
        """State as primitives, Arrow bytes and parts."""
        return {
            "aggregation": self._aggregation.snapshot(),
            "pending": self._log.snapshot(),
            "settled": self._settled,
            "on_time": self._on_time_until,
            "final": self._final_until,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._settled = state["settled"]
        frames = self._log.restore(state["pending"])
        if frames:
            rows = pl.concat(frames)
            self._keep(rows.filter(rows[TIME].to_physical() >= self._settled))
        self._on_time_until = state["on_time"]
        self._final_until = state["final"]
        self._aggregation.restore(state["aggregation"])
