"""Intervals of rates where work is steadier or more mixed than Poisson, on seeded renewal processes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from domain.throughput.counters import PARTIAL_SCHEMA
from domain.throughput.estimates import ThroughputEstimator
from domain.throughput.levels import levels
from domain.throughput.rate import RateModel

SECOND = 1_000_000
RATE = 60.0  # tasks per busy hour


def renewals(rng, variation, robots, windows, window_s):
    """Tasks that busy robots finish per window (windows, robots); `variation`: coefficient of their service times."""
    mean_s = 3600 / RATE
    tasks = round(1.3 * windows * window_s / mean_s) + 100
    took = rng.gamma(variation**-2, mean_s * variation**2, (robots, tasks))
    ended = np.cumsum(took, axis=1) - rng.uniform(0, 100 * mean_s, (robots, 1))
    edges = np.arange(windows + 1) * window_s
    return np.diff([np.searchsorted(robot, edges) for robot in ended], axis=1).T


def estimated(counts, window_s):
    """Final rows of the last window of robots of ten zones that were busy all the time."""
    windows, robots = counts.shape
    number = np.tile(np.arange(robots), windows)
    given = {
        "site": "s",
        "zone": [f"z{n % 10}" for n in number],
        "robot": [f"r{n}" for n in number],
        "window_start": np.repeat(np.arange(windows), robots) * window_s * SECOND,
        "messages": 1,
        "tasks": counts.ravel(),
        "busy_us": window_s * SECOND,
        "available_us": window_s * SECOND,
        **dict.fromkeys(("units", "battery_ppm", "battery_min", "queue_max", "resets"), 0),
    }
    partial = pl.DataFrame(given, schema_overrides=PARTIAL_SCHEMA).select(PARTIAL_SCHEMA.keys())
    told = ThroughputEstimator(RateModel(), window_s * SECOND, "robot.state@1").final(levels(partial))
    return told.filter(pl.col("window_start") == told["window_start"].max())


def covered(rows, level):
    of_level = rows.filter(pl.col("level") == level)
    return of_level.select(pl.lit(RATE).is_between("service_rate_lo", "service_rate_hi").mean()).item()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variation", "window_s"), [(0.3, 60), (0.5, 300), (0.7, 60), (1.0, 300), (1.3, 60), (2.0, 300)]
)
def test_intervals_cover_steady_and_mixed_work_alike(variation, window_s):
    """95 % intervals of 1,000 robots cover 93 to 97 % of true rates, whose dispersion is found."""
    rows = estimated(renewals(np.random.default_rng(31), variation, 1_000, 200, window_s), window_s)
    assert 0.93 <= covered(rows, "robot") <= 0.97
    found = rows.filter(pl.col("level") == "robot")["service_dispersion"].median()
    assert found == pytest.approx(variation**2, rel=0.2)


@pytest.mark.slow
def test_rates_that_nobody_measured_long_enough_are_taken_for_poisson():
    """Robots that finish fewer than ten tasks within memory have a dispersion of 1."""
    counts = np.random.default_rng(32).poisson(0.02, (200, 50))
    assert set(estimated(counts, 60).filter(pl.col("level") == "robot")["dispersion"]) == {1.0}
