"""Single steps of a series by hand: what is believed of a censored or promoted bucket, and what is learned of it."""

from __future__ import annotations

import math

import pytest

from domain.demand.censoring import demand_at_least
from domain.demand.cold_start import Belief
from domain.demand.drift import DriftWatch
from domain.demand.model import DemandModel
from domain.demand.series import Series, Surroundings

KNOWN = [4.0, 0.0, 7.0, 3.0, 5.0, 0.0, 6.0, 8.0, 2.0, 4.0, 5.0, 1.0] * 3


def _series(*, buckets: int = len(KNOWN)) -> Series:
    series = Series(DemandModel(horizon=7))
    for sold in KNOWN[:buckets]:
        series.learn_one(sold)
    return series


def _scatter(series: Series) -> float:
    """Variance of a bucket without the share of it that is doubt about the level."""
    return series.forecast().next_variance * (1 - max(0.05, 1 / (series.seen + 1)))


@pytest.mark.parametrize("buckets", [9, len(KNOWN)])
def test_a_censored_sale_is_learned_as_what_is_expected_above_it(buckets):
    """By the scatter of demand alone; mean and variance take in the expectation, and the doubt about it."""
    series, seen = _series(buckets=buckets), _series(buckets=buckets)
    before = series.forecast()
    tail = demand_at_least(8.0, before.next_mean, _scatter(series))
    learned = series.learn_one(8.0, censored=True)
    assert learned.demand == pytest.approx(tail.mean, rel=1e-12)
    assert 8.5 < learned.demand < 30.0
    seen.learn_one(learned.demand)
    for outside in ([], [1e9]):
        expected = seen.forecast(outside=outside).mean
        assert series.forecast(outside=outside).mean == pytest.approx(expected, rel=1e-12)
    gain = max(0.03, 1 / series.seen)
    squared = (tail.mean - before.next_mean) ** 2 + tail.variance
    variance = before.next_variance + gain * (squared - before.next_variance)
    assert series.forecast().next_variance == pytest.approx(variance, rel=1e-12)


def test_a_censored_sale_stands_for_four_times_itself_or_usual_sales_at_most():
    """However much the category sells: nothing says how much more there would have been."""
    rich = Surroundings(prior=Belief(1000.0, 100.0, 100.0))
    first = Series(DemandModel())
    assert first.learn_one(2.0, censored=True, around=rich).demand == 8.0
    second = Series(DemandModel())
    second.learn_one(50.0)
    assert second.learn_one(2.0, censored=True, around=rich).demand == 200.0


def test_a_promotion_lifts_what_is_believed_of_its_bucket():
    """Of one that is censored, of one of which nothing is known, and of the one to come."""
    series = _series()
    for _ in range(5):
        series.learn_one(15.0, promoted=True)
    lift, base, scatter = series.uplift(), series.forecast().next_mean, _scatter(series)
    assert lift > 1.5
    ahead = series.forecast(promoted=[True])
    level = series.forecast().next_variance - scatter
    assert ahead.next_mean == pytest.approx(base * lift)
    assert ahead.next_variance == pytest.approx(scatter * lift + level * lift * lift)
    tail = demand_at_least(9.0, base * lift, scatter * lift)
    assert series.learn_one(9.0, censored=True, promoted=True).demand == pytest.approx(tail.mean, rel=1e-12)
    lift, base = series.uplift(), series.forecast().next_mean
    assert series.learn_one(math.nan, promoted=True).demand == pytest.approx(base * lift, rel=1e-12)


@pytest.mark.parametrize("censored", [False, True])
def test_of_what_is_not_known_nothing_is_learned(censored):
    """Neither level nor variance nor class: a stock-out without a sale, or a value that is none."""
    series = _series()
    before = series.snapshot()[:4]
    assert not series.learn_one(0.0 if censored else math.nan, censored=censored).known
    assert series.snapshot()[:4] == before


def test_the_watch_for_drift_is_told_of_every_bucket():
    """Of one that is held too, as not known: its forecasts wait a whole number of seasons, promotions or not."""
    series, model = Series(DemandModel()), DemandModel()
    watch = DriftWatch(model.drift, model.season)
    for at, sold in enumerate(KNOWN * 2):
        spread, held = math.sqrt(series.snapshot()[1]), at % 9 == 4
        learned = series.learn_one(sold, promoted=held)
        watch.learn_one(math.nan if held else sold, learned.own, spread)
    assert series.snapshot()[-1] == watch.snapshot()


def test_the_first_bucket_has_the_variance_of_a_poisson():
    """There was no forecast for it to differ from."""
    series = Series(DemandModel())
    series.learn_one(9.0)
    assert series.forecast().next_variance == pytest.approx(9.0)


def test_an_outsider_begins_as_one_more_expert_within_the_cap():
    """What he says counts up to ten times the largest demand of late, which fades by a hundredth a bucket."""
    series = Series(DemandModel(horizon=3))
    for sold in [10.0] + [0.0] * 20:
        series.learn_one(sold)
    own, mixed = series.forecast().next_mean, series.forecast(outside=[1e9]).next_mean
    assert mixed == pytest.approx(own * 2 / 3 + 10 * 10 * 0.99**20 / 3)
    assert series.forecast(outside=[5.0] * 9) == series.forecast(outside=[5.0] * 3)
    series.learn_one(0.0, outside=own)
    assert series.weights()["outside"] == pytest.approx(0.99 / 3 + 0.01 / 2)


def test_an_outsider_who_had_the_unit_wrong_once_is_weighed_again_at_once():
    """Judged without the cap, one error of a billion would make all later ones vanish beside it."""
    series = _series()
    series.learn_one(4.0, outside=1e9)
    for sold in KNOWN:
        series.learn_one(sold, outside=30.0)
    assert series.weights()["outside"] < 0.02
