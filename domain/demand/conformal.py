"""Adaptive conformal levels: intervals learn from their own misses how wide they must be.

An interval is asked for at a miss rate `a`, and a moves with each verdict (Gibbs and Candes 2021, Adaptive
conformal inference under distribution shift, NeurIPS):

    a <- clip(a + step (target - miss), narrowest, widest)

A verdict exists only when the interval's window has closed: the demand of h buckets is known after the h-th.
Until then the interval waits in a queue of h places, and a does not move.

Series are rows of arrays, so that all series of a bucket are judged at once; none depends on another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AdaptiveLevel:
    """Parameters: the miss rate wanted, the step of each verdict, and the bounds of the rate asked for."""

    target: float = 0.05
    step: float = 0.005
    least: float = 0.005
    most: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.target <= self.most < 1 or not 0 <= self.step < 1:
            raise ValueError(f"0 < least <= target <= most < 1 and 0 <= step < 1 must hold: {self}")

    def after(self, level: Float64, missed: Bool) -> Float64:
        """Rates to ask for after verdicts.

        >>> AdaptiveLevel().after(np.array([0.05, 0.05]), np.array([True, False])).round(5).tolist()
        [0.04525, 0.05025]
        """
        return np.clip(level + self.step * (self.target - missed), self.least, self.most)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What closed windows showed, one entry per row that was learned: closed or not yet, missed (closed only)."""

    closed: Bool
    missed: Bool


class ConformalLevels:
    """Levels and open intervals of many series for one horizon of `horizon` buckets.

    For each row in every bucket: `learn` its demand, then `issue` the interval of the next `horizon` buckets (or
    none). Rows are numbers in [0, capacity); `grow` makes room.
    """

    def __init__(self, model: AdaptiveLevel, horizon: int, capacity: int = 0) -> None:
        if horizon < 1:
            raise ValueError(f"a window has 1 bucket or more, not {horizon}")
        self.model = model
        self.horizon = horizon
        self._level: Float64 = np.full(capacity, model.target)
        self._lower: Float64 = np.full((capacity, horizon), np.nan)
        self._upper: Float64 = np.full((capacity, horizon), np.nan)
        self._demand: Float64 = np.zeros((capacity, horizon))
        self._turn: Int64 = np.zeros(capacity, dtype=np.int64)

    @property
    def width(self) -> int:
        """Numbers in a packed row."""
        return 2 + 3 * self.horizon

    def grow(self, capacity: int) -> None:
        """Room for rows up to `capacity`; new ones are fresh."""
        fresh = ConformalLevels(self.model, self.horizon, capacity - len(self._level))
        self._level = np.concatenate([self._level, fresh._level])
        self._lower = np.concatenate([self._lower, fresh._lower])
        self._upper = np.concatenate([self._upper, fresh._upper])
        self._demand = np.concatenate([self._demand, fresh._demand])
        self._turn = np.concatenate([self._turn, fresh._turn])

    def level(self, rows: Int64) -> Float64:
        """Miss rate to ask for."""
        return self._level[rows]

    def learn(self, rows: Int64, demand: Float64) -> Verdicts:
        """A bucket's demand of each row (no row twice): adds it to open windows, judges the one that closes."""
        self._demand[rows] += demand[:, None]
        place = self._turn[rows] % self.horizon
        lower, upper, total = self._lower[rows, place], self._upper[rows, place], self._demand[rows, place]
        closed = ~np.isnan(upper)
        missed = closed & ((total < lower) | (total > upper))
        self._level[rows] = np.where(closed, self.model.after(self._level[rows], missed), self._level[rows])
        self._lower[rows, place] = self._upper[rows, place] = np.nan
        self._demand[rows, place] = 0.0
        self._turn[rows] += 1
        return Verdicts(closed, missed)

    def issue(self, rows: Int64, lower: npt.ArrayLike, upper: npt.ArrayLike) -> None:
        """Intervals of the `horizon` buckets after the one last learned; bounds belong to the interval."""
        place = (self._turn[rows] - 1) % self.horizon
        self._lower[rows, place] = lower
        self._upper[rows, place] = upper

    def pack(self, row: int) -> bytes:
        """All that is known of a row: `width` doubles."""
        turn = np.array([self._turn[row] % self.horizon], dtype=np.float64)
        parts = [self._level[row : row + 1], turn, self._lower[row], self._upper[row], self._demand[row]]
        return np.concatenate(parts).tobytes()

    def unpack(self, row: int, data: bytes) -> None:
        """Put a packed row in place; ValueError for one of another horizon."""
        numbers = np.frombuffer(data, dtype=np.float64)
        if len(numbers) != self.width:
            raise ValueError(f"{len(numbers)} numbers, horizon {self.horizon} has {self.width}")
        self._level[row], self._turn[row] = numbers[0], int(numbers[1])
        self._lower[row], self._upper[row], self._demand[row] = numbers[2:].reshape(3, self.horizon)

    def clear(self, row: int) -> None:
        """Make a row fresh again."""
        self._level[row], self._turn[row] = self.model.target, 0
        self._lower[row] = self._upper[row] = np.nan
        self._demand[row] = 0.0
