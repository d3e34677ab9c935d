"""What the series of a category know together: a prior for those that are new, and the uplift of promotions.

A category is one of a site. What a bucket teaches shows from the next bucket on, so all series of a bucket stand in
the same surroundings, whatever their order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from domain.demand.cold_start import CategoryPrior
from domain.demand.model import DemandModel
from domain.demand.series import ALONE, Learned, Surroundings

Category = tuple[str, str]
"""Site and category."""


class _Lessons:
    """What one bucket teaches about a category: demands, levels of series not cold, promoted demands and bases."""

    __slots__ = ("base", "demands", "levels", "lifted")

    def __init__(self) -> None:
        self.demands: list[float] = []
        self.levels: list[float] = []
        self.lifted: list[float] = []
        self.base: list[float] = []


class Categories:
    """Surroundings of all series, by category."""

    def __init__(self, model: DemandModel) -> None:
        self._model = model
        self._priors: dict[Category, CategoryPrior] = defaultdict(CategoryPrior)
        self._lifts: dict[Category, tuple[float, float]] = {}
        self._around: dict[Category, Surroundings] = {}
        self._lessons: dict[Category, _Lessons] = defaultdict(_Lessons)

    def around(self, category: Category) -> Surroundings:
        """What a series of the category stands in during the bucket."""
        return self._around.get(category, ALONE)

    def note(self, category: Category, learned: Learned, *, promoted: bool, cold: bool) -> None:
        """A series has learned a bucket; `cold`: its level is not its own yet."""
        if not learned.known:
            return
        lessons = self._lessons[category]
        if promoted:
            lessons.lifted.append(learned.demand)
            lessons.base.append(learned.base)
            return
        lessons.demands.append(learned.demand)
        if not cold:
            lessons.levels.append(learned.own)

    def close(self) -> None:
        """The bucket is over: categories learn what was noted."""
        for category, lessons in self._lessons.items():
            if lessons.demands:
                self._priors[category].learn(lessons.demands, lessons.levels, self._model.cold_start.discount)
            if lessons.base:
                demand, base = self._lifts.get(category, (0.0, 0.0))
                self._lifts[category] = (demand + math.fsum(lessons.lifted), base + math.fsum(lessons.base))
            self._surround(category)
        self._lessons.clear()

    def _surround(self, category: Category) -> None:
        uplift = self._model.promotion.category(*self._lifts.get(category, (0.0, 0.0)))
        prior = self._priors[category].belief() if category in self._priors else None
        self._around[category] = Surroundings(prior, uplift)

    def snapshot(self) -> list[Any]:
        """State between buckets, as primitives."""
        priors = [[*category, prior.snapshot()] for category, prior in sorted(self._priors.items())]
        return [priors, [[*category, *lift] for category, lift in sorted(self._lifts.items())]]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        priors, lifts = state
        for site, name, sums in priors:
            self._priors[site, name].restore(sums)
        self._lifts = {(site, name): (demand, base) for site, name, demand, base in lifts}
        for category in {*self._priors, *self._lifts}:
            self._surround(category)
