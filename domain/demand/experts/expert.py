"""What every expert is: a River forecaster of demand that never raises, never diverges and can be stored.

Rules, tested for each expert by one battery:

- A value is the demand of one bucket. NaN and infinity stand for "not known": no estimate moves, only the season
  goes on. What is below 0 counts as 0, what is above `HIGHEST` as `HIGHEST`, so squares stay finite.
- A forecast is finite and not below 0, before the first value too, and changes nothing.
- `snapshot` gives the state, not the parameters, as a flat list of numbers (names, for a mix); an expert of the
  same parameters that restores it goes on bit for bit. Never pickle: pickles embed module paths.
- Early gain: the n-th value has weight max(gain, 1/n), so a mean of few values is their plain mean.
"""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar, Final

from river.time_series.base import Forecaster

HIGHEST: Final = 1e18
"""Largest demand of a bucket: about what a 64-bit count of thousandths can hold."""

State = list[Any]
"""Numbers, texts and lists of them, as MessagePack stores them."""
Features = dict[str, float]
"""River's exogenous features; experts take them for River's sake and do without."""


class Expert(Forecaster):
    """One way to forecast demand. Its text names method, version and parameters, for the record of an estimate."""

    __slots__ = ()
    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1
    """Rises when equal parameters and values no longer give equal forecasts, or the snapshot has another form."""
    FLAT: ClassVar[bool] = False
    """Whether all buckets ahead have the same forecast."""

    def __str__(self) -> str:
        listed = ",".join(f"{name}={value:g}" for name, value in self._get_params().items())
        return f"{self.NAME}@{self.VERSION}({listed})"

    @abc.abstractmethod
    def learn_one(self, y: float, x: Features | None = None) -> None:
        """Take in the demand of the next bucket; NaN where it is not known."""

    @abc.abstractmethod
    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Expected demand of each of the next `horizon` buckets."""

    @abc.abstractmethod
    def snapshot(self) -> State:
        """State as primitives; parameters are not in it."""

    @abc.abstractmethod
    def restore(self, state: State) -> None:
        """Go on from a snapshot of an expert with the same parameters; ValueError where it has another form."""


def tamed(y: float) -> float | None:
    """Demand within 0 to `HIGHEST`, None where it is not known.

    >>> tamed(-3.0), tamed(1e300), tamed(float("nan")), tamed(float("inf"))
    (0.0, 1e+18, None, None)
    """
    if not math.isfinite(y):
        return None
    return min(max(float(y), 0.0), HIGHEST)


def checked(**gains: float) -> None:
    """Refuse gains that are not above 0 and at most 1; the message names each."""
    wrong = {name: gain for name, gain in gains.items() if not 0 < gain <= 1}
    if wrong:
        listed = ", ".join(f"{name}={gain:g}" for name, gain in wrong.items())
        raise ValueError(f"gains must be above 0 and at most 1: {listed}")
