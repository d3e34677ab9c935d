"""One series: what stock-outs, promotions, outsiders and odd input do to it, on simulations of known truth."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.demand.cold_start import Belief
from domain.demand.model import DemandModel
from domain.demand.series import Series, Surroundings

MODEL = DemandModel()


def learned(sales, **flags):
    """A series after sales; flags are lists as long as these."""
    series = Series(MODEL)
    for now, sold in enumerate(sales):
        series.learn_one(sold, **{name: values[now] for name, values in flags.items()})
    return series


def censored(rng, n, stock=5):
    demand = rng.negative_binomial(2, 1 / 3, n)
    return np.minimum(demand, stock).astype(float).tolist(), (demand >= stock).tolist()


def mean_forecast(sales, after, **flags):
    """Average over time of the forecast of the next bucket, from bucket `after` on."""
    series, seen = Series(MODEL), []
    for now, sold in enumerate(sales):
        series.learn_one(sold, **{name: values[now] for name, values in flags.items()})
        seen.append(series.forecast().next_mean)
    return float(np.mean(seen[after:]))


@pytest.mark.slow
def test_demand_behind_stock_outs_is_found_within_five_percent():
    """Truth 4.0, 34 % censored, 12 series: forecasts average within 5 % of it; taken for demand, sales give 3.0."""
    rng = np.random.default_rng(1)
    cases = [censored(rng, 450) for _ in range(12)]
    assert np.mean([out for _, outs in cases for out in outs]) == pytest.approx(0.34, abs=0.02)
    naive = np.mean([mean_forecast(sales, 150) for sales, _ in cases])
    found = np.mean([mean_forecast(sales, 150, censored=outs) for sales, outs in cases])
    assert naive == pytest.approx(3.0, rel=0.05)
    assert found == pytest.approx(4.0, rel=0.05)


def test_stock_that_is_never_enough_leaves_forecasts_bounded():
    """400 buckets censored at 5 after wild ones: nothing says how much more was asked for, yet it stays below 4 x 5."""
    wild = [0.0, 30.0, 0.0, 0.0, 60.0] * 10
    series = learned(wild + [5.0] * 400, censored=[False] * 50 + [True] * 400)
    assert 5 <= series.forecast().next_mean <= 20.1


def test_a_stock_out_without_a_sale_shows_nothing():
    """Buckets with no stock and no sale leave the forecast as it was; taken for no demand they would end it."""
    rng = np.random.default_rng(2)
    sales = rng.poisson(4, 200).astype(float).tolist()
    before = learned(sales).forecast().next_mean
    assert learned(sales + [0.0] * 60, censored=[False] * 200 + [True] * 60).forecast().next_mean == pytest.approx(
        before, rel=0.1
    )
    assert learned(sales + [0.0] * 60).forecast().next_mean < 0.2


@pytest.mark.parametrize("kind", ["poisson", "lumpy"])
def test_a_promotion_leaves_the_base_within_two_percent(kind):
    """A promotion of three times the demand for 14 buckets: the base after it is within 2 % of the base before."""
    rng = np.random.default_rng(3)
    base = rng.poisson(20, 214) if kind == "poisson" else rng.negative_binomial(0.5, 0.1, 214)
    sales = (base * np.repeat([1, 3], [200, 14])).astype(float).tolist()
    flags = [False] * 200 + [True] * 14
    before = learned(sales[:200]).forecast()
    after = learned(sales, promoted=flags).forecast()
    assert after.mean == pytest.approx(before.mean, rel=0.02)
    assert after.variance == pytest.approx(before.variance, rel=0.02)


def test_a_promotion_ahead_lifts_the_forecast_by_what_was_learned():
    """After promotions of three times a base of 20, three promoted buckets of seven are forecast to need 320."""
    rng = np.random.default_rng(4)
    flags = ([False] * 20 + [True] * 5) * 12
    sales = [float(rng.poisson(60 if flag else 20)) for flag in flags]
    series = learned(sales, promoted=flags)
    assert series.uplift() == pytest.approx(3, rel=0.05)
    assert series.forecast().mean == pytest.approx(140, rel=0.1)
    assert series.forecast(promoted=[True] * 3).mean == pytest.approx(60 * 3 + 20 * 4, rel=0.1)


def test_the_season_goes_on_during_a_promotion():
    """Weekly peaks stand at their place after five promoted buckets."""
    week = [1.0, 1.0, 1.0, 1.0, 1.0, 20.0, 10.0]
    sales = week * 40
    series = learned(sales + [3 * sold for sold in week[:5]], promoted=[False] * 280 + [True] * 5)
    straight = learned(sales + week[:5])
    assert series.forecast().next_mean == pytest.approx(straight.forecast().next_mean, rel=0.1)


@pytest.mark.parametrize("promoted", [False, True], ids=["alone", "among promotions"])
def test_a_shop_that_closes_at_weekends_is_forecast_day_by_day(promoted):
    """The next day's error is near that of knowing the mean; knowing no weekday it would be thrice as much."""
    rng = np.random.default_rng(11)
    sales = rng.poisson(20, 300).astype(float)
    sales[np.arange(300) % 7 >= 5] = 0
    series, errors = Series(MODEL), []
    for now, sold in enumerate(sales.tolist()):
        if now >= 150:
            errors.append(series.forecast().next_mean - sold)
        series.learn_one(sold, promoted=promoted and now % 11 == 3)
    known = math.sqrt(20 * 5 / 7)
    assert series.demand_class == "smooth"
    assert math.sqrt(np.mean(np.square(errors))) < 1.4 * known


