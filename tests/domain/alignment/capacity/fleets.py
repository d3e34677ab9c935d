"""Fleets for the tests of capacity: rows as windows bring them, and robots as `Fleet` tells them."""

from __future__ import annotations

import polars as pl

from domain.alignment.fleet import ROBOT_SCHEMA, Fleet
from domain.throughput.presence import PRESENCE_SCHEMA

WINDOW_US = 60_000_000
HOUR_US = 3_600_000_000

_AS_A_RULE = {
    "site": "north",
    "zone": "pick",
    "seen_us": -10_000_000,
    "since_us": -HOUR_US,
    "mode": "busy",
    "battery": 90.0,
    "x": None,
    "y": None,
    "tasks": 100.0,
    "rate": 100.0,
    "rate_doubt": 0.0,
    "zone_doubt": 0.0,
    "scatter": 0.0,
    "failure_rate": 1 / 20,
    "failures": 1e12,
    "repair_rate": 4.0,
    "repairs": 1e12,
    "drain": 1e-3,
    "charge": 50.0,
    "low": 20.0,
    "high": 95.0,
    "low_variance": 0.0,
    "high_variance": 0.0,
}


def robots(*changes: dict[str, object], count: int = 1) -> pl.DataFrame:
    """Robots of known rates that fail every 20 hours and hardly ever charge, but for `changes`; each `count` times."""
    rows = [
        _AS_A_RULE | change | {"robot": f"r{place:03d}-{copy:04d}"}
        for place, change in enumerate(changes or ({},))
        for copy in range(count)
    ]
    return pl.DataFrame(rows, schema=ROBOT_SCHEMA).sort("site", "robot")


def presence(window: int, *rows: dict[str, object]) -> pl.DataFrame:
    """PRESENCE rows of a window (by number) of robots that were busy throughout, but for what `rows` say."""
    start = window * WINDOW_US
    usual = {
        "site": "north",
        "zone": "pick",
        "robot": "r",
        "window_start": start,
        "messages": 6,
        "tasks": 1,
        "units": 0,
        "busy_us": WINDOW_US,
        "available_us": WINDOW_US,
        "battery_ppm": 0,
        "battery_min": 50.0,
        "queue_max": 0,
        "resets": 0,
        "last_us": start + WINDOW_US - 5_000_000,
        "mode": "busy",
        "battery": 50.0,
        "x": None,
        "y": None,
    }
    return pl.DataFrame([usual | row for row in rows], schema=PRESENCE_SCHEMA)


def work(*rows: tuple[str, int, int]) -> pl.DataFrame:
    """Tasks done at the site north: zone, tasks, work in whole units."""
    schema = {"site": pl.String, "zone": pl.String, "done": pl.Int64, "work_micro": pl.Int64}
    return pl.DataFrame([("north", z, n, u * 1_000_000) for z, n, u in rows], schema=schema, orient="row")


def taught(windows: int, *rows: dict[str, object], units: int = 2) -> Fleet:
    """A fleet that has learned the same rows some windows running; every task is worth `units`."""
    fleet = Fleet(WINDOW_US)
    for window in range(windows):
        seen = presence(window, *rows)
        done = seen.group_by("zone", maintain_order=True).agg(pl.col("tasks").sum())
        fleet.learn(window * WINDOW_US, seen, work(*((zone, n, n * units) for zone, n in done.iter_rows())))
    return fleet
