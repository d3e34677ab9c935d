"""Columns that shedding reads and writes. Times are Int64 microseconds UTC."""

from __future__ import annotations

from typing import Final

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

CREATED: Final[Schema] = {"site": pl.String, "zone": pl.String, "priority": pl.Int64, "work_micro": pl.Int64}
"""Tasks created in a window, or sums of them: millionths of a work unit by priority, 0 to 9; null: control work."""

TASKS: Final[Schema] = {**CREATED, "created_us": pl.Int64, "state": pl.String}
"""Open tasks; only those `created` or `queued` wait."""

WAITING: Final = ("created", "queued")

ZONES: Final[Schema] = {"site": pl.String, "zone": pl.String, "demand": pl.Float64, "capacity": pl.Float64}
"""Zones to review: work units per hour that come, and that can be done; both finite."""

SHEDDING_SCHEMA: Final[Schema] = {
    "shedding": pl.String,
    "status": pl.String,
    "time_us": pl.Int64,
    "site": pl.String,
    "zone": pl.String,
    "level": pl.Int64,
    "class": pl.Int64,
    "work": pl.Float64,
    "clear_us": pl.Int64,
    "service_us": pl.Int64,
    "demand": pl.Float64,
    "capacity": pl.Float64,
    "reason": pl.String,
}
"""A class of work of a zone is `shed` or `restored`; `shedding` is the row's id.

After it the classes below `level` are shed. `work` units of the class wait. All work that is kept, and with it the
class that the row is about, takes `clear_us` to clear; null where it never clears. `demand` and `capacity`, in work
units per hour, are those of all classes of the zone.
"""
