"""What the simulations call the truth is the truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast_truth import BUCKETS, KINDS, censored, changed, promoted, stocked


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_demand_has_the_moments_it_is_said_to_have(kind):
    """Mean by bucket of the wave, variance in a fixed ratio to it."""
    random = np.random.default_rng(0)
    means = kind.means(BUCKETS)
    drawn = np.stack([kind.draw(random, means) for _ in range(400)])
    assert drawn.mean() == pytest.approx(kind.mean, rel=0.03)
    assert (drawn.var(axis=0) / means).mean() == pytest.approx(kind.variance / kind.mean, rel=0.06)


def test_the_share_of_stock_outs_is_the_one_asked_for():
    """Of the buckets with demand."""
    taken = [(demand[demand > 0] >= stock[demand > 0]).mean() for demand, stock in stocked(KINDS[0], 0.34, 4)]
    assert np.mean(taken) == pytest.approx(0.34, abs=0.03)


@pytest.mark.slow
def test_stock_outs_promotions_and_changes_are_seen_through():
    """As the page says of them, on few series."""
    poisson = KINDS[0]
    short = censored(poisson, 0.34, 4)
    assert short["left out"] < short["as sold"] < 0.9
    assert short["EM"] == pytest.approx(1, abs=0.05)
    lifted = promoted(poisson, 2.5, 4)
    assert lifted["flagged"] == pytest.approx(1, abs=0.02)
    assert lifted["not flagged"] > 1.05
    found, _, false = changed(poisson, 3.0, 4)["Takt"]
    assert (found, false) == (1, 0)
