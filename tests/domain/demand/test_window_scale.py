"""The factor on the variance of windows: by its definition, only from closed windows, and not by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.demand.conformal import AdaptiveLevel, ConformalLevels
from domain.demand.window_scale import WindowScale

SCALE = WindowScale()
ONE = np.array([0])


def oracle(demands, means, variances, horizon, scale=SCALE):
    """Factors by the definition, one series: window i covers demands i+1 .. i+horizon."""
    ratios, windows, factors = 0.0, 0.0, []
    for now in range(len(demands)):
        made = now - horizon
        if made >= 0 and variances[made] > 0:
            error = sum(demands[made + 1 : now + 1]) - means[made]
            ratios = (1 - scale.keep) * ratios + min(error**2 / variances[made], scale.outlier)
            windows = (1 - scale.keep) * windows + 1
        chance = 1 + scale.doubt * math.sqrt(2 * horizon / max(windows, 1))
        factors.append(min(max((scale.few + ratios) / (scale.few + windows) / chance, 1), scale.most))
    return factors


def factors(demands, means, variances, horizon, scale=SCALE):
    """Factors of rows of arrays (series, buckets), bucket by bucket."""
    levels, rows = ConformalLevels(AdaptiveLevel(), horizon, len(demands), scale), np.arange(len(demands))
    found = []
    for demand, mean, variance in zip(demands.T, means.T, variances.T, strict=True):
        levels.learn(rows, demand)
        found.append(levels.expect(rows, mean, variance) / np.where(variance > 0, variance, np.nan))
    return np.array(found).T


@pytest.mark.parametrize("horizon", [1, 3, 7])
def test_factors_are_those_of_the_definition(horizon):
    """After every bucket the factor equals a plain computation from all windows; those of variance 0 count nothing."""
    rng = np.random.default_rng(1)
    demands = rng.negative_binomial(0.5, 0.1, (1, 300)).astype(float)
    means, variances = rng.uniform(0, 8 * horizon, (1, 300)), rng.uniform(0, 40 * horizon, (1, 300))
    variances[0, ::7] = 0.0
    found = factors(demands, means, variances, horizon)[0]
    expected = np.array(oracle(demands[0], means[0], variances[0], horizon))
    known = variances[0] > 0
    assert expected.max() > 2
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-12)


def test_no_window_counts_before_it_closes():
    """A demand far beyond what was thought widens nothing until the last bucket of its window."""
    levels = ConformalLevels(AdaptiveLevel(), 5, 1, WindowScale(doubt=0.0))
    levels.learn(ONE, np.array([1.0]))
    assert levels.expect(ONE, np.array([5.0]), np.array([2.0])) == 2.0
    for _ in range(4):
        levels.learn(ONE, np.array([1e9]))
        assert levels.expect(ONE, np.array([4e9]), np.array([2.0])) == 2.0
    levels.learn(ONE, np.array([0.0]))
    assert levels.expect(ONE, np.array([5.0]), np.array([2.0])) > 2.0


def test_a_window_of_which_nothing_was_expected_counts_nothing():
    """Buckets without an estimate, as of a series that rests, leave the factor as it was."""
    levels = ConformalLevels(AdaptiveLevel(), 2, 1)
    for _ in range(40):
        levels.learn(ONE, np.array([10.0]))
        before = levels.expect(ONE, np.array([0.0]), np.array([100.0]))[0]
    assert before > 200
    for _ in range(2):  # the windows still open close
        levels.learn(ONE, np.array([10.0]))
    rested = levels.expect(ONE, np.array([0.0]), np.array([100.0]))[0]
    for _ in range(50):
        levels.learn(ONE, np.array([0.0]))
    levels.learn(ONE, np.array([0.0]))
    assert levels.expect(ONE, np.array([0.0]), np.array([100.0]))[0] <= rested


@pytest.mark.parametrize("horizon", [1, 4, 7, 24])
def test_errors_as_large_as_thought_widen_next_to_nothing(horizon):
    """200 series of independent errors of the variance thought: on average less than 9 % of variance is added."""
    demands = np.random.default_rng(2).normal(0, 1, (200, 300))
    flat = np.ones_like(demands)
    found = factors(demands, 0 * flat, horizon * flat, horizon)
    assert found.mean() < 1.09
    assert (found >= 1).all()


@pytest.mark.slow
def test_errors_that_go_together_widen_as_much_as_they_must():
    """Days of a week err alike: thought to be independent, windows err 4.7 times as much, and the factor is near it."""
    demands = np.repeat(np.random.default_rng(3).normal(0, 1, (200, 300)), 7, axis=1)
    flat = np.ones_like(demands)
    found = factors(demands, 0 * flat, 7 * flat, 7, WindowScale(outlier=50.0, doubt=0.0))[:, 300:]
    errors = np.array([demands[:, at : at + 7].sum(axis=1) for at in range(300, 1900)])
    assert (errors**2).mean() / 7 == pytest.approx(4.7, rel=0.05)
    assert found.mean() == pytest.approx(4.7, rel=0.25)


def test_one_huge_window_is_bounded_and_forgotten():
    """An error of a billion adds no more than the bound allows, and next to nothing 200 buckets on."""
    demands = np.tile(np.random.default_rng(4).normal(0, 1, 400), (2, 1))
    demands[0, 100] = 1e9
    flat = np.ones_like(demands)
    huge, plain = factors(demands, 0 * flat, flat, 1, WindowScale(doubt=0.0))
    assert 0 < (huge - plain).max() <= SCALE.outlier / (SCALE.few + 30)
    assert (huge - plain)[300:].max() < 0.001


def test_the_factor_is_bounded():
    """However wrong all windows are, the variance grows to `most` times and no further."""
    demands = np.full((1, 300), 1e18)
    flat = np.ones_like(demands)
    found = factors(demands, 0 * flat, flat, 3, WindowScale(outlier=1e12))[0]
    assert found[-1] == SCALE.most


@given(
    st.lists(st.tuples(st.floats(0, 1e18), st.floats(0, 1e12), st.floats(0, 1e300)), max_size=40),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=60)
def test_any_numbers_give_a_variance_that_is_finite(rows, horizon):
    """No overflow, no NaN, never less than what was thought, never more than `most` times as much."""
    levels = ConformalLevels(AdaptiveLevel(), horizon, 1)
    for demand, mean, variance in rows:
        levels.learn(ONE, np.array([demand]))
        scaled = levels.expect(ONE, np.array([mean]), np.array([variance]))[0]
        assert variance <= scaled <= SCALE.most * variance


@pytest.mark.parametrize("wrong", [{"keep": 1.0}, {"few": 0.0}, {"outlier": 0.5}, {"doubt": -1.0}, {"most": 0.5}])
def test_impossible_parameters_are_refused(wrong):
    """The message has all of them."""
    with pytest.raises(ValueError, match="few > 0"):
        WindowScale(**wrong)
