"""From windows per robot to windows per robot, zone and site."""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.throughput.counters import WINDOW_START

LEVEL_KEY: Final = ("level", "site", "entity")

LEVEL_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "level": pl.String,
    "site": pl.String,
    "entity": pl.String,
    WINDOW_START: pl.Int64,
    "robots": pl.Int64,
    "messages": pl.Int64,
    "tasks": pl.Int64,
    "units": pl.Int64,
    "busy_us": pl.Int64,
    "available_us": pl.Int64,
}
"""One row per level (robot, zone, site), site, entity and window; all columns are exact integers."""

_SUMS: Final = ("messages", "tasks", "units", "busy_us", "available_us")


def levels(partial: pl.DataFrame) -> pl.DataFrame:
    """Rows of `LEVEL_SCHEMA`, in no order, of partials (`counters.PARTIAL_SCHEMA`) of one or more windows.

    The partials must be all partitions' rows of their windows: a robot counts once per entity. A robot that
    changed zones within a window is one row at level robot.
    """
    merged = partial.group_by("site", "zone", "robot", WINDOW_START).agg(pl.col(_SUMS).sum())
    robots = merged.group_by("site", "robot", WINDOW_START).agg(pl.col(_SUMS).sum())
    # `merged` holds a robot once per zone, and `robots` holds it once per site: rows count robots.
    zones = merged.group_by("site", "zone", WINDOW_START).agg(pl.len(), pl.col(_SUMS).sum())
    sites = robots.group_by("site", WINDOW_START).agg(pl.len(), pl.col(_SUMS).sum())
    parts = (("robot", robots, "robot"), ("zone", zones, "zone"), ("site", sites, "site"))
    return pl.concat([_level(name, part, part[entity]) for name, part, entity in parts])


def _level(name: str, part: pl.DataFrame, entity: pl.Series) -> pl.DataFrame:
    """Rows of one level; without expressions, whose price does not depend on how few rows there are."""
    robots = part["len"] if "len" in part.columns else pl.Series([1]).new_from_index(0, part.height)
    given = {"level": pl.Series([name]).new_from_index(0, part.height), "robots": robots, "entity": entity}
    columns = {**part.to_dict(), **given}
    return pl.DataFrame({column: columns[column] for column in LEVEL_SCHEMA}, schema=LEVEL_SCHEMA)
