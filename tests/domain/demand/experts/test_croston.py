"""Croston's method and Syntetos and Boylan's correction against statsforecast."""

from __future__ import annotations

import numpy as np
import pytest

from domain.demand.experts.croston import SBA, Croston

pytestmark = pytest.mark.xdist_group("statsforecast")


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "oracle"), [(Croston, "CrostonClassic"), (SBA, "CrostonSBA")])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("seen", [1, 2, 30, 150])
def test_it_equals_statsforecast(statsforecast, ours, oracle, seed, seen):
    """With its fixed gain of .1, leading zeros and the wait since the last demand included."""
    rng = np.random.default_rng(seed)
    series = rng.poisson(4, seen) * (rng.random(seen) < 0.3) * 1.0
    expert = ours(0.1)
    for y in series:
        expert.learn_one(float(y))
    forecast = getattr(statsforecast, oracle)().forecast(y=series, h=2)
    assert expert.forecast(2) == pytest.approx(forecast["mean"].tolist(), rel=1e-12)
