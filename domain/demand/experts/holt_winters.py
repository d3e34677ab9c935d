"""Holt and Winters' exponential smoothing with damped trend and additive season, in error-correction form.

River's additive form starts the season by ratio, so it divides by zero when the first season is all zero, adds
ratios to a level, and raises before the first season is complete. Here the season starts as differences from the
mean of the first season, and the forecast until then is the mean so far.

Hyndman and Athanasopoulos, Forecasting: Principles and Practice, chapter 8 (model A, Ad, A).
"""

from __future__ import annotations

from array import array

from domain.demand.experts.expert import HIGHEST, Expert, Features, State, checked, tamed


class HoltWinters(Expert):
    """Level, damped trend and season, each moved by the error e of the one-step forecast.

    With season of m buckets, s the part of the bucket's place in it, l the level and b the trend:

        e = y - (l + phi b + s)
        l <- l + phi b + alpha e,  b <- phi b + alpha beta e,  s <- s + gamma e

    The first season is only collected: l is its mean, b is 0, and s half of the difference from the mean, since
    one value per place is as much noise as season. Then the gain of s falls as 1/3, 1/4 ... to `gamma`, that of l
    as 1/n to `alpha`. Without a season (m = 1) it is Holt's damped trend.

    Parameters: `season` in buckets, at least 1; `alpha`, `beta`, `gamma` above 0 and at most 1; `phi`, what is
    left of the trend a bucket later, above 0 and at most 1. State: one float for each place of the season.

    >>> expert = HoltWinters(season=2, gamma=0.5)
    >>> for y in [4.0, 8.0, 4.0, 8.0, 4.0, 8.0]:
    ...     expert.learn_one(y)
    >>> [round(mean, 2) for mean in expert.forecast(4)]  # on its way to 4, 8, 4, 8
    [4.22, 7.86, 4.22, 7.86]
    """

    __slots__ = ("_level", "_places", "_seen", "_trend", "alpha", "beta", "gamma", "phi", "season")
    NAME = "holt_winters"

    def __init__(
        self, season: int = 7, alpha: float = 0.1, beta: float = 0.02, gamma: float = 0.1, phi: float = 0.9
    ) -> None:
        checked(alpha=alpha, beta=beta, gamma=gamma, phi=phi)
        if season < 1:
            raise ValueError(f"season must be at least one bucket: {season}")
        self.season = season
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.phi = phi
        self._seen = 0
        self._level = 0.0
        self._trend = 0.0
        self._places = array("d", bytes(8 * season))

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Move level, trend and the bucket's place in the season."""
        seen = self._seen
        if not 0.0 <= y <= HIGHEST:
            known = tamed(y)
            if known is None:
                self._pass_over(seen)
                return
            y = known
        season = self.season
        self._seen = n = seen + 1
        if seen < season:
            self._collect(y, seen)
            return
        place = seen % season
        trend = self.phi * self._trend
        level = self._level + trend
        places = self._places
        error = y - level - places[place]
        gain = self.alpha
        if n * gain < 1.0:
            gain = 1.0 / n
        moved = gain * error
        self._level = level + moved
        self._trend = trend + self.beta * moved
        if season > 1:
            gain = self.gamma
            rounds = seen // season + 2
            if rounds * gain < 1.0:
                gain = 1.0 / rounds
            places[place] += gain * error

    def _pass_over(self, seen: int) -> None:
        """Go on by a bucket of which nothing is known; before the first value there is nothing to go on from."""
        if not seen:
            return
        if seen < self.season:
            self._collect(self._level, seen)
        else:
            self._trend *= self.phi
            self._level += self._trend
        self._seen = seen + 1

    def _collect(self, y: float, seen: int) -> None:
        """Take in a value of the first season; the last of them makes differences of what was collected."""
        self._level += (y - self._level) / (seen + 1)
        places = self._places
        places[seen] = y
        if seen + 1 == self.season:
            level = self._level
            for place, collected in enumerate(places):
                places[place] = (collected - level) / 2.0

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Level, what the trend adds until then, and season; not below 0."""
        level = self._level
        seen = self._seen
        season = self.season
        if seen < season:
            return [level] * horizon
        trend = self._trend
        phi = self.phi
        places = self._places
        path = []
        for place in range(seen, seen + horizon):
            trend *= phi
            level += trend
            mean = level + places[place % season]
            path.append(max(0.0, mean))
        return path

    def snapshot(self) -> State:
        """Buckets seen, level, trend, places of the season."""
        return [self._seen, self._level, self._trend, self._places.tolist()]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._seen, self._level, self._trend, places = state
        if len(places) != self.season:
            raise ValueError(f"season of the snapshot has {len(places)} buckets, that of the expert {self.season}")
        self._places = array("d", places)
