"""Censored demand: conditional moments against sums over scipy's distributions, and the bias of the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from domain.demand.censoring import demand_at_least


@pytest.mark.parametrize("mean", [0.05, 0.7, 4.0, 60.0])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3, 5.0])
@pytest.mark.parametrize("sold", [0, 1, 3, 8, 70])
def test_conditional_moments_are_those_of_scipy(mean, ratio, sold):
    """Mean and variance given D >= c equal sums over the probabilities of scipy's Poisson or negative binomial."""
    k = np.arange(sold, sold + 3000)
    law = stats.poisson(mean) if ratio <= 1 else stats.nbinom(mean / (ratio - 1), 1 / ratio)
    log_p = law.logpmf(k)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    tail = demand_at_least(sold, mean, mean * ratio)
    assert tail.mean == pytest.approx((k * p).sum(), rel=1e-7)
    if sold:
        assert tail.variance == pytest.approx((k * k * p).sum() - (k * p).sum() ** 2, rel=1e-6, abs=1e-6)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e18))
@example(1e12 + 5e6, 1e12, 1e12)  # digits cancel to a variance below 0
def test_moments_are_finite_and_never_below_what_was_sold(sold, mean, variance):
    """However far the sale lies in the tail, moments are finite, the mean at least the sale, the variance 0 or more."""
    tail = demand_at_least(sold, mean, variance)
    assert math.isfinite(tail.mean)
    assert math.isfinite(tail.variance)
    assert tail.mean >= sold
    assert tail.variance >= 0


def test_a_sale_that_is_off_by_rounding_is_a_whole_one():
    """3 and a millionth of a millionth is 3 sold, not a demand of 4 or more."""
    assert demand_at_least(3 + 1e-12, 4.0, 6.0).mean == pytest.approx(demand_at_least(3, 4.0, 6.0).mean, rel=1e-9)


def test_the_mean_is_found_behind_stock_outs():
    """Truth 4.0, 34 % censored: sales have mean 3.0, buckets without stock-out 1.9; by EM it is within 5 % of 4.0."""
    rng = np.random.default_rng(5)
    demand = rng.negative_binomial(2, 1 / 3, 20_000)
    sold, censored = np.minimum(demand, 5), demand >= 5
    assert 0.33 < censored.mean() < 0.36
    mean, variance = 1.0, 1.0
    for sale, out in zip(sold.tolist(), censored.tolist(), strict=True):
        seen = demand_at_least(sale, mean, variance) if out else (sale, 0.0)
        variance += 0.002 * ((seen[0] - mean) ** 2 + seen[1] - variance)
        mean += 0.002 * (seen[0] - mean)
    assert mean == pytest.approx(4.0, rel=0.05)
    assert sold.mean() == pytest.approx(3.0, abs=0.1)
    assert sold[~censored].mean() == pytest.approx(1.9, abs=0.1)
