"""The guards around River's SNARIMAX."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from river.linear_model import LinearRegression
from river.time_series import SNARIMAX

from domain.demand.experts.snarimax import _BEND, _FURTHEST, GuardedSNARIMAX


def lumpy(n, seed=5):
    rng = random.Random(seed)
    return [math.floor(rng.lognormvariate(6, 1.5)) * float(rng.random() < 0.5) for _ in range(n)]


def test_one_huge_value_moves_no_weight_further_than_its_bounds():
    """The loss is straight beyond its bend: a step is rate x bend, for a weight times the largest feature."""
    expert = GuardedSNARIMAX(season=7)
    for y in [5.0, 6.0, 4.0] * 50:
        expert.learn_one(y)
    weights, intercept = dict(expert._regression.weights), expert._regression.intercept
    expert.learn_one(1e9)
    step = expert.rate * _BEND * (1 + 1e-9)
    assert expert._model.y_diff[0] == pytest.approx(_FURTHEST, rel=1e-3)
    assert step / 2 < abs(expert._regression.intercept - intercept) <= step
    for name, weight in expert._regression.weights.items():
        assert abs(weight - weights[name]) <= step * _FURTHEST + 1e-3


def test_river_default_diverges_and_the_guarded_does_not():
    """On lumpy demand in thousands, River's default forecasts beyond reason; ours stays within the cap."""
    default, guarded = SNARIMAX(p=2, d=0, q=0, m=7, sp=1, regressor=LinearRegression()), GuardedSNARIMAX(season=7)
    worst = 0.0
    for y in lumpy(500):
        default.learn_one(y)
        guarded.learn_one(y)
        path = default.forecast(7)
        worst = max(worst, *(abs(mean) if math.isfinite(mean) else math.inf for mean in path))
        assert max(guarded.forecast(28)) <= 10 * max(lumpy(500))
    assert worst > 1e30


@pytest.mark.parametrize(
    ("values", "cap"), [([1000.0, *[1.0, 2.0] * 60], 20.0), ([*[1.0, 2.0] * 14, 1000.0, *[1.0, 2.0] * 14], 10_000.0)]
)
def test_the_cap_follows_the_largest_value_of_late(values, cap):
    """A forecast that runs away is cut at ten times the largest of the last 28 to 56 values, not of all."""
    expert = GuardedSNARIMAX(season=1, p=1)
    for y in values:
        expert.learn_one(y)
    state = expert.snapshot()
    state[-1] = [-50.0]  # each lag leaps to the other side
    expert.restore(state)
    assert set(expert.forecast(40)[9:]) == {0.0, cap}


def test_a_long_season_remembers_its_largest_value_for_four_of_it():
    """Of a season of a day in hours that is four days, to eight."""
    expert = GuardedSNARIMAX(season=24)
    for hours in (96, 96):
        expert.learn_one(1000.0)
        for _ in range(hours - 1):
            expert.learn_one(1.0)
    assert (expert._peak, expert._peak_before) == (1000.0, 1000.0)


def test_the_season_goes_on_through_what_is_not_known():
    """A bucket of which nothing is known stands for what was expected of it, so phases stay where they are."""
    expert = GuardedSNARIMAX(season=2, p=1)
    for y in [4.0, 8.0] * 200:
        expert.learn_one(y)
    expert.learn_one(math.nan)
    assert expert.forecast(2) == pytest.approx([8.0, 4.0], rel=0.05)


def test_a_bucket_that_is_not_known_leaves_no_value_beyond_the_bound():
    """Where the forecast that stands for it runs away up to the cap, 37 deviations out, its lag is at the bound."""
    expert = GuardedSNARIMAX(season=1, p=1)
    for y in [1.0, 2.0] * 60:
        expert.learn_one(y)
    state = expert.snapshot()
    state[-1] = [-50.0]  # each lag leaps to the other side
    expert.restore(state)
    expert.learn_one(math.nan)
    expert.learn_one(math.nan)
    assert list(expert._model.y_diff) == [_FURTHEST]


def test_a_weight_that_nothing_confirms_fades():
    """Where all lags are at the mean, a bucket at the mean says nothing of the weights: only shrinkage moves them."""
    expert = GuardedSNARIMAX(season=2, p=1)
    for y in [5.0] * 20:
        expert.learn_one(y)
    state = expert.snapshot()
    state[-1] = [0.8, -0.4]
    expert.restore(state)
    expert.learn_one(5.0)
    kept = 1 - 0.02 * 1e-3
    assert list(expert._regression.weights.values()) == pytest.approx([0.8 * kept, -0.4 * kept], rel=1e-12)


@pytest.mark.parametrize("weight", [math.nan, math.inf, 1e200])
def test_a_forecast_that_is_not_finite_becomes_the_mean(weight):
    """With weights out of bounds, the forecast is finite still."""
    expert = GuardedSNARIMAX(season=1)
    for y in lumpy(100):
        expert.learn_one(y)
    state = expert.snapshot()
    state[-1] = [weight] * len(state[-1])
    expert.restore(state)
    assert expert.forecast(400)[-1] == state[1]
    assert all(math.isfinite(mean) for mean in expert.forecast(400))


def test_no_value_is_further_out_than_the_bound():
    """Standardised values stay within seven deviations, a leap by 1e18 after a constant included."""
    expert = GuardedSNARIMAX(season=7)
    for y in [*[1.0] * 100, 1e18, *[1.0] * 30, 0.0, *lumpy(100)]:
        expert.learn_one(y)
        assert all(abs(z) <= _FURTHEST for z in expert._model.y_diff)


@pytest.mark.parametrize(("season", "p"), [(1, 1), (1, 3), (2, 3), (7, 2), (24, 1)])
@pytest.mark.parametrize("seen", [0, 1, 2, 5, 30, 300])
def test_the_path_ahead_is_that_of_river(season, p, seen):
    """Carried forward by us, the regression gives what River's own forecast gives, the first lags missing or not."""
    expert = GuardedSNARIMAX(season=season, p=p)
    for y in lumpy(seen):
        expert.learn_one(y)
    assert expert._ahead(30) == pytest.approx(expert._model.forecast(30), rel=1e-9, abs=1e-12)


def test_a_season_is_learned():
    """A weekly pattern that is nothing but season is forecast within a tenth after a year."""
    week = [10.0, 12.0, 11.0, 10.0, 15.0, 40.0, 30.0]
    expert = GuardedSNARIMAX(season=7)
    for y in week * 52:
        expert.learn_one(y)
    assert expert.forecast(7) == pytest.approx(week, rel=0.1)


def test_uneven_demand_is_forecast_by_its_mean():
    """Of negative binomial demand with a variance of four times the mean, forecasts average within 6 % of the mean."""
    demand = np.random.default_rng(1).negative_binomial(4 / 3, 1 / 4, 1200).astype(float)
    expert, ahead = GuardedSNARIMAX(season=7), []
    for y in demand.tolist():
        expert.learn_one(y)
        ahead += expert.forecast(7)
    assert np.mean(ahead[300 * 7 :]) == pytest.approx(demand[300:].mean(), rel=0.06)


@pytest.mark.parametrize("wrong", [{"season": 0}, {"p": 0}])
def test_orders_below_one_are_refused(wrong):
    """The message gives both."""
    with pytest.raises(ValueError, match="season and p must be at least 1"):
        GuardedSNARIMAX(**wrong)
