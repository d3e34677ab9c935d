"""River's SNARIMAX, guarded: an online regression on the last values and that of a season ago.

River's default (squared loss, raw values) diverges on demand. The guards:

- Values are standardised by their own running mean and deviation, taken with the value itself, so none is further
  than `_FURTHEST` deviations out, and the learning rate means the same at any scale.
- Huber loss bounds the slope beyond `_BEND` deviations; with it and the bounded features no step is larger than
  rate x `_BEND` x `_FURTHEST`, and the shrinkage `_SHRINK` bounds the weights. A bend at 1 gives less than the mean of
  uneven demand: 5 % of negative binomial demand with a variance of four times the mean.
- A forecast that is not finite becomes the mean; none is below 0 or above `_CAP` times the largest value of late.

River: `river.time_series.SNARIMAX`. Anava, Hazan, Mannor and Shamir (2013), COLT, 172.
"""

from __future__ import annotations

import math
from functools import cache
from operator import mul
from typing import Any, Final

from river.linear_model import LinearRegression
from river.optim import SGD
from river.optim.losses import Huber
from river.time_series import SNARIMAX
from river.utils import VectorDict

from domain.demand.experts.expert import HIGHEST, Expert, Features, State, checked, tamed

_KEEP: Final = 0.02
"""Weight of the newest value in mean and deviation."""
_FURTHEST: Final = math.sqrt((1 - _KEEP) / _KEEP)
"""A value weighs `_KEEP` in its own mean and deviation, so it is at most so many deviations out."""
_BEND: Final = 2.0
_SHRINK: Final = 1e-3
_CAP: Final = 10.0
_SEASONS: Final = 4
_LEAST: Final = 28
"""The largest value of late is that of the last `_SEASONS` seasons to twice as many; of `_LEAST` buckets at least."""


class GuardedSNARIMAX(Expert):
    """River's SNARIMAX with `p` last values and, where `season` > 1, that of `season` buckets ago.

    Parameters: `season` in buckets, at least 1; `p`, at least 1; `rate`, that of learning, above 0 and at most 1.
    An unknown value is replaced by its forecast, and nothing is learned of it. State: `season` floats and 3.

    >>> expert = GuardedSNARIMAX(season=2, p=1)
    >>> for y in [4.0, 8.0] * 200:
    ...     expert.learn_one(y)
    >>> [round(mean, 1) for mean in expert.forecast(4)]
    [4.0, 8.0, 4.0, 8.0]
    """

    __slots__ = (
        "_block",
        "_mean",
        "_model",
        "_peak",
        "_peak_before",
        "_regression",
        "_seen",
        "_var",
        "p",
        "rate",
        "season",
    )
    NAME = "snarimax"
    VERSION = 2

    def __init__(self, season: int = 7, p: int = 2, rate: float = 0.02) -> None:
        checked(rate=rate)
        if season < 1 or p < 1:
            raise ValueError(f"season and p must be at least 1: season={season}, p={p}")
        self.season = season
        self.p = p
        self.rate = rate
        self._block = max(_LEAST, _SEASONS * season)
        self._seen = 0
        self._mean = 0.0
        self._var = 0.0
        self._peak = 0.0
        self._peak_before = 0.0
        self._regression = LinearRegression(optimizer=SGD(rate), loss=Huber(_BEND), l2=_SHRINK, intercept_lr=rate)
        self._model: Any = SNARIMAX(p=p, d=0, q=0, m=season, sp=int(season > 1), regressor=self._regression)

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Move mean and deviation, then let the regression learn the standardised value."""
        if not 0.0 <= y <= HIGHEST:
            known = tamed(y)
            if known is None:
                self._pass_over()
                return
            y = known
        seen = self._seen
        if seen % self._block == 0:
            self._peak_before = self._peak
            self._peak = 0.0
        self._peak = max(self._peak, y)
        self._seen = seen = seen + 1
        gain = _KEEP
        if seen * gain < 1.0:
            gain = 1.0 / seen
        away = y - self._mean
        self._mean += gain * away
        self._var = (1.0 - gain) * (self._var + gain * away * away)
        self._model.learn_one((y - self._mean) / self._deviation())

    def _pass_over(self) -> None:
        expected = (self.forecast(1)[0] - self._mean) / self._deviation()
        self._model.y_diff.appendleft(max(-_FURTHEST, min(_FURTHEST, expected)))

    def _deviation(self) -> float:
        return math.sqrt(self._var) or 1.0

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Regression carried forward on its own forecasts, in units of demand, within the guards."""
        mean = self._mean
        deviation = self._deviation()
        highest = _CAP * max(self._peak, self._peak_before)
        path = []
        for ahead in self._ahead(horizon):
            value = mean + deviation * ahead
            if not 0.0 <= value <= highest:
                value = min(max(value, 0.0), highest) if math.isfinite(value) else mean
            path.append(value)
        return path

    def _ahead(self, horizon: int) -> list[float]:
        """What `SNARIMAX.forecast` gives, which builds features by name for each bucket, at a fifth of its cost."""
        regression = self._regression
        weights = regression.weights
        p, season = self.p, self.season
        *near, far = [weights.get(name, 0.0) for name in _features(p, season)]
        intercept = regression.intercept
        lags = [*self._model.y_diff]
        lags.reverse()
        lags = [0.0] * (max(p, season) - len(lags)) + lags
        for _ in range(horizon):
            lags.append(intercept + sum(map(mul, near, lags[-p:])) + far * lags[-season])
        return lags[len(lags) - horizon :]

    def snapshot(self) -> State:
        """Values seen, mean, variance, two peaks; of the regression lags, intercept, steps, names and weights."""
        regression = self._regression
        weights = regression.weights
        return [
            *(self._seen, self._mean, self._var, self._peak, self._peak_before),
            list(self._model.y_diff),
            *(regression.intercept, regression.optimizer.n_iterations, list(weights), list(weights.values())),
        ]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._seen, self._mean, self._var, self._peak, self._peak_before, lags, *learned = state
        regression = self._regression
        regression.intercept, regression.optimizer.n_iterations, names, weights = learned
        regression._weights = VectorDict(dict(zip(names, weights, strict=True)))  # noqa: SLF001 - River has no setter
        self._model.y_diff.clear()
        self._model.y_diff.extend(lags)


@cache
def _features(p: int, season: int) -> tuple[str, ...]:
    """River's names of the lags, the oldest of the near ones first, that of a season ago last."""
    return (*(f"y-{lag}" for lag in range(p, 0, -1)), f"sy-{season}")
