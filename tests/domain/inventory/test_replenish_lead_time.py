"""Demand to be covered, against simulation and against sums over distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from domain.inventory.lead_time import Demand, during, undershoot


def _array(*values):
    return np.array(values, dtype=float)


def test_lead_time_demand_has_the_mean_and_variance_of_a_random_sum():
    """Gamma demand over a Poisson number of buckets: 4 % of the simulated variance."""
    rng = np.random.default_rng(2)
    lead = rng.poisson(6, 200_000)
    sums = rng.gamma(np.maximum(lead * 4.0, 1e-9), 2.5)
    demand = during(_array(6), _array(6**0.5), Demand(_array(10), _array(25)))
    assert demand.mean[0] == pytest.approx(sums.mean(), rel=0.01)
    assert demand.variance[0] == pytest.approx(sums.var(), rel=0.04)


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.3), (5, 5), (2, 9), (0.5, 6)])
@pytest.mark.parametrize("review", [1, 5])
def test_the_undershoot_of_counts_is_that_of_the_equilibrium_distribution(mean, variance, review):
    """P(U = u) = P(D > u) / E[D], summed, for Poisson and negative binomial demand between reviews."""
    m, v = mean * review, variance * review
    law = stats.nbinom(m * m / (v - m), m / v) if v > m else stats.poisson(m)
    u = np.arange(5_000)
    chance = law.sf(u) / m
    found = undershoot(_array(review), Demand(_array(mean), _array(variance)), np.array([True]))
    expected = (u * chance).sum()
    assert found.mean[0] == pytest.approx(expected, rel=1e-9)
    assert found.variance[0] == pytest.approx((u**2 * chance).sum() - expected**2, rel=1e-9)


def test_the_undershoot_of_amounts_is_that_of_the_equilibrium_distribution():
    """Density P(D > u) / E[D], integrated, Gamma demand."""
    mean, variance, review = 4.0, 10.0, 3.0
    law = stats.gamma(review * mean**2 / variance, scale=variance / mean)
    u = np.linspace(0, 200, 400_001)
    density = law.sf(u) / (mean * review)
    found = undershoot(_array(review), Demand(_array(mean), _array(variance)), np.array([False]))
    assert found.mean[0] == pytest.approx(np.trapezoid(u * density, u), rel=1e-6)
    square = np.trapezoid(u**2 * density, u)
    assert found.variance[0] == pytest.approx(square - found.mean[0] ** 2, rel=1e-6)


def test_single_units_under_continuous_review_are_never_below_the_reorder_point():
    """Poisson demand seen at once has no undershoot; amounts have half a piece; nothing has none."""
    bucket = Demand(_array(3, 3, 0, 0), _array(3, 3, 0, 5))
    found = undershoot(_array(0, 0, 1, 1), bucket, np.array([True, False, True, False]))
    assert found.mean.tolist() == [0, 0.5, 0, 0]
    assert found.variance[0] == found.variance[2] == found.variance[3] == 0


def test_a_constant_demand_undershoots_by_anything_below_it():
    """10 in every review period: a uniform undershoot, of whole numbers or of any."""
    found = undershoot(_array(1, 1), Demand(_array(10, 10), _array(0, 0)), np.array([False, True]))
    assert found.mean == pytest.approx([5, 4.5])
    assert found.variance == pytest.approx([100 / 12, 99 / 12])
