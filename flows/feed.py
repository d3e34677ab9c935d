"""What one estimate step hands to another, which joins it in event time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from domain.streaming.windows import WINDOW_START, Closed
from flows.estimators import Rows
from schemas.outputs import Output


@dataclass(frozen=True, slots=True)
class Feed:
    """Rows of an output for the step `to`, as if they were a partition of a stream.

    A row counts from `lag_us` after its time in the column `at`: so much the giver may be behind without holding the
    taker up, whose windows are `window_us` long. So the giver is usually ahead, and decides no window by itself.
    """

    to: str
    place: str
    """Name among the places of the taker's timeline."""
    output: Output
    at: str
    lag_us: int
    window_us: int

    def nothing(self) -> pl.DataFrame:
        """No rows."""
        return self._windowed(pl.DataFrame(schema=self.output.schema))

    def closed(self, told: Sequence[Rows], until_us: int) -> Closed:
        """What was told by the giver, who has come to `until_us` in event time: no earlier row will follow."""
        rows = [frame for name, frame in told if name == self.output.name]
        final = self._windowed(pl.concat(rows)) if rows else self.nothing()
        until = self._floor(until_us + self.lag_us)
        return Closed(until, until, final.clear(), final)

    def _floor(self, time_us: int) -> int:
        return time_us - time_us % self.window_us

    def _windowed(self, rows: pl.DataFrame) -> pl.DataFrame:
        counts = pl.col(self.at).to_physical() + self.lag_us
        return rows.with_columns((counts - counts.mod(self.window_us)).alias(WINDOW_START))
