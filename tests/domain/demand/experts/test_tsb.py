"""Teunter, Syntetos and Babai's method against statsforecast."""

from __future__ import annotations

import numpy as np
import pytest

from domain.demand.experts.tsb import TSB

pytestmark = pytest.mark.xdist_group("statsforecast")


def intermittent(n, seed=4):
    rng = np.random.default_rng(seed)
    return rng.poisson(4, n) * (rng.random(n) < 0.3) * 1.0


def taught(series, alpha, beta):
    expert = TSB(alpha, beta)
    for y in series:
        expert.learn_one(float(y))
    return expert.forecast(2)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(0.6, 0.7), (1.0, 0.9), (1.0, 1.0)])
@pytest.mark.parametrize("seed", range(5))
def test_it_equals_statsforecast(statsforecast, alpha, beta, seed):
    """Where gains are above 1/2 there is no early gain, and the forecast is that of statsforecast's TSB."""
    series = intermittent(120, seed)
    oracle = statsforecast.TSB(alpha_d=alpha, alpha_p=beta).forecast(y=series, h=2)["mean"]
    assert taught(series, alpha, beta) == pytest.approx(oracle.tolist(), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.05), (0.3, 0.1), (0.05, 0.02)])
def test_it_equals_statsforecast_past_the_early_gain(statsforecast, alpha, beta):
    """With small gains probability and size are statsforecast's smoothing from the mean of their first values on."""
    series = intermittent(400)
    parts = []
    for values, gain in (((series > 0) * 1.0, beta), (series[series > 0], alpha)):
        early = round(1 / gain)
        oracle = statsforecast.SimpleExponentialSmoothing(gain).fit(np.r_[values[:early].mean(), values[early:]])
        parts.append(oracle.predict(1)["mean"][0])
    assert taught(series, alpha, beta) == pytest.approx([parts[0] * parts[1]] * 2, rel=1e-12)


def test_the_forecast_of_a_dying_item_goes_to_zero():
    """A hundred buckets without demand leave less than a hundredth of the forecast."""
    before = taught(intermittent(200), 0.1, 0.05)[0]
    assert 0 < taught([*intermittent(200), *[0.0] * 100], 0.1, 0.05)[0] < before / 100
