"""Sensor statistics against the standard library, numpy and exact fractions, on hard values."""

from __future__ import annotations

import math
import statistics as exact
from collections import defaultdict
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.health.sensor_windows import COLUMNS, SensorWindows, statistics
from schemas.outputs import SENSOR_WINDOW

WINDOW = 60_000_000
SMALLEST = Fraction(5e-324)
LARGEST = float(np.finfo(np.float64).max)
HARD = [0.0, -0.0, 1e308, -1e308, LARGEST, -LARGEST, 5e-324, -5e-324, 2.2e-308, 1.0, 1.0 + 2**-52, 0.1, 1e16, -1e16]

values = st.one_of(st.sampled_from(HARD), st.floats(allow_nan=False, allow_infinity=False), st.floats(-100, 100))
readings = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("mn"), st.sampled_from([0, 1, 59, 60, 61, 119]), values),
    min_size=1,
    max_size=50,
)


def frame(rows):
    data = [(entity, metric, "Cel", at * 1_000_000, value) for entity, metric, at, value in rows]
    raw = pl.DataFrame(data, schema=COLUMNS | {"event_time": pl.Int64}, orient="row")
    return raw.with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))


def nearest(value):
    """Float of a fraction, the largest float where it lies beyond."""
    try:
        return float(value)
    except OverflowError:
        return LARGEST if value > 0 else -LARGEST


def close(found, expected, scale):
    """Equal but for two bits of the largest reading, or one step of the smallest float."""
    bound = Fraction(scale) * Fraction(2) ** -50 + SMALLEST
    return abs(Fraction(found) - Fraction(expected)) <= bound


def quantile(ordered, q):
    place = (len(ordered) - 1) * q
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (Fraction(place) - below)


@settings(max_examples=500, deadline=None)
@given(readings, st.randoms(use_true_random=False))
@example([("a", "m", 0, LARGEST)] * 3, None)
@example([("a", "m", 0, LARGEST), ("a", "m", 0, -LARGEST)], None)
@example([("a", "m", 0, 5e-324), ("a", "m", 1, 0.0)], None)
@pytest.mark.slow
def test_statistics_equal_those_of_exact_fractions(rows, chance):
    """Every statistic is that of exact arithmetic, to the last bits, and independent of the order of readings."""
    shuffled = list(rows)
    if chance is not None:
        chance.shuffle(shuffled)
    result = statistics(frame(rows), WINDOW)
    again = statistics(frame(shuffled), WINDOW)
    assert result.equals(again)
    assert [math.copysign(1, v) for v in result["min"]] == [math.copysign(1, v) for v in again["min"]]
    groups = defaultdict(list)
    for entity, metric, at, value in rows:
        groups[entity, metric, at // 60 * WINDOW].append((at, value))
    assert [(r[0], r[1], r[3]) for r in result.rows()] == sorted(groups)
    for row in result.iter_rows(named=True):
        members = groups[row["entity"], row["metric"], row["window_start"]]
        ordered = sorted(Fraction(v) for _, v in members)
        scale = max(abs(v) for v in ordered)
        assert row["readings"] == len(members)
        assert row["min"] == min(v for _, v in members)
        assert row["max"] == max(v for _, v in members)
        assert row["last"] == max(members)[1]
        assert row["min"] <= row["mean"] <= row["max"]
        assert close(row["mean"], nearest(sum(ordered) / len(ordered)), scale)
        for name, q in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
            assert close(row[name], nearest(quantile(ordered, q)), scale)
        if len(members) == 1:
            assert row["std"] is None
        else:
            variance = exact.variance(ordered)
            expected = Fraction(math.sqrt(float(variance / scale**2))) * scale if scale else 0
            assert close(row["std"], nearest(expected), 4 * scale)


def test_ordinary_readings_have_numpys_statistics():
    """For readings like a thermometer's, quantiles equal numpy's exactly, mean and deviation to 1e-14."""
    rng = np.random.default_rng(3)
    sample = rng.normal(80, 5, 997)
    row = statistics(frame([("a", "m", 1, float(v)) for v in sample]), WINDOW).row(0, named=True)
    assert [row["p05"], row["p50"], row["p95"]] == np.quantile(sample, [0.05, 0.5, 0.95]).tolist()
    assert row["mean"] == exact.fmean(sample.tolist())
    assert row["std"] == pytest.approx(float(np.std(sample, ddof=1)), rel=1e-14)


def test_quantiles_are_numpys_to_the_last_bit():
    """For 1 to 60 readings every quantile is the float that numpy gives."""
    rng = np.random.default_rng(4)
    samples = [rng.normal(0, 5, n) for n in range(1, 61)]
    rows = [(f"e{n:02d}", "m", 0, float(v)) for n, sample in enumerate(samples) for v in sample]
    result = statistics(frame(rows), WINDOW).select("p05", "p50", "p95").rows()
    assert result == [tuple(np.quantile(sample, [0.05, 0.5, 0.95]).tolist()) for sample in samples]


def test_a_small_spread_around_a_large_mean_survives():
    """Spread beside a mean that is rounded as coarsely as the readings themselves is still right."""
    for sample, expected in (([1e9, 1e9 + 1, 1e9 + 2], 1.0), ([1e16, 1e16 + 2], math.sqrt(2))):
        row = statistics(frame([("a", "m", 0, v) for v in sample]), WINDOW).row(0, named=True)
        assert row["std"] == pytest.approx(expected, rel=1e-15)


def test_minus_zero_does_not_tell_the_order_of_readings():
    """Zero and minus zero give the same bits in either order."""
    for sample in ([0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]):
        row = statistics(frame([("a", "m", 0, v) for v in sample]), WINDOW).row(0, named=True)
        assert [math.copysign(1, row[name]) for name in ("min", "max", "p50", "mean", "last")] == [1.0] * 5


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(readings, st.integers(0, 50))
def test_folding_peeking_and_closing_see_each_reading_once(rows, cut):
    """Windows look the same ahead of time, when closed and after a restart."""
    data = frame(rows)
    whole = statistics(data, WINDOW)
    subject = SensorWindows(WINDOW)
    subject.fold(data[:cut])
    assert subject.peek(data[cut:], -(2**62), 2**62).equals(whole)
    second = subject.peek(data[cut:], WINDOW, 2 * WINDOW)
    assert second.equals(whole.filter(pl.col("window_start") == WINDOW))
    subject.fold(data[cut:])
    resumed = SensorWindows(WINDOW)
    resumed.restore(subject.snapshot())
    first = resumed.close(2 * WINDOW - 1)
    assert first.equals(whole.filter(pl.col("window_start") == 0))
    assert resumed.close(2 * WINDOW).equals(second)
    assert resumed.close(2**62).height == 0


def test_rows_have_the_columns_of_the_output():
    """What is given lacks only contract and the columns of the stage of a window."""
    schema = dict(SENSOR_WINDOW.schema)
    for name in ("window_end", "revision", "final", "contract"):
        del schema[name]
    expected = pl.Schema(schema | {"window_start": pl.Int64})
    assert dict(statistics(frame([("a", "m", 0, 1.0)]), WINDOW).schema) == dict(expected)
    assert dict(statistics(frame([]), WINDOW).schema) == dict(expected)
