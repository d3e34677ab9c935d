"""Ways to forecast the demand of the next h buckets in all, River's and ours, each behind the same two verbs.

River's own `HoltWinters` and `SNARIMAX` are guarded only against what would end the run: where one raises, or says
what is no finite number, the last value stands in for it, and such forecasts are counted (`Guarded.failed`). Nothing
is clipped that is finite, however large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import mul
from typing import Any, Protocol

import numpy as np
from river import time_series

from domain.demand.classes import DemandClass
from domain.demand.experts.catalogue import EXPERTS
from domain.demand.experts.croston import SBA, Croston
from domain.demand.experts.holt_winters import HoltWinters
from domain.demand.experts.ses import SES
from domain.demand.experts.snarimax import GuardedSNARIMAX
from domain.demand.experts.tsb import TSB
from domain.demand.hedge import FixedShare, Mix
from domain.demand.model import DemandModel
from domain.demand.series import Series

KEEP = 0.05


class Forecaster(Protocol):
    """What River calls a forecaster, as far as it is used here."""

    def learn_one(self, y: float) -> None:
        """Take in the next value."""

    def forecast(self, horizon: int) -> list[float]:
        """Means of the next buckets."""


class Naive:
    """The last value, or where there has been a season, that of a season ago."""

    def __init__(self, season: int = 1) -> None:
        self._season = season
        self._last: list[float] = []

    def learn_one(self, y: float) -> None:
        self._last = [*self._last[1 - self._season :], y] if self._season > 1 else [y]

    def forecast(self, horizon: int) -> list[float]:
        if len(self._last) < self._season:
            return [self._last[-1]] * horizon
        return [self._last[ahead % self._season] for ahead in range(horizon)]


class Guarded:
    """One of River's forecasters that goes on whatever happens; it learns nothing from a value on which it raised."""

    def __init__(self, forecaster: Any) -> None:
        self._forecaster = forecaster
        self._last = 0.0
        self.failed = 0
        self.asked = 0

    def learn_one(self, y: float) -> None:
        self._last = y
        try:
            self._forecaster.learn_one(y)
        except (ArithmeticError, IndexError, ValueError):
            self.failed += 1

    def forecast(self, horizon: int) -> list[float]:
        self.asked += 1
        try:
            path = [float(mean) for mean in self._forecaster.forecast(horizon)]
        except (ArithmeticError, IndexError, ValueError):
            path = [math.nan]
        if not math.isfinite(sum(path)):
            self.failed += 1
            return [self._last] * horizon
        return path


@dataclass(frozen=True, slots=True)
class Seasonal(DemandModel):
    """A demand model whose season is given, for series whose calendar Takt has not (months, quarters)."""

    buckets: int = 7

    @property
    def season(self) -> int:
        """Buckets of the season."""
        return self.buckets


class Whole:
    """The whole series as the flow has it: classes, experts, mix, bounds; alone, without a category."""

    def __init__(self, season: int, horizon: int) -> None:
        self.series = Series(Seasonal(horizon=horizon, buckets=season))

    def learn_one(self, y: float) -> None:
        self.series.learn_one(y)

    def forecast(self, horizon: int) -> list[float]:
        return [self.series.forecast().mean / horizon] * horizon


class ByDemand(FixedShare):
    """Hedge whose losses are measured by y^2, not by the mix's own error."""

    __slots__ = ()

    def learn_one(self, y: float, forecasts: Any) -> None:
        self._seen += 1
        self._scale += (y * y - self._scale) * max(KEEP, 1 / self._seen)
        if self._scale <= 0:
            return
        losses = [min(1.0, (y - forecast) ** 2 / (4 * self._scale)) for forecast in forecasts]
        raised = list(map(mul, self.weights, np.exp(-self.eta * np.array(losses)).tolist()))
        share = self.share / len(raised)
        self.weights = [(1 - self.share) * weight / sum(raised) + share for weight in raised]


def _by_demand(season: int, horizon: int) -> Whole:
    whole = Whole(season, horizon)
    mix = whole.series._mix  # noqa: SLF001 - what is compared is no choice that users have
    mix._shares = ByDemand(len(mix.names), mix.eta, mix.share)  # noqa: SLF001
    return whole


def _all_four(season: int, horizon: int) -> Mix:  # noqa: ARG001 - as the others
    return Mix(tuple(EXPERTS), season)


CONTENDERS: Mapping[str, Callable[[int, int], Forecaster]] = {
    "naive": lambda _season, _horizon: Naive(),
    "seasonal naive": lambda season, _horizon: Naive(season),
    "SES": lambda _season, _horizon: SES(),
    "Croston": lambda _season, _horizon: Croston(),
    "SBA": lambda _season, _horizon: SBA(),
    "TSB": lambda _season, _horizon: TSB(),
    "River HoltWinters": lambda season, _: Guarded(time_series.HoltWinters(0.1, 0.02, 0.1, seasonality=season)),
    "River SNARIMAX": lambda season, _: Guarded(time_series.SNARIMAX(p=2, d=0, q=0, m=season, sp=1)),
    "our Holt-Winters": lambda season, _horizon: HoltWinters(season),
    "our SNARIMAX": lambda season, _horizon: GuardedSNARIMAX(season),
    "mix of all four": _all_four,
    "series, scale y^2": _by_demand,
    "series (Takt)": Whole,
}
"""Makers by name, from season and horizon. The last is what flows use."""

CLASSES = tuple(DemandClass)
