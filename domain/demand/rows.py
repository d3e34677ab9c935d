"""Rows of buckets that are still open, summed per bucket and series as they come.

Sums are of integers and flags, and the category is that of the latest row, so neither the order of rows nor the
calls that bring them show in what is taken out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.demand.calendar import Calendar
from domain.streaming.frames import from_bytes, to_bytes

ROWS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "sku": pl.String,
    "time_us": pl.Int64,
    "quantity": pl.Int64,
    "censored": pl.Boolean,
    "promoted": pl.Boolean,
    "category": pl.String,
}
"""What was sold or ordered: `quantity` in thousandths of the base unit, `time_us` UTC, `category` null: as before.

`censored`: demand may have been more than could be had; `promoted`: the row names a promotion.
"""

SUMS: Final = ("site", "sku", "quantity", "censored", "promoted", "category")
"""Columns of a bucket's rows as taken out, one per series."""

_BUCKET: Final = "bucket_start"
_COMPACT: Final = 65_536


class OpenRows:
    """Rows by bucket, until their bucket is taken."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._sums = pl.DataFrame(schema={_BUCKET: pl.Int64, **ROWS})
        self._compact = 0

    def add(self, rows: pl.DataFrame, frontier_us: int) -> None:
        """Take in `ROWS`; those before the frontier are booked there, not lost."""
        rows = rows.select(ROWS.keys()).with_columns(pl.col("time_us").clip(lower_bound=frontier_us))
        start = pl.Series(_BUCKET, self._calendar.floor(rows["time_us"].to_numpy()))
        self._sums = pl.concat([self._sums, _summed(rows.with_columns(start)).select(self._sums.columns)])
        if self._sums.height > 2 * self._compact + _COMPACT:
            self._sums = _summed(self._sums)
            self._compact = self._sums.height

    def first(self) -> int | None:
        """Start of the earliest bucket that has rows."""
        return None if self._sums.is_empty() else int(np.min(self._sums[_BUCKET].to_numpy()))

    def take(self, until_us: int) -> dict[int, pl.DataFrame]:
        """Sums (`SUMS`) of buckets that start before `until_us`, by start; they are forgotten here."""
        due = self._sums[_BUCKET] < until_us
        if not due.any():
            return {}
        taken, self._sums = _summed(self._sums.filter(due)), self._sums.filter(~due)
        self._compact = self._sums.height
        return {int(start): part.select(SUMS) for (start,), part in taken.group_by(_BUCKET)}

    def snapshot(self) -> bytes:
        """State as Arrow bytes."""
        return to_bytes(_summed(self._sums).sort(_BUCKET, "site", "sku"))

    def restore(self, data: bytes) -> None:
        """Take up a snapshot."""
        self._sums = from_bytes(data)
        self._compact = self._sums.height


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per bucket and series; `time_us` becomes that of the row which names the category, or of the latest."""
    latest = pl.col("time_us").filter(pl.col("category").is_not_null()).last()
    return (
        rows.sort("time_us", "category")  # groups keep it
        .group_by(_BUCKET, "site", "sku")
        .agg(
            latest.fill_null(pl.col("time_us").last()),
            pl.col("quantity").sum(),
            pl.col("censored", "promoted").any(),
            pl.col("category").drop_nulls().last(),
        )
        .select(_BUCKET, *ROWS.keys())
    )
