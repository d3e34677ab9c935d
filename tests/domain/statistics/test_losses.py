"""Expected shortfalls against stockpyl's loss functions and against sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from domain.statistics.losses import gamma_loss, negative_binomial_loss

stockpyl = pytest.importorskip("stockpyl.loss_functions")


@pytest.mark.parametrize(("mean", "variance"), [(0.01, 0.02), (0.3, 4), (5, 6), (40, 400), (2000, 9000)])
def test_negative_binomial_shortfalls_equal_their_sums(mean, variance):
    """E[(X - k)+] is the sum of P(X > j) from k on: from 0 to far into the tail."""
    law = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    stock = np.unique(np.round(np.linspace(0, mean + 6 * variance**0.5, 12)))
    end = int(mean + 60 * variance**0.5 + 200)
    sums = [law.sf(np.arange(k, end)).sum() for k in stock]
    np.testing.assert_allclose(
        negative_binomial_loss(np.array([mean]), np.array([variance]), stock), sums, rtol=1e-8, atol=1e-12 * mean
    )


@pytest.mark.parametrize("mean", [0.2, 6, 300])
def test_poisson_shortfalls_equal_those_of_stockpyl(mean):
    """Where the variance is the mean, or less."""
    for stock in (0, 1, round(mean), round(mean * 1.3 + 2)):
        expected, _ = stockpyl.poisson_loss(stock, mean)
        for variance in (mean, mean / 2):
            loss = negative_binomial_loss(np.array([mean]), np.array([variance]), np.array([float(stock)]))
            np.testing.assert_allclose(loss, [expected], rtol=1e-8)


@pytest.mark.parametrize(("shape", "scale"), [(0.2, 5), (1, 3), (40, 0.5)])
def test_gamma_shortfalls_equal_those_of_stockpyl(shape, scale):
    """Stocks from nothing to twice the mean."""
    mean = shape * scale
    for stock in (0.0, mean / 3, mean, 2 * mean):
        expected = stockpyl.gamma_loss(stock, shape, scale)[0] if stock else mean
        loss = gamma_loss(np.array([mean]), np.array([mean * scale]), np.array([stock]))
        np.testing.assert_allclose(loss, [expected], rtol=1e-7)


def test_what_is_certain_is_short_by_the_difference():
    """No variance, and no mean."""
    mean = np.array([10.0, 10.0, 0.0])
    assert gamma_loss(mean, np.zeros(3), np.array([4.0, 12.0, 3.0])).tolist() == [6, 0, 0]
    assert negative_binomial_loss(np.zeros(2), np.zeros(2), np.array([0.0, 3.0])).tolist() == [0, 0]
