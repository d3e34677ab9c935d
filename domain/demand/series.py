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
from itertools import zip_longest
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

    `demand` is unconstrained; `own` is the series' own forecast of it; `base`, of a promoted bucket, what was expected
    without promotion by series, category and outsider; `known` is false where nothing could be seen of it.
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
    (34, 'smooth')
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
        self._classes = Classifier(model.season)
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
        own, amount = self._ahead[0], sold if 0.0 <= sold <= HIGHEST else tamed(sold)
        if amount is not None and not (censored or promoted):
            drift = self._watch.learn_one(amount, own, math.sqrt(self._variance))
            self._learn(amount, amount, 0.0, outside)
            return Learned(amount, own, own, known=True, drift=drift)
        base = self._belief(self._blend(own, outside), around)
        lift = self.uplift(around) if promoted else 1.0
        known = amount is not None and not (censored and amount <= 0)
        demand, doubt = base.mean * lift, 0.0
        if amount is not None and known:
            demand, doubt = self._unconstrained(amount, base, lift) if censored else (amount, 0.0)
        if promoted or not known:
            if known:
                self.promoted = (self.promoted[0] + demand, self.promoted[1] + base.mean)
            self._hold()
            return Learned(demand, base.mean, own, known, drift=None)
        drift = self._watch.learn_one(demand, own, math.sqrt(self._variance))
        self._learn(min(sold, demand), demand, doubt, outside)
        return Learned(demand, base.mean, own, known, drift)

    def _unconstrained(self, sold: float, base: Belief, lift: float) -> tuple[float, float]:
        """Mean and variance of the demand behind a censored sale.

        By the scatter of demand alone: doubt about the level, taken for demand, would raise what is learned and itself.
        """
        tail = demand_at_least(sold, base.mean * lift, base.scatter * lift)
        most = _MOST_CENSORED * max(sold, self._sales)
        return (tail.mean, tail.variance) if tail.mean <= most else (most, 0.0)

    def _hold(self) -> None:
        """Let a bucket pass that says nothing of the base."""
        self._watch.learn_one(_UNKNOWN, self._ahead[0], 0.0)
        self._mix.learn_one(_UNKNOWN)
        self._classes.learn_one(_UNKNOWN)
        self._look_ahead()

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
        self._look_ahead()

    def forecast(
        self, promoted: Sequence[bool] = (), outside: Sequence[float | None] = (), around: Surroundings = ALONE
    ) -> Outlook:
        """Of the next buckets; `promoted` and `outside` are what is known of them, in order; changes nothing."""
        path = self._ahead
        if outside:
            path = [self._blend(mean, given) for mean, given in zip_longest(path, outside[: len(path)])]
        first = self._belief(path[0], around)
        weight = self._model.cold_start.weight(self.seen)
        if weight < 1 and around.prior is not None:
            borrowed = (1 - weight) * around.prior.mean
            path = [weight * mean + borrowed for mean in path]
        lifts, lift = float(len(path)), 1.0
        if any(promoted):
            by = self.uplift(around)
            factors = [by if flag else 1.0 for flag, _ in zip_longest(promoted[: len(path)], path)]
            path = [mean * factor for mean, factor in zip(path, factors, strict=True)]
            lifts, lift = sum(factors), factors[0]
        return Outlook(
            path[0],
            first.scatter * lift + first.level * lift * lift,
            sum(path),
            first.scatter * lifts + first.level * lifts * lifts,
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
        most = _CAP * self._peak or HIGHEST
        self._ahead = [
            mean if 0.0 <= mean <= most else self._bounded(mean) for mean in self._mix.forecast(self._model.horizon)
        ]

    def _bounded(self, mean: float) -> float:
        return min(max(mean, 0.0), _CAP * self._peak or HIGHEST)

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
