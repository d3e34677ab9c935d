"""Cold start: a mixture of the category and the series, its moments right, its weight falling to nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from domain.demand.cold_start import Belief, CategoryPrior, ColdStart

OWN, PRIOR = Belief(3.0, 5.0, 1.0), Belief(10.0, 40.0, 9.0)


@pytest.mark.parametrize("weight", [0.0, 0.125, 0.5, 0.875])
def test_moments_over_a_horizon_are_those_of_a_mixture(weight):
    """Mean and variance of the sum of 5 buckets equal those of draws: a model, a level of it, scatter per bucket."""
    rng, h, n = np.random.default_rng(1), 5, 400_000
    own = rng.random(n) < weight
    level = np.where(own, rng.normal(3, 1, n), rng.normal(10, 3, n))
    total = h * level + np.where(own, rng.normal(0, np.sqrt(5 * h), n), rng.normal(0, np.sqrt(40 * h), n))
    mixed = ColdStart().mixed(OWN, PRIOR, weight)
    assert h * mixed.mean == pytest.approx(total.mean(), rel=0.01)
    assert h * mixed.scatter + h * h * mixed.level == pytest.approx(total.var(), rel=0.01)


def test_the_category_has_no_part_after_eight_buckets():
    """The own weight rises by equal steps and is 1 from bucket 8 on."""
    assert [ColdStart().weight(seen) for seen in (0, 2, 4, 8, 100)] == [0, 0.25, 0.5, 1, 1]
    assert ColdStart().mixed(OWN, PRIOR, 1.0) == OWN
    assert ColdStart(buckets=0).weight(0) == 1


@pytest.mark.slow
def test_the_prior_is_that_of_all_series_and_buckets():
    """Level variance is that between series, scatter the rest, whatever the order within a bucket."""
    rng = np.random.default_rng(2)
    levels = rng.gamma(2, 3, 700)
    demands = rng.poisson(levels, (300, 700)).astype(float)
    beliefs = set()
    for order in itertools.islice(itertools.permutations(range(3)), 6):
        prior, places = CategoryPrior(), [*order, *range(3, 700)]
        for bucket in demands:
            prior.learn(bucket[places].tolist(), levels[places].tolist(), discount=1.0)
        beliefs.add(prior.belief())
    (belief,) = beliefs
    assert belief.mean == pytest.approx(demands.mean())
    assert belief.level == pytest.approx(levels.var())
    assert belief.scatter == pytest.approx(demands.var() - levels.var())


def test_old_buckets_weigh_less_and_state_survives():
    """After a change the prior follows; a restored one says the same; an empty one says nothing."""
    prior, copy = CategoryPrior(), CategoryPrior()
    assert prior.belief() is None
    for level in [10.0] * 100 + [2.0] * 300:
        prior.learn([level], [level], discount=0.98)
    copy.restore(prior.snapshot())
    assert copy.belief() == prior.belief()
    assert prior.belief().mean == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("wrong", [{"buckets": -1}, {"discount": 0.0}, {"discount": 1.5}])
def test_impossible_parameters_are_refused(wrong):
    """No negative age, no growing weight."""
    with pytest.raises(ValueError, match="buckets"):
        ColdStart(**wrong)
