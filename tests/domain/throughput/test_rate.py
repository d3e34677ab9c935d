"""Discounted Gamma-Poisson rates: coverage, bias and the effect of age, measured on seeded simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from domain.throughput.rate import Evidence, RateModel, posterior

MODEL = RateModel()


def nothing(n):
    return Evidence(np.zeros(n), np.zeros(n), np.zeros(n))


def run(rng, rates, hours, model=MODEL):
    """Evidence after windows of exposure `hours` (windows, robots) at Poisson `rates` per hour."""
    evidence, kept = nothing(hours.shape[1]), np.full(hours.shape[1], model.discount)
    for exposure in hours:
        evidence = evidence.learn(rng.poisson(rates * exposure), exposure, kept, model.discount)
    return evidence


def covered(evidence, rates, prior_rate):
    belief = posterior(evidence, MODEL.prior_tasks, np.full(len(rates), prior_rate), np.ones(len(rates)))
    return np.mean((belief.low <= rates) & (rates <= belief.high))


def test_quantiles_are_those_of_scipy():
    """Mean and quantiles equal those of scipy.stats.gamma, from tiny to huge counts."""
    evidence = Evidence(np.array([0.0, 0.0, 3.0, 1e6]), np.array([0.0, 5.0, 0.25, 1e4]), np.array([0.0, 3.0, 0.2, 6e3]))
    prior = np.array([10.0, 0.1, 20.0, 90.0])
    belief = posterior(evidence, 1.0, prior, np.array([1.0, 1.0, 1.0, 2.0]))
    weight = np.array([0.0, 5 / 3, 1.25, 5 / 6])
    oracle = stats.gamma(1 + weight * evidence.count, scale=1 / (1 / prior + weight * evidence.exposure))
    np.testing.assert_allclose(belief.mean, oracle.mean())
    np.testing.assert_allclose(belief.low, oracle.ppf(0.025))
    np.testing.assert_allclose(belief.high, oracle.ppf(0.975))


@pytest.mark.parametrize("rate", [12.0, 60.0, 300.0])
@pytest.mark.parametrize("windows", [30, 120, 400])
def test_intervals_cover_constant_rates_as_often_as_they_say(rate, windows):
    """95 % intervals of 8,000 robots with a fleet spread of 20 % cover 93 to 97 % of true rates."""
    rng = np.random.default_rng(11)
    rates = rate * rng.gamma(25, 1 / 25, 8000)
    hours = rng.uniform(0.5, 1.0, (windows, len(rates))) / 60
    assert 0.93 <= covered(run(rng, rates, hours), rates, rate) <= 0.97


def test_intervals_cover_with_stretches_of_charging():
    """Silent stretches (a fifth of the time) widen intervals, yet coverage over time stays between 93 and 97 %."""
    rng = np.random.default_rng(12)
    rates = 60 * rng.gamma(25, 1 / 25, 500)
    phase = rng.integers(0, 100, len(rates))
    evidence, kept, hits = nothing(len(rates)), np.full(len(rates), MODEL.discount), []
    for window in range(400):
        exposure = ((window + phase) % 100 < 80) / 60
        evidence = evidence.learn(rng.poisson(rates * exposure), exposure, kept, MODEL.discount)
        if window >= 50:
            hits.append(covered(evidence, rates, 60.0))
    assert 0.93 <= np.mean(hits) <= 0.97


def test_the_plain_discounted_sample_covers_too_much():
    """Why the effective sample is used: with n and e as the sample, 95 % intervals cover over 99 %."""
    rng = np.random.default_rng(13)
    rates = np.full(8000, 60.0)
    evidence = run(rng, rates, np.full((300, len(rates)), 1 / 60))
    plain = Evidence(evidence.count, evidence.exposure, evidence.exposure)
    assert covered(plain, rates, 60.0) > 0.99
    assert 0.94 <= covered(evidence, rates, 60.0) <= 0.96


def test_silence_and_empty_windows_age_what_is_known_alike():
    """An old rate widens towards the prior, whether a robot was silent or reported no exposure."""
    model = RateModel()
    seen = run(np.random.default_rng(1), np.array([60.0]), np.full((200, 1), 1 / 60))
    silent = seen.learn(np.array([2]), np.array([1 / 60]), np.array([model.discount**41]), model.discount)
    empty = seen
    for _ in range(40):
        empty = empty.learn(np.array([0]), np.array([0.0]), np.array([model.discount]), model.discount)
    empty = empty.learn(np.array([2]), np.array([1 / 60]), np.array([model.discount]), model.discount)
    for name in ("count", "exposure", "squared"):
        np.testing.assert_allclose(getattr(silent, name), getattr(empty, name), rtol=1e-12)
    prior = np.array([10.0])
    before, after = (posterior(known, 1.0, prior, np.ones(1)) for known in (seen, silent))
    assert after.high - after.low > 1.2 * (before.high - before.low)


def test_a_doubled_load_is_followed():
    """After a doubling, 114 windows (where .98^114 = .1) bring the estimate nine tenths of the way."""
    rng = np.random.default_rng(14)
    robots = 200
    hours = np.full((150, robots), 1 / 60)
    evidence = run(rng, np.full(robots, 60.0), hours)
    kept = np.full(robots, MODEL.discount)
    for exposure in hours[:114]:
        evidence = evidence.learn(rng.poisson(120 * exposure), exposure, kept, MODEL.discount)
    mean = posterior(evidence, 1.0, np.full(robots, 60.0), np.ones(robots)).mean.mean()
    assert abs(mean - 114) < 1.5


def test_parameters_outside_their_range_are_refused():
    """A discount of 1 would never forget and is no valid model."""
    with pytest.raises(ValueError, match="discount"):
        RateModel(discount=1.0)
