"""Demand of one SKU at one site: what is learned of a bucket, and what is thought of the next ones.

A bucket goes through these steps. A promotion multiplies what is expected. A stock-out makes the sale a lower
bound, replaced by what is expected above it. Then either the uplift of promotions learns, the base being held as it
is (experts are told that the bucket is unknown, so their season goes on); or experts, mix, variance, class and
drift watch learn. A stock-out without a sale shows nothing and is unknown as well.

Experts take part by the demand's class. A forecast from outside joins for the buckets it covers: it is weighed
against the mix by a fixed-share Hedge of its own, whose weights rest in other buckets (a specialist in the sense of
Freund, Schapire, Singer and Warmuth 1997, STOC, 334).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from domain.demand.censoring import demand_at_least
from domain.demand.classes import TAKE_PART, Classifier, DemandClass
from domain.demand.cold_start import Belief
from domain.demand.drift import Drift, DriftWatch
from domain.demand.experts.expert import HIGHEST, tamed
from domain.demand.hedge import FixedShare, Mix
from domain.demand.model import DemandModel

_LEVEL_SHARE: Final = 0.05
"""Share of one-step variance that is doubt about the level: a / (2 - a) of smoothing by a = 0.1."""
_MOST_CENSORED: Final = 4.0
"""A censored sale stands for no more than so many times itself or the mean of sales: if stock is never enough,
nothing says how much would have been."""
_UNKNOWN: Final = math.nan
_CAP: Final = 10.0
_FADE: Final = 0.99
"""No forecast is above `_CAP` times the largest demand of late, which fades by `_FADE` a bucket, once one was seen: an
expert that diverges, or an outsider who has the unit wrong, keeps a weight above 0."""


class Surroundings(NamedTuple):
    """What a series' category knows: its prior (None: nothing yet) and its uplift of promotions."""

    prior: Belief | None = None
    uplift: float = 1.0


ALONE: Final = Surroundings()


class Learned(NamedTuple):
    """A bucket after learning.

    `demand` is unconstrained; `base` what was expected of it without promotion, the category's part included, and
    `own` without; `known` is false where nothing could be seen of it.
    """

    demand: float
    base: float
    own: float
    known: bool
    drift: Drift | None


class Outlook(NamedTuple):
    """Mean and variance of the demand of the next bucket and of the horizon, in all."""

    next_mean: float
    next_variance: float
    mean: float
    variance: float


