"""Simple exponential smoothing against statsforecast."""

from __future__ import annotations

import numpy as np
import pytest

from domain.demand.experts.ses import SES

pytestmark = pytest.mark.xdist_group("statsforecast")


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("seen", [1, 7, 20, 200])
def test_it_equals_statsforecast(statsforecast, alpha, seen):
    """From the mean of the first 1/alpha values on, where the early gain ends, the level is that of statsforecast."""
    series = np.random.default_rng(3).gamma(1.0, 20.0, seen)
    expert = SES(alpha)
    for y in series:
        expert.learn_one(float(y))
    early = min(round(1 / alpha), seen)
    oracle = statsforecast.SimpleExponentialSmoothing(alpha).fit(np.r_[series[:early].mean(), series[early:]])
    assert expert.forecast(3) == pytest.approx(oracle.predict(3)["mean"].tolist(), rel=1e-12)


def test_few_values_weigh_alike():
    """Until 1/alpha values have come, the level is their mean."""
    expert = SES(0.1)
    for y in (3.0, 0.0, 9.0):
        expert.learn_one(y)
    assert expert.forecast(1) == [pytest.approx(4.0)]
