"""Intervals are judged by the demand that comes after them, and only by that."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import forecast_intervals
from benchmarks.forecast_accuracy import windows
from benchmarks.forecast_data import DataSet
from benchmarks.forecast_intervals import WAYS, coverage, intervals

HORIZON = 3


def _poisson(series, seed=0):
    random = np.random.default_rng(seed)
    return {str(n): random.poisson(5, 200 + n).astype(float) for n in range(series)}


@pytest.mark.slow
def test_intervals_of_a_steady_poisson_hold_about_what_they_should():
    """By every way, for all of them are right about it."""
    frame = coverage(DataSet("d", _poisson(8), 7, HORIZON))
    shares = {way: part["held"].sum() / part["windows"].sum() for (way,), part in frame.group_by("way")}
    assert set(shares) == set(WAYS)
    assert all(0.92 < share < 0.99 for share in shares.values())


@pytest.mark.slow
def test_what_comes_later_does_not_move_an_interval():
    """Not even the adaptive one, and not by way of another series."""
    data = DataSet("d", {}, 7, HORIZON)
    values = list(_poisson(3).values())
    before = intervals(data, values)
    values[0] = np.concatenate([values[0][:150], values[0][150:] * 9])
    after = intervals(data, values)
    for way in WAYS:
        for bound in (0, 1):
            assert np.array_equal(before[0][way][bound][:150], after[0][way][bound][:150])
            assert np.array_equal(before[1][way][bound], after[1][way][bound])
    assert not np.array_equal(before[0]["NB"][1][150:], after[0]["NB"][1][150:])


def test_windows_that_all_lie_outside_are_all_missed():
    """Demand that jumps after each forecast is judged by the window after the bucket, not by the bucket."""
    values = np.full(60, 5.0)
    values[-HORIZON:] = 500.0
    data = DataSet("d", {"a": values}, 7, HORIZON)
    row = coverage(data).filter(way="NB").row(0, named=True)
    assert row["windows"] == 60 - HORIZON - 20
    assert row["windows"] - row["held"] == HORIZON


def test_an_interval_is_judged_by_the_window_it_was_made_for(monkeypatch):
    """Intervals that know what comes hold all of it, which they would not if they were shifted."""
    values = next(iter(_poisson(1).values()))
    known = np.concatenate([windows(values, HORIZON), np.full(HORIZON, np.nan)])
    monkeypatch.setattr(forecast_intervals, "intervals", lambda _data, _many: [dict.fromkeys(WAYS, (known, known))])
    frame = coverage(DataSet("d", {"a": values}, 7, HORIZON))
    assert (frame["held"] == frame["windows"]).all()