class Series:
    """One series. Per bucket: `learn_one`, then `forecast`; quantities in base units.

    >>> series = Series(DemandModel(horizon=7))
    >>> for sold in [4.0, 6.0] * 30:
    ...     _ = series.learn_one(sold)
    >>> outlook = series.forecast()
    >>> round(outlook.mean), series.demand_class.value
    (35, 'smooth')
    """

    __slots__ = (
        "_ahead",
        "_classes",
        "_mix",
        "_model",
        "_outside",
        "_peak",
        "_sales",
        "_variance",
        "_watch",
        "promoted",
        "seen",
    )

    def __init__(self, model: DemandModel) -> None:
        self._model = model
        self._mix = Mix(TAKE_PART[None], model.season, model.eta, model.share)
        self._classes = Classifier()
        self._watch = DriftWatch(model.drift, model.season)
        self._outside: FixedShare | None = None
        self._variance = 0.0
        self._sales = 0.0
        self._peak = 0.0
        self._ahead = [0.0] * model.horizon
        self.promoted = (0.0, 0.0)
        """Demand of promoted buckets and the base expected for them, sums."""
        self.seen = 0
        """Buckets learned whose demand was known."""

    @property
    def demand_class(self) -> DemandClass | None:
        """Syntetos and Boylan's class; None while there is too little to go by."""
        return self._classes.demand_class

    @property
    def cold(self) -> bool:
        """Whether the category still has a part in the forecast."""
        return self.seen < self._model.cold_start.buckets

    def weights(self) -> dict[str, float]:
        """Weight of each expert in the mix; `outside`: of an outsider's forecast against the mix, where one came."""
        weights = self._mix.weights
        if self._outside:
            weights["outside"] = self._outside.weights[1]
        return weights

    def uplift(self, around: Surroundings = ALONE) -> float:
        """What a promotion multiplies demand by."""
        return self._model.promotion.item(*self.promoted, around.uplift)

    def learn_one(
        self,
        sold: float,
        *,
        censored: bool = False,
        promoted: bool = False,
        outside: float | None = None,
        around: Surroundings = ALONE,
    ) -> Learned:
        """Take in a bucket; `outside` is an outsider's forecast of it. NaN, infinity: nothing is known of it."""
        forecast, amount = self._ahead[0], tamed(sold)
        known = amount is not None and not (censored and amount <= 0)
        expected = self._belief(self._blend(forecast, outside), around)
        lift = self.uplift(around) if promoted else 1.0
        demand, doubt = amount if amount is not None and known else expected.mean * lift, 0.0
        if known and censored:
            tail = demand_at_least(demand, expected.mean * lift, (expected.scatter + expected.level) * lift)
            most = _MOST_CENSORED * max(demand, self._sales)
            demand, doubt = (tail.mean, tail.variance) if tail.mean <= most else (max(demand, most), 0.0)
        drift = None
        if promoted and known:
            self.promoted = (self.promoted[0] + demand, self.promoted[1] + expected.mean)
        if promoted or not known:
            self._mix.learn_one(_UNKNOWN)
            self._watch.learn_one(_UNKNOWN, forecast, 0.0)
        else:
            drift = self._watch.learn_one(demand, forecast, math.sqrt(self._variance))
            self._learn(min(sold, demand), demand, doubt, outside)
        self._look_ahead()
        return Learned(demand, expected.mean, forecast, known, drift)

    def _learn(self, sold: float, demand: float, doubt: float, outside: float | None) -> None:
        forecast = self._blend(self._ahead[0], outside)
        if outside is not None and math.isfinite(outside) and self._peak:  # before, it would be judged unbounded
            self._judge(demand, self._bounded(outside))
        self.seen += 1
        gain = max(self._model.keep, 1 / self.seen)
        # The first bucket meets no forecast: until there are errors a Poisson's variance stands for them.
        scatter = (demand - forecast) ** 2 + doubt if self.seen > 1 else demand
        self._variance += gain * (scatter - self._variance)
        self._sales += gain * (max(sold, 0.0) - self._sales)
        self._peak = max(demand, _FADE * self._peak)
        self._mix.learn_one(demand)
        self._classes.learn_one(demand)
        self._mix.take_part(TAKE_PART[self._classes.demand_class])

    def forecast(
        self, promoted: Sequence[bool] = (), outside: Sequence[float | None] = (), around: Surroundings = ALONE
    ) -> Outlook:
        """Of the next buckets; `promoted` and `outside` are what is known of them, in order; changes nothing."""
        lift = self.uplift(around) if any(promoted) else 1.0
        lifts = [lift if at < len(promoted) and promoted[at] else 1.0 for at in range(self._model.horizon)]
        path = [
            self._belief(self._blend(mean, outside[at] if at < len(outside) else None), around)
            for at, mean in enumerate(self._ahead)
        ]
        spread, first = path[0], lifts[0]
        means = [belief.mean * by for belief, by in zip(path, lifts, strict=True)]
        return Outlook(
            means[0],
            spread.scatter * first + spread.level * first * first,
            math.fsum(means),
            spread.scatter * math.fsum(lifts) + spread.level * math.fsum(lifts) ** 2,
        )

    def _belief(self, mean: float, around: Surroundings) -> Belief:
        """Of a bucket without promotion, the series' own mean given."""
        share = max(_LEVEL_SHARE, 1 / (self.seen + 1))
        own = Belief(mean, self._variance * (1 - share), self._variance * share)
        weight = self._model.cold_start.weight(self.seen)
        return own if weight >= 1 or around.prior is None else self._model.cold_start.mixed(own, around.prior, weight)

    def _blend(self, mean: float, outside: float | None) -> float:
        if outside is None or not math.isfinite(outside):
            return mean
        weight = self._outside.weights[1] if self._outside else 1 / (len(self._mix.names) + 1)
        return (1 - weight) * mean + weight * self._bounded(outside)

    def _judge(self, demand: float, outside: float) -> None:
        if self._outside is None:  # one more expert among those there are
            self._outside = FixedShare(2, self._model.eta, self._model.share)
            mine = 1 / (len(self._mix.names) + 1)
            self._outside.weights = [1 - mine, mine]
        self._outside.learn_one(demand, [self._ahead[0], outside])

    def _look_ahead(self) -> None:
        self._ahead = [self._bounded(mean) for mean in self._mix.forecast(self._model.horizon)]

    def _bounded(self, mean: float) -> float:
        return min(max(mean, 0.0), _CAP * self._peak if self._peak else HIGHEST)

    def snapshot(self) -> list[Any]:
        """State as primitives; parameters are not in it."""
        outside = self._outside.snapshot() if self._outside else None
        parts = [self._mix.snapshot(), self._classes.snapshot(), self._watch.snapshot()]
        return [self.seen, self._variance, self._sales, self._peak, *self.promoted, outside, *parts]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot of a series of the same model."""
        self.seen, self._variance, self._sales, self._peak, demand, base, outside, mix, classes, watch = state
        self.promoted = (demand, base)
        if outside is not None:
            self._outside = FixedShare(2, self._model.eta, self._model.share)
            self._outside.restore(outside)
        self._mix.restore(mix)
        self._classes.restore(classes)
        self._watch.restore(watch)
        self._look_ahead()
