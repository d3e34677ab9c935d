"""Uplift of promotions: the posterior mean of a Gamma, shrunk to the category, bounded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from domain.demand.promotion import PromotionModel

MODEL = PromotionModel()


@pytest.mark.parametrize(("demand", "base", "category"), [([5, 9, 2], [2.0, 3.0, 1.5], 1.8), ([0], [0.4], 3.0)])
def test_uplift_is_the_posterior_mean(demand, base, category):
    """The closed form equals the mean of prior x likelihood, integrated by scipy."""
    prior = stats.gamma(MODEL.item_weight * category, scale=1 / MODEL.item_weight)

    def density(uplift):
        return prior.pdf(uplift) * stats.poisson.pmf(demand, uplift * np.array(base)).prod()

    whole = integrate.quad(density, 0, 20)[0]
    mean = integrate.quad(lambda uplift: uplift * density(uplift), 0, 20)[0] / whole
    assert MODEL.item(sum(demand), sum(base), category) == pytest.approx(mean, rel=1e-6)


def test_uplift_goes_from_the_category_to_the_item():
    """Without promotions of its own an item has its category's uplift, after many its own; likewise a category."""
    assert MODEL.item(0, 0, 1.7) == pytest.approx(1.7)
    assert MODEL.item(3e6, 1e6, 1.7) == pytest.approx(3.0, rel=1e-3)
    assert MODEL.category(0, 0) == 1
    assert MODEL.category(2.5e6, 1e6) == pytest.approx(2.5, rel=1e-3)


def test_uplift_is_bounded():
    """A promotion of an item that never sold has a finite uplift of 20 at most, one without any sale 1/20 at least."""
    assert MODEL.item(1e9, 0, 1.0) == 20
    assert MODEL.item(0, 1e9, 1.0) == pytest.approx(1 / 20)


@pytest.mark.parametrize("wrong", [{"item_weight": 0}, {"category_weight": -1}, {"most": 0.5}])
def test_impossible_parameters_are_refused(wrong):
    """Weights of nothing would divide by zero."""
    with pytest.raises(ValueError, match="weights"):
        PromotionModel(**wrong)
