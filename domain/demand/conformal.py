"""Adaptive conformal levels: intervals learn from their own misses how wide they must be.

An interval is asked for at a miss rate `a`, and a moves with each verdict (Gibbs and Candes 2021, Adaptive
conformal inference under distribution shift, NeurIPS):

    a <- clip(a + step (target - miss), least - reach, most)

What is asked for is never below `least`: quantiles further out say little. Where a goes on below it, the variance is
multiplied by exp(widen (least - a)) instead, or misses would stay too many where they are many at that bound: it is
what lets misses come as often as wanted whatever the errors are. `widen` = 15 is the rate at which the variance of a
normal grows with an interval asked for at .05 and then at .005.

A verdict exists only when the interval's window has closed: the demand of h buckets is known after the h-th.
Until then the interval waits in a queue of h places, and a does not move. The variance of the window is scaled
besides, by the errors of windows that have closed (`window_scale`).

Series are rows of arrays, so that all series of a bucket are judged at once; none depends on another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.demand.window_scale import WindowScale

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_SCALE: Final = WindowScale()
_WIDEST: Final = 10.0
"""The variance grows by no more than e^10 beyond the least rate."""
_RATE, _TURN, _RATIOS, _WINDOWS = range(4)
_ROW: Final = 4
"""Of a row: rate, place that closes next, and the windows that have closed: faded sum of ratios, faded number."""
_LOWER, _UPPER, _DEMAND, _MEAN, _VARIANCE = range(5)
_OPEN: Final = 5
_NOT_OPEN: Final = np.array([[np.nan], [np.nan], [0.0], [np.nan], [np.nan]])
"""Of a window, by place: bounds, demand so far, mean and variance that are thought of it."""


@dataclass(frozen=True, slots=True)
class AdaptiveLevel:
    """Parameters: the miss rate wanted, the step of each verdict, and the bounds of the rate asked for.

    `widen`: growth of the log of the variance where the rate would go below `least`, as far as `reach` below it.
    """

    target: float = 0.05
    step: float = 0.005
    least: float = 0.005
    most: float = 0.2
    widen: float = 15.0
    reach: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.target <= self.most < 1 or not 0 <= self.step < 1:
            raise ValueError(f"0 < least <= target <= most < 1 and 0 <= step < 1 must hold: {self}")
        if self.widen < 0 or self.reach < 0 or self.widen * self.reach > _WIDEST:
            raise ValueError(f"widen and reach must be 0 or more, their product {_WIDEST:g} at most: {self}")

    def after(self, rate: Float64, missed: Bool) -> Float64:
        """Rates after verdicts.

        >>> AdaptiveLevel().after(np.array([0.05, 0.05]), np.array([True, False])).round(5).tolist()
        [0.04525, 0.05025]
        """
        return np.clip(rate + self.step * (self.target - missed), self.least - self.reach, self.most)

    def asked(self, rate: Float64) -> Float64:
        """Miss rate to ask for."""
        return np.maximum(rate, self.least)

    def factor(self, rate: Float64) -> Float64:
        """On the variance.

        >>> AdaptiveLevel().factor(np.array([0.2, 0.005, -0.04, -0.245])).round(2).tolist()
        [1.0, 1.0, 1.96, 42.52]
        """
        return np.exp(self.widen * np.maximum(self.least - rate, 0.0))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What closed windows showed, one entry per row that was learned: closed or not yet, missed (closed only)."""

    closed: Bool
    missed: Bool


class ConformalLevels:
    """Levels, scales and open intervals of many series for one horizon of `horizon` buckets.

    For each row in every bucket: `learn` its demand, then `expect` and `issue` the interval of the next `horizon`
    buckets (or none). Rows are numbers in [0, capacity); `grow` makes room.
    """

    def __init__(self, model: AdaptiveLevel, horizon: int, capacity: int = 0, scale: WindowScale = _SCALE) -> None:
        if horizon < 1:
            raise ValueError(f"a window has 1 bucket or more, not {horizon}")
        self.model = model
        self.scale = scale
        self.horizon = horizon
        self._row: Float64 = np.tile([model.target, 0.0, 0.0, 0.0], (capacity, 1))
        self._open: Float64 = np.tile(_NOT_OPEN, (capacity, 1, horizon))

    @property
    def width(self) -> int:
        """Numbers in a packed row."""
        return _ROW + _OPEN * self.horizon

    def grow(self, capacity: int) -> None:
        """Room for rows up to `capacity`; new ones are fresh."""
        fresh = ConformalLevels(self.model, self.horizon, capacity - len(self._row))
        self._row = np.concatenate([self._row, fresh._row])
        self._open = np.concatenate([self._open, fresh._open])

    def level(self, rows: Int64) -> Float64:
        """Miss rate to ask for."""
        return self.model.asked(self._row[rows, _RATE])

    def learn(self, rows: Int64, demand: Float64) -> Verdicts:
        """A bucket's demand of each row (no row twice): adds it to open windows, judges the one that closes."""
        self._open[rows, _DEMAND] += demand[:, None]
        place = self._row[rows, _TURN].astype(np.int64)
        lower, upper, total, mean, variance = self._open[rows, :, place].T
        closed = ~np.isnan(upper)
        missed = closed & ((total < lower) | (total > upper))
        rate = self._row[rows, _RATE]
        self._row[rows, _RATE] = np.where(closed, self.model.after(rate, missed), rate)
        known = self._row[rows, _RATIOS : _WINDOWS + 1]
        self._row[rows, _RATIOS : _WINDOWS + 1] = self.scale.after(known, total - mean, variance)
        self._open[rows, :, place] = _NOT_OPEN[:, 0]
        self._row[rows, _TURN] = (place + 1) % self.horizon
        return Verdicts(closed, missed)

    def expect(self, rows: Int64, mean: Float64, variance: Float64) -> Float64:
        """Note what is thought of the `horizon` buckets after the one last learned; gives the variance to go by."""
        place = self._last(rows)
        self._open[rows, _MEAN, place] = mean
        self._open[rows, _VARIANCE, place] = variance
        ratios, windows = self._row[rows, _RATIOS], self._row[rows, _WINDOWS]
        factor = self.scale.factor(ratios, windows, self.horizon) * self.model.factor(self._row[rows, _RATE])
        return variance * factor

    def issue(self, rows: Int64, lower: npt.ArrayLike, upper: npt.ArrayLike) -> None:
        """Intervals of the `horizon` buckets after the one last learned; bounds belong to the interval."""
        place = self._last(rows)
        self._open[rows, _LOWER, place] = lower
        self._open[rows, _UPPER, place] = upper

    def _last(self, rows: Int64) -> Int64:
        place: Int64 = (self._row[rows, _TURN].astype(np.int64) - 1) % self.horizon
        return place

    def pack(self, row: int) -> bytes:
        """All that is known of a row: `width` doubles."""
        return np.concatenate([self._row[row], self._open[row].ravel()]).tobytes()

    def unpack(self, row: int, data: bytes) -> None:
        """Put a packed row in place; ValueError for one of another horizon."""
        numbers = np.frombuffer(data, dtype=np.float64)
        if len(numbers) != self.width:
            raise ValueError(f"{len(numbers)} numbers, horizon {self.horizon} has {self.width}")
        self._row[row], self._open[row] = numbers[:_ROW], numbers[_ROW:].reshape(_OPEN, self.horizon)

    def clear(self, row: int) -> None:
        """Make a row fresh again."""
        self._row[row], self._open[row] = (self.model.target, 0.0, 0.0, 0.0), _NOT_OPEN
