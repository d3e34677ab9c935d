"""A new series borrows from its category, and less with every bucket it has of its own.

For `buckets` buckets the belief is a mixture of the category's and the series' own, the series' weight rising by
equal steps; after that the category has no part in it.

What is not known has two parts. Buckets scatter each for itself, so over h buckets that variance is h times as
large. The level may be wrong, and is wrong in all buckets alike: over h buckets that variance is h^2 times as
large. A new series is all the second: how much the items of its category differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Belief(NamedTuple):
    """Demand of a bucket: mean, variance of a bucket given its level, and variance of the level."""

    mean: float
    scatter: float
    level: float


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Parameters: how long a series is cold, and the weight a category's past keeps per bucket."""

    buckets: int = 8
    discount: float = 0.98

    def __post_init__(self) -> None:
        if self.buckets < 0 or not 0 < self.discount <= 1:
            raise ValueError(f"buckets must be 0 or more, discount above 0 and at most 1: {self}")

    def weight(self, seen: int) -> float:
        """Weight of a series' own belief after `seen` buckets."""
        return seen / self.buckets if seen < self.buckets else 1.0

    @staticmethod
    def mixed(own: Belief, prior: Belief, weight: float) -> Belief:
        """Moments of the mixture: disagreement of the two is doubt about the level.

        >>> ColdStart().mixed(Belief(4.0, 2.0, 0.0), Belief(8.0, 6.0, 4.0), weight=0.25)
        Belief(mean=7.0, scatter=5.0, level=6.0)
        """
        rest, apart = 1 - weight, own.mean - prior.mean
        return Belief(
            weight * own.mean + rest * prior.mean,
            weight * own.scatter + rest * prior.scatter,
            weight * own.level + rest * prior.level + weight * rest * apart * apart,
        )


class CategoryPrior:
    """Belief about any series of one category, from all of them; older buckets weigh less."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums = [0.0] * 6

    def learn(self, demands: Sequence[float], levels: Sequence[float], discount: float) -> None:
        """One bucket, in any order: demand of the category's series, and what those not cold had forecast for it."""
        added = (*_moments(demands), *_moments(levels))
        self._sums = [discount * old + new for old, new in zip(self._sums, added, strict=True)]

    def belief(self) -> Belief | None:
        """What a series of the category is thought to need in a bucket; None before the first bucket.

        How much series differ is known from those that are not cold; as long as there are none, it is scatter.
        """
        weight, total, squares, series, levels, level_squares = self._sums
        if not weight:
            return None
        mean = total / weight
        variance = max(squares / weight - mean * mean, mean)
        between = level_squares / series - (levels / series) ** 2 if series else 0.0
        between = min(max(between, 0.0), variance)
        return Belief(mean, max(variance - between, mean), between)

    def snapshot(self) -> list[float]:
        """State as numbers."""
        return self._sums

    def restore(self, state: list[float]) -> None:
        """Take up a snapshot."""
        self._sums = state


def _moments(values: Sequence[float]) -> tuple[int, float, float]:
    # Correctly rounded sums: the order of series must not show, to the last bit.
    return len(values), math.fsum(values), math.fsum(value * value for value in values)
