"""Promotions multiply demand; by how much is learned apart, and the base never sees it.

In a promoted bucket demand is thought Poisson(uplift x base), the base being the forecast without promotion, and
the uplift Gamma(mean m, weight w): conjugate, so that after promoted buckets with demand y on bases b

    uplift = (w m + sum y) / (w + sum b)

is the posterior mean, shrunk to m, the uplift of the category, which in turn is shrunk to 1. Weights are in units
of base demand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromotionModel:
    """Parameters: base demand that the category's uplift is worth to an item, and an uplift of 1 to a category."""

    item_weight: float = 20.0
    category_weight: float = 50.0
    most: float = 20.0
    """No uplift is thought to be larger: one mistaken flag must not order a warehouse full."""

    def __post_init__(self) -> None:
        if self.item_weight <= 0 or self.category_weight <= 0 or self.most < 1:
            raise ValueError(f"weights must be above 0, the largest uplift 1 or more: {self}")

    def category(self, demand: float, base: float) -> float:
        """Uplift of a category whose promoted buckets had `demand` in all where `base` was expected."""
        return self._bounded((self.category_weight + demand) / (self.category_weight + base))

    def item(self, demand: float, base: float, category: float) -> float:
        """Uplift of an item within a category of uplift `category`.

        >>> PromotionModel(item_weight=20).item(demand=90.0, base=30.0, category=2.0)
        2.6
        """
        return self._bounded((self.item_weight * category + demand) / (self.item_weight + base))

    def _bounded(self, uplift: float) -> float:
        return min(max(uplift, 1 / self.most), self.most)
