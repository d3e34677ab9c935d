"""Drift: changes of level are found, seasons and outliers are not, and a stored watch goes on as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.demand.drift import DriftModel, DriftWatch
from schemas.errors import RecoveryError

MODEL = DriftModel()
SEASON = 7


def found(demands, season=None):
    """Buckets at which drift is found by a watch of simple exponential smoothing on top of a known season."""
    watch, level, variance, at = DriftWatch(MODEL, SEASON), 4.0, 4.0, []
    for now, demand in enumerate(demands):
        forecast = level + (season[now % SEASON] if season is not None else 0.0)
        if watch.learn_one(demand, forecast, math.sqrt(variance)):
            at.append(now)
        error = demand - forecast
        variance += 0.05 * (error * error - variance)
        level += 0.1 * error
    return at


def test_a_steady_series_does_not_drift():
    """20 series of 1,000 buckets, with and without a season: no more than 2 findings in all."""
    rng, season = np.random.default_rng(1), 3 * np.sin(np.arange(SEASON))
    flat = sum(len(found(rng.poisson(4, 1000))) for _ in range(10))
    wavy = sum(len(found(rng.poisson(4 + np.resize(season, 1000)), season)) for _ in range(10))
    assert flat + wavy <= 2


def test_three_times_the_demand_is_found_within_a_month():
    """All of 20 series that treble at bucket 200 are found by bucket 228, none before."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        at = found(rng.poisson(np.repeat([4, 12], [200, 60])))
        assert at
        assert 200 <= at[0] < 228


def test_an_outlier_is_no_drift():
    """One order of a thousand times the mean is clipped."""
    rng = np.random.default_rng(3)
    demands = rng.poisson(4, 400).astype(float)
    demands[200] = 4000
    assert found(demands) == []


def test_unknown_demand_and_no_spread_are_passed_over():
    """NaN and a spread of 0 (constant demand) neither raise nor drift."""
    watch = DriftWatch(MODEL, SEASON)
    for now in range(200):
        assert watch.learn_one(math.nan if now % 2 else 5.0, 5.0, 0.0 if now % 3 else 1.0) is None


@pytest.mark.parametrize("cut", [0, 1, 30, 205, 214])
def test_a_restored_watch_goes_on_as_it_was(cut):
    """Findings and state after a restore at any bucket are those without, the cut itself included."""
    rng = np.random.default_rng(4)
    demands = rng.poisson(np.repeat([4, 16, 2], [200, 100, 100])).tolist()
    whole, found_parts = DriftWatch(MODEL, SEASON), []
    found_whole = [whole.learn_one(demand, 4.0, 2.0) for demand in demands]
    part = DriftWatch(MODEL, SEASON)
    for now, demand in enumerate(demands):
        if now == cut:
            stored, part = part.snapshot(), DriftWatch(MODEL, SEASON)
            part.restore(stored)
        found_parts.append(part.learn_one(demand, 4.0, 2.0))
    assert found_parts == found_whole
    assert any(found_whole)
    assert part.snapshot() == whole.snapshot()


def test_bytes_of_another_river_are_refused():
    """State of another version of River is a recovery error, not a fresh detector nor a panic."""
    watch = DriftWatch(MODEL, SEASON)
    state = watch.snapshot()
    state[0] = "0.1"
    with pytest.raises(RecoveryError, match=r"River 0\.1"):
        watch.restore(state)
