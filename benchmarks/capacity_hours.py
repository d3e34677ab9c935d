"""What both simulated sites of `benchmarks.capacity_calibration` give: an hour of what was heard, and its clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

WINDOW_US = 60_000_000
HOUR_US = 3_600_000_000
START = datetime(2026, 3, 2, tzinfo=UTC)
HORIZONS_H = (0.25, 1.0, 4.0)
START_US = int(START.timestamp()) * 1_000_000


@dataclass(slots=True)
class Hour:
    """What was heard in an hour: PRESENCE rows, and work done by zone and window."""

    presence: pl.DataFrame
    work: pl.DataFrame


def work_done(site: str, done: pl.DataFrame) -> pl.DataFrame:
    """Tasks done and their work by zone and window from `zone`, `time` (h) and `units`."""
    at = START_US + (pl.col("time") * HOUR_US).cast(pl.Int64)
    return (
        done.group_by("zone", (at // WINDOW_US * WINDOW_US).alias("window_start"))
        .agg(
            pl.len().cast(pl.Int64).alias("done"),
            (pl.col("units").sum() * 1e6).round().cast(pl.Int64).alias("work_micro"),
        )
        .with_columns(pl.lit(site).alias("site"))
    )