def test_a_new_series_has_its_categorys_forecast_and_then_its_own():
    """Before its first bucket a series is its category; after 8 buckets the category does not show."""
    around = Surroundings(Belief(7.0, 9.0, 4.0))
    fresh = Series(MODEL)
    outlook = fresh.forecast(around=around)
    assert fresh.cold
    assert outlook.mean == pytest.approx(7 * 7.0)
    assert outlook.variance == pytest.approx(7 * 9.0 + 49 * 4.0)
    old = learned([1.0] * 8)
    assert not old.cold
    assert old.forecast(around=around) == old.forecast()


def test_an_outsiders_forecast_joins_the_mix_and_is_weighed():
    """A perfect outsider is believed more and more, a useless one less and less, and only for buckets it covers."""
    rng = np.random.default_rng(5)
    sales = rng.negative_binomial(1, 0.1, 300).astype(float).tolist()
    good, bad = Series(MODEL), Series(MODEL)
    for sold in sales:
        good.learn_one(sold, outside=sold)
        bad.learn_one(sold, outside=500.0)
    assert good.weights()["outside"] > 0.9
    assert bad.weights()["outside"] < 0.05
    without = good.forecast()
    assert good.forecast(outside=[100.0]).next_mean > 0.9 * 100
    assert good.forecast(outside=[None, 100.0]).next_mean == without.next_mean
    assert good.forecast(outside=[None, 100.0]).mean > without.mean + 0.8 * (100 - without.next_mean)
    assert good.forecast(outside=[math.nan] * 7) == without


@pytest.mark.parametrize(
    "sales",
    [
        [],
        [5.0],
        [0.0] * 300,
        [0.0] * 100 + [7.0, 0.0, 3.0],
        [4.0] * 300,
        [math.nan] * 30,
        [1.0, math.nan, math.inf, -math.inf, -5.0, 2.0] * 20,
        [1e15] * 3 + [0.0] * 300 + [1.0],
        [3.0] * 30 + [1e18] + [3.0] * 60,
    ],
    ids=["none", "one", "zeros", "leading zeros", "constant", "nan", "odd", "huge", "spike"],
)
def test_odd_series_give_finite_forecasts(sales):
    """No exception, and mean and variance finite and not negative after every bucket."""
    series = Series(MODEL)
    for sold in sales:
        series.learn_one(sold)
        assert all(math.isfinite(part) and part >= 0 for part in series.forecast())
    assert all(math.isfinite(part) and part >= 0 for part in series.forecast())


def test_a_constant_series_is_forecast_as_it_is():
    """Demand of 4 in every bucket: 28 in seven, with next to no variance."""
    outlook = learned([4.0] * 300).forecast()
    assert outlook.mean == pytest.approx(28, rel=1e-3)
    assert outlook.variance < 0.1


def test_a_diverging_expert_leaves_the_output_bounded(monkeypatch):
    """An expert that forecasts ever more, without a guard of its own, moves nothing past ten times the peak."""
    rng = np.random.default_rng(6)
    sales = rng.poisson(20, 300).astype(float).tolist()
    series = learned(sales[:100])
    assert "snarimax" in series.weights()
    state = {"at": 1.0}

    def diverging(_self, horizon, _xs=None):
        state["at"] = min(state["at"] * 4, 1e67)
        return [state["at"]] * horizon

    monkeypatch.setattr("domain.demand.experts.snarimax.GuardedSNARIMAX.forecast", diverging)
    for sold in sales[100:]:
        series.learn_one(sold)
        assert series.forecast().next_mean <= 10 * max(sales)
    assert state["at"] == 1e67
    assert series.weights()["snarimax"] < 0.01


def test_an_outsider_with_the_wrong_unit_leaves_the_output_bounded():
    """Forecasts a thousand million times too large move nothing past ten times the peak."""
    rng = np.random.default_rng(7)
    series = Series(MODEL)
    for sold in rng.poisson(20, 100).astype(float).tolist():
        series.learn_one(sold, outside=2e10)
    assert series.weights()["outside"] < 0.02
    assert series.forecast(outside=[2e10] * 7).mean <= 1.5 * series.forecast().mean


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.booleans(),
            st.booleans(),
            st.none() | st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=60,
    ),
    st.integers(0, 60),
)
@settings(deadline=None, max_examples=60)
def test_any_input_gives_finite_output_and_a_restored_series_goes_on_bit_for_bit(rows, cut):
    """Whatever comes, forecasts are finite, and MessagePack and back at any bucket changes nothing after it."""
    series, other = Series(MODEL), Series(MODEL)
    for now, (sold, out, promoted, outside) in enumerate(rows):
        if now == cut:
            stored, other = msgspec.msgpack.encode(other.snapshot()), Series(MODEL)
            other.restore(msgspec.msgpack.decode(stored))
        one = series.learn_one(sold, censored=out, promoted=promoted, outside=outside)
        two = other.learn_one(sold, censored=out, promoted=promoted, outside=outside)
        assert one == two
        outlook = series.forecast([promoted], [outside])
        assert all(math.isfinite(part) and part >= 0 for part in outlook)
        assert other.forecast([promoted], [outside]) == outlook
    assert other.snapshot() == series.snapshot()
