"""Quantiles by mean and variance against scipy's distributions and against sums of exact fractions."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betainc, betaincc

from domain.statistics.quantiles import gamma, negative_binomial, negative_binomial_interval

LEVELS = np.array([0.0025, 0.025, 0.2, 0.5, 0.9, 0.95, 0.975, 0.99, 0.9999])
MEANS = np.array([1e-12, 1e-6, 0.01, 0.3, 1, 2.5, 10, 31.9, 32, 32.1, 63, 64, 700, 1e4, 1e6, 1e9])
EXCESS = np.array([1e-13, 1e-10, 1e-7, 1e-4, 0.01, 0.3, 1, 5, 100, 1e6])


def _grid():
    mean, excess, level = (part.ravel() for part in np.meshgrid(MEANS, EXCESS, LEVELS, indexing="ij"))
    return mean, mean * (1 + excess), level


def test_hard_values_are_quantiles_by_the_distribution_function_of_scipy():
    """Means of 1e-12 to 1e9, variances from a hair above them to a million times as much: k reaches the level, k - 1
    does not, but for what the two distribution functions differ by."""
    mean, variance, level = _grid()
    k = negative_binomial(mean, variance, level)
    size, chance = mean * (mean / (variance - mean)), mean / variance
    slack = 1e-9
    for number, reaches in ((k, True), (k - 1, False)):
        with np.errstate(all="ignore"):
            lower, upper = stats.nbinom.cdf(number, size, chance), stats.nbinom.sf(number, size, chance)
        # scipy.stats takes the chance, which has lost the digits of what little it is below 1.
        share = (variance - mean) / variance
        lower = np.where(share < 0.1, betaincc(number + 1.0, size, share), lower)
        upper = np.where(share < 0.1, betainc(number + 1.0, size, share), upper)
        lower, upper = np.where(number < 0, 0, lower), np.where(number < 0, 1, upper)
        missing = np.where(level < 0.5, (level - lower) / level, (upper - (1 - level)) / (1 - level))
        wrong = (missing > slack) if reaches else (missing < -slack)
        assert not wrong.any(), list(zip(mean[wrong], variance[wrong], level[wrong], k[wrong], strict=True))[:5]


def test_ordinary_values_equal_those_of_scipy():
    """20,000 means of .001 to 10,000, on both sides of Poisson: the very integers of scipy.stats."""
    rng = np.random.default_rng(3)
    mean = np.exp(rng.uniform(-7, 9, 20_000))
    variance, level = mean * np.exp(rng.uniform(-1, 5, 20_000)), rng.uniform(0.001, 0.9999, 20_000)
    with np.errstate(all="ignore"):
        expected = np.where(
            variance > mean,
            stats.nbinom.ppf(level, mean**2 / (variance - mean), mean / variance),
            stats.poisson.ppf(level, mean),
        )
    np.testing.assert_array_equal(negative_binomial(mean, variance, level), expected)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
@pytest.mark.parametrize("chance", [Fraction(1, 2), Fraction(1, 4), Fraction(1, 16), Fraction(3, 4)])
def test_levels_which_are_probabilities_are_met_exactly(size, chance):
    """At a level that is P(X <= k) to the last bit the quantile is k, by fractions: no rounding makes it k + 1."""
    mean = size * (1 - chance) / chance
    total = Fraction(0)
    for k in range(400):
        total += comb(k + size - 1, k) * chance**size * (1 - chance) ** k
        if total > Fraction(9999, 10_000):
            break
        if total > Fraction(1, 10_000):
            assert negative_binomial(float(mean), float(mean / chance), float(total)) == k


@pytest.mark.parametrize("mean", [1, 5, 31, 33, 50])
def test_poisson_levels_are_met_exactly(mean):
    """The same for Poisson, from variances at and below the mean."""
    terms = [Fraction(mean**k, factorial(k)) for k in range(400)]
    every = sum(terms)
    total = Fraction(0)
    for k, term in enumerate(terms):
        total += term
        if Fraction(1, 10_000) < total / every < Fraction(9999, 10_000):
            level = float(total / every)
            assert negative_binomial(mean, mean, level) == k
            assert negative_binomial(mean, mean / 2, level) == k


def test_nothing_expected_is_nothing():
    """Mean 0 gives 0 for counts and amounts, whatever the variance, and nothing is divided by it."""
    with np.errstate(all="raise"):
        assert negative_binomial([0, 0], [0, 9], 0.9999).tolist() == [0, 0]
        assert gamma([0, 0], [0, 9], 0.9999).tolist() == [0, 0]


@given(
    st.floats(0, 1e9, allow_subnormal=False),
    st.floats(0, 1e6),
    st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=6),
)
def test_quantiles_rise_with_the_level(mean, excess, levels):
    """A higher level never has a lower quantile, for counts and amounts."""
    levels = np.sort(levels)
    for quantile in (negative_binomial, gamma):
        found = quantile(mean, mean * (1 + excess), levels)
        assert all(a <= b for a, b in pairwise(found.tolist())), (found, levels)


@pytest.mark.slow
def test_a_quantile_does_not_depend_on_its_neighbours():
    """Alone, in slices, reversed, and in the whole array an element has the same quantile."""
    mean, variance, level = _grid()
    for quantile in (negative_binomial, gamma):
        whole = quantile(mean, variance, level)
        for cut in (1, 7, 16):
            parts = [
                quantile(mean[a : a + cut], variance[a : a + cut], level[a : a + cut]) for a in range(0, mean.size, cut)
            ]
            assert np.concatenate(parts).tobytes() == whole.tobytes()
        assert quantile(mean[::-3], variance[::-3], level[::-3]).tobytes() == whole[::-3].tobytes()


def test_arguments_broadcast():
    """Means down, levels across."""
    mean = np.array([[0.0], [2.0], [400.0]])
    table = negative_binomial(mean, 2 * mean, [0.5, 0.95])
    assert table.dtype == np.int64
    assert table.tolist() == [[int(negative_binomial(m, 2 * m, q)) for q in (0.5, 0.95)] for m in mean.ravel()]
    assert negative_binomial(2, 4, 0.5).shape == ()
    assert negative_binomial([], [], 0.5).shape == (0,)


@pytest.mark.parametrize("miss", [0.005, 0.05, 0.2])
def test_an_interval_holds_what_it_promises(miss):
    """P(lower <= X <= upper) >= 1 - miss, each bound being the tightest of its side."""
    rng = np.random.default_rng(5)
    mean = np.exp(rng.uniform(-5, 8, 2_000))
    variance = mean * np.exp(rng.uniform(0.01, 4, 2_000))
    lower, upper = negative_binomial_interval(mean, variance, miss)
    law = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    assert (law.cdf(upper) - law.cdf(lower - 1) >= 1 - miss - 1e-12).all()
    assert (law.cdf(lower) >= miss / 2 - 1e-12).all()
    assert (law.sf(upper - 1)[upper > 0] > miss / 2).all()


def test_interval_levels_may_differ_by_series():
    """One miss per series, as adaptive conformal inference has it; also beside several horizons."""
    mean = np.array([[1.0, 2.0, 3.0], [50.0, 60.0, 70.0]])
    miss = np.array([0.01, 0.05, 0.2])
    lower, upper = negative_binomial_interval(mean, 3 * mean, miss)
    assert lower.tolist() == negative_binomial(mean, 3 * mean, miss / 2).tolist()
    assert upper.tolist() == negative_binomial(mean, 3 * mean, 1 - miss / 2).tolist()
    assert [part.shape for part in negative_binomial_interval(1.0, 2.0, 0.05)] == [(), ()]


def test_amounts_equal_those_of_scipy():
    """Gamma quantiles of shapes 1e-3 to 1e13; a variance of 0 leaves the mean."""
    mean, variance, level = (
        part.ravel() for part in np.meshgrid([1e-9, 1, 1e9], np.geomspace(1e-13, 1e3, 30), LEVELS, indexing="ij")
    )
    variance = variance * mean**2
    shape = mean**2 / variance
    expected = np.where(
        level < 0.5,
        stats.gamma.ppf(level, shape, scale=variance / mean),
        stats.gamma.isf(1 - level, shape, scale=variance / mean),
    )
    np.testing.assert_allclose(gamma(mean, variance, level), expected, rtol=1e-10, atol=1e-300)
    assert gamma([3.0, 7.5], 0, 0.95).tolist() == [3.0, 7.5]


def test_nearly_certain_amounts_are_gaussian_without_a_step():
    """On both sides of the shape where the method changes the deviates agree."""
    mean, shapes = 1.0, np.array([0.99e14, 1.01e14])
    deviates = (gamma(mean, 1 / shapes, 0.95) - mean) * np.sqrt(shapes)
    np.testing.assert_allclose(deviates, stats.norm.ppf(0.95), rtol=1e-7)
    assert np.isfinite(gamma([1e300, 1e-300], [1e-300, 1e-290], 0.95)).all()


def test_an_amount_that_is_nearly_never_there_is_nothing():
    """At shapes below 1e-19 all but the last digit of any level lies at 0, and no longer at the mean."""
    assert gamma([1.0, 5.0], [1e20, 1e30], 0.9999).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 1, 0.5), "mean must be finite and not negative: nan"),
        ((1, [1, -1], 0.5), "variance must be finite and not negative: -1.0"),
        ((1, np.inf, 0.5), "variance must be finite"),
        ((1, 1, 1.0), "level must be above 0 and below 1: 1.0"),
        ((1, 1, 0.0), "level must be above 0 and below 1: 0.0"),
        ((1, 1, np.nan), "level must be above"),
    ],
)
@pytest.mark.parametrize("quantile", [negative_binomial, gamma])
def test_what_has_no_quantile_is_refused(quantile, arguments, message):
    """The message names the argument and its value."""
    with pytest.raises(ValueError, match=message):
        quantile(*arguments)


def test_scipy_stays_out_of_small_counts():
    """Most series sell a few: their quantiles need no scipy, whose import would delay the start of every run."""
    code = (
        "import sys; from domain.statistics.quantiles import negative_binomial as q\n"
        "q([0, .2, 3, 12], [0, .9, 3, 20], .95); sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
