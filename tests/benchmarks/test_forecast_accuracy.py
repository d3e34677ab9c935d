"""Scores of the forecast benchmarks are what their docstrings say, on series small enough to check by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from benchmarks.forecast_accuracy import (
    TAKT,
    forecasts,
    judged_from,
    measured,
    scores,
    syntetos_boylan,
    win_rates,
    windows,
)
from benchmarks.forecast_contenders import CONTENDERS, Guarded, Naive
from benchmarks.forecast_data import DataSet, _bucketed, picked


def test_a_window_is_the_demand_of_the_buckets_after_the_forecast():
    """Never of the bucket that was just learned."""
    assert windows(np.array([9.0, 1.0, 2.0, 3.0]), 2).tolist() == [3.0, 5.0]


def test_forecasts_are_judged_once_a_third_of_the_series_was_learned():
    """The naive forecast of the last bucket learned meets the window that begins after it."""
    values = np.arange(12.0)
    found, failed = forecasts("naive", values, 7, 2)
    assert judged_from(values, 2) == 4
    assert found.tolist() == [8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    assert len(windows(values, 2)[4:]) == len(found)
    assert failed == 0


def test_errors_are_relative_to_the_mean_and_to_the_window_before():
    """Naive on a line: each window of two is 3 above the forecast, and 4 above the window before."""
    values = np.arange(12.0)
    found, _ = forecasts("naive", values, 7, 2)
    errors = measured(found, values, 2)
    assert errors["rmse"] == pytest.approx(3 / windows(values, 2)[4:].mean())
    assert errors["scaled"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([4, 5, 4, 5], "smooth"),
        ([1, 1, 1, 20], "erratic"),
        ([0, 5, 0, 5], "intermittent"),
        ([0, 1, 0, 1, 0, 20], "lumpy"),
    ],
)
def test_classes_are_those_of_syntetos_and_boylan(values, name):
    """By the whole series."""
    assert syntetos_boylan(np.array(values, dtype=float)) == name


def test_every_contender_is_judged_on_the_same_windows():
    """A contender that fell out would be missing where it is bad."""
    random = np.random.default_rng(0)
    data = DataSet("d", {"a": random.poisson(3, 60).astype(float), "b": random.poisson(0.3, 60).astype(float)}, 7, 3)
    frame = scores(data)
    assert frame.group_by("contender").len()["len"].unique().to_list() == [2]
    assert frame.select(pl.col("rmse", "scaled").is_finite().all()).row(0) == (True, True)
    assert set(frame["contender"]) == set(CONTENDERS)


def test_ties_are_half_a_win():
    """Equal forecasts say nothing about who is better."""
    rows = [
        {"data": "d", "series": series, "class": "smooth", "contender": name, "rmse": error}
        for series, errors in {"a": (1.0, 1.0), "b": (2.0, 1.0), "c": (1.0, 3.0)}.items()
        for name, error in zip(("naive", TAKT), errors, strict=True)
    ]
    frame = win_rates(pl.DataFrame(rows))
    won = frame.filter(pl.col("contender") == "naive").select("series", "won").iter_rows()
    assert dict(won) == {"a": 0.5, "b": 1.0, "c": 0.0}


def test_the_seasonal_naive_forecast_repeats_the_last_season():
    """And the last value before there has been one."""
    naive = Naive(3)
    naive.learn_one(5.0)
    assert naive.forecast(2) == [5.0, 5.0]
    for y in (1.0, 2.0, 3.0):
        naive.learn_one(y)
    assert naive.forecast(4) == [1.0, 2.0, 3.0, 1.0]


class _Broken:
    def learn_one(self, y):
        raise ZeroDivisionError(y)

    def forecast(self, horizon):
        return [float("inf")] * horizon


def test_failures_of_others_are_replaced_and_counted():
    """A forecast that is not finite becomes the last value."""
    guarded = Guarded(_Broken())
    guarded.learn_one(4.0)
    assert guarded.forecast(2) == [4.0, 4.0]
    assert (guarded.failed, guarded.asked) == (2, 1)


def test_series_are_picked_by_their_beginning_only():
    """What comes after the first third may not decide who takes part."""
    days = [
        date(2026, 1, 1),
        date(2026, 1, 2),
        date(2026, 1, 3),
        date(2026, 1, 28),
        date(2026, 1, 29),
        date(2026, 1, 30),
    ]
    found = _bucketed(["early"] * 3 + ["late"] * 3, days, [2.0] * 6, days=1, least=3)
    assert list(found) == ["early"]
    assert found["early"].sum() == 6
    assert list(picked(DataSet("d", {"a": np.array([0.0, 0.0, 3.0, 0.0])}, 7, 1))["a"]) == [3.0, 0.0]
