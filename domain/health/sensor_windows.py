"""Statistics of sensor readings per window, a function of the set of readings alone, not of their order.

Readings are sorted by value before anything is computed, sums are correctly rounded (`math.fsum`), and spread is
computed on values scaled by a power of two, so that readings at either end of the float range give neither
infinity nor zero. Quantiles interpolate linearly, as numpy's default.
"""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.windows import WINDOW_START

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "entity": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    "event_time": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
}
"""Columns needed of sensor.reading rows."""

KEY: Final = ("entity", "metric", "unit", WINDOW_START)
"""Key of a window row."""

_QUANTILES: Final = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
_MIDDLE: Final = 0.5  # from here on numpy interpolates from the upper reading
_SUMMABLE: Final = 2.0**960  # a window of readings up to here adds up without overflow


class SensorWindows:
    """Columns of the output `sensor_window` but for contract, window_end, revision and final, sorted by key.

    Readings are kept until their window is final: quantiles need them all.
    """

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._rows = pl.DataFrame(schema=COLUMNS)

    def fold(self, rows: pl.DataFrame) -> None:
        """Take in rows; every later call brings only rows that belong behind them."""
        if rows.height:
            self._rows = pl.concat([self._rows, rows.select(COLUMNS.keys())])

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """Statistics of windows that start in [start, end), of readings folded and pending; changes nothing."""
        rows = pl.concat([self._rows, pending.select(COLUMNS.keys())])
        at = rows["event_time"].to_physical()
        ceiling = -(-end // self._window) * self._window
        floor = -(-start // self._window) * self._window
        return statistics(rows.filter((at >= floor) & (at < ceiling)), self._window)

    def close(self, end: int) -> pl.DataFrame:
        """Statistics of all windows that end at or before `end`, whose readings are then forgotten."""
        done = self._rows["event_time"].to_physical() < end // self._window * self._window
        closed = self._rows.filter(done)
        self._rows = self._rows.filter(~done)
        return statistics(closed, self._window)

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {"rows": to_bytes(self._rows)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self._rows = from_bytes(state["rows"])


def statistics(rows: pl.DataFrame, window_us: int) -> pl.DataFrame:
    """One row per key of `KEY`, from rows with `COLUMNS` in any order; windows start at multiples of `window_us`."""
    # Minus zero equals zero, so which of them came first would show.
    rows = rows.select(
        "entity",
        "metric",
        "unit",
        pl.Series(WINDOW_START, rows["event_time"].to_physical().to_numpy() // window_us * window_us, pl.Int64),
        pl.Series("value", rows["value"].to_numpy() + 0.0, pl.Float64),
        pl.col("event_time").to_physical().alias("at"),
    ).sort(*KEY, "value", "at")
    keys = rows.group_by(KEY, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("readings"))
    counts = keys["readings"].to_numpy()
    ends = np.cumsum(counts)
    starts = ends - counts
    values = rows["value"].to_numpy()
    low, high = values[starts], values[ends - 1]
    mean = _means(values, starts, counts)
    columns = {
        "mean": mean,
        "std": _spread(values, starts, counts),
        "min": low,
        "max": high,
        **{name: _quantile(values, starts, counts, q) for name, q in _QUANTILES.items()},
        "last": values[_latest(rows["at"].to_numpy(), starts, counts)],
    }
    frame = keys.with_columns(pl.Series(name, column, pl.Float64) for name, column in columns.items())
    return frame.with_columns(pl.col("std").fill_nan(None))


def _sums(values: Float64, starts: Int64) -> Float64:
    """Correctly rounded sum per group."""
    edges = [*starts.tolist(), len(values)]
    plain = values.tolist()
    return np.array([math.fsum(plain[a:b]) for a, b in itertools.pairwise(edges)], dtype=np.float64)


def _exponents(values: Float64, starts: Int64, counts: Int64) -> Int64:
    """Power of two just above the largest magnitude, per group."""
    if len(starts) == 0:
        return np.empty(0, dtype=np.int64)
    largest = np.maximum(np.abs(values[starts]), np.abs(values[starts + counts - 1]))
    exponents: Int64 = np.frexp(largest)[1].astype(np.int64)
    return exponents


def _means(values: Float64, starts: Int64, counts: Int64) -> Float64:
    exponents = _exponents(values, starts, counts)
    shift = np.where(exponents > math.log2(_SUMMABLE), exponents, 0)
    means = np.ldexp(_sums(np.ldexp(values, -np.repeat(shift, counts)), starts) / counts, shift)
    # A sum rounded and divided can end one step outside of the readings.
    bounded: Float64 = np.clip(means, values[starts], values[starts + counts - 1])
    return bounded


def _spread(values: Float64, starts: Int64, counts: Int64) -> Float64:
    """Sample standard deviation per group; NaN for one reading."""
    exponents = _exponents(values, starts, counts)
    scaled = np.ldexp(values, -np.repeat(exponents, counts))
    from_mean = scaled - np.repeat(_sums(scaled, starts) / counts, counts)
    # The mean is rounded: what the deviations from it still sum to is taken off again.
    squares = _sums(from_mean**2, starts) - _sums(from_mean, starts) ** 2 / counts
    variance = np.divide(np.maximum(squares, 0), counts - 1, out=np.full(len(counts), np.nan), where=counts > 1)
    with np.errstate(over="ignore"):  # 1e308 and -1e308 have a deviation that no float can hold
        spread = np.ldexp(np.sqrt(variance), exponents)
    largest = np.finfo(np.float64).max
    bounded: Float64 = np.minimum(spread, largest)
    return bounded


def _quantile(values: Float64, starts: Int64, counts: Int64, q: float) -> Float64:
    """Quantile per group of sorted values, by numpy's linear rule."""
    place = (counts - 1) * q
    below = np.floor(place).astype(np.int64)
    low = values[starts + below]
    high = values[starts + np.minimum(below + 1, counts - 1)]
    t = place - below
    with np.errstate(over="ignore", invalid="ignore"):
        step = high - low
        near = np.where(t < _MIDDLE, low + step * t, high - step * (1 - t))
    found: Float64 = np.where(np.isfinite(step), near, low * (1 - t) + high * t)
    return found


def _latest(at: Int64, starts: Int64, counts: Int64) -> Int64:
    """Index of the reading with the latest event time per group; the largest where several share it."""
    if len(starts) == 0:
        return starts
    newest = np.repeat(np.maximum.reduceat(at, starts), counts)
    places: Int64 = np.maximum.reduceat(np.where(at == newest, np.arange(len(at)), -1), starts)
    return places
