"""Capacity against formulas, simulated chains and scipy, and at hard values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from domain.alignment.availability import share_up
from domain.alignment.capacity import CAPACITY_SCHEMA, QUANTILES, CapacityConfig, draw, forecast
from tests.domain.alignment.capacity.fleets import HOUR_US, robots
from tests.domain.alignment.capacity.test_availability import simulated

ALL = CapacityConfig(utilisation=1.0, draws=4000)
_NAMES = list(QUANTILES)


def test_the_mean_is_the_formula():
    """Without charging, capacity is utilisation x robots x rate x hours x mean share up, robot by robot."""
    up, down = robots({"rate": 100.0}, count=4), robots({"mode": "fault", "rate": 50.0, "since_us": 0})
    found = forecast(pl.concat([up, down.with_columns(robot=pl.lit("z"))]), 0, [4 * HOUR_US]).row(0, named=True)
    share = share_up(np.array([1.0, 0.0]), np.array([1 / 20]), np.array([4.0]), 4.0)
    assert found["mean"] == pytest.approx(0.9 * 4 * (4 * 100 * share[0] + 50 * share[1] * 0.99), rel=1e-3)
    assert found["availability"] == pytest.approx((4 * share[0] + share[1] * 0.99) / 5, rel=1e-3)
    assert (found["robots"], found["up"]) == (5, 4)


@pytest.mark.parametrize("count", [1, 3, 25])
@pytest.mark.parametrize("hours", [0.25, 4.0])
def test_quantiles_are_those_of_simulated_chains(count, hours):
    """With known rates the quantiles are those of 4,000 simulated zones whose robots fail every hour."""
    fleet = robots({"failure_rate": 1.0, "repair_rate": 2.0, "rate": 1.0}, count=count)
    found = forecast(fleet, 0, [round(hours * HOUR_US)], ALL).row(0, named=True)
    rng = np.random.default_rng(1)
    times = sum(hours - simulated(rng, 1.0, 2.0, 1.0, hours, 4000) for _ in range(count))
    # Of one robot a quarter of an hour without a failure has a probability of its own, which Beta blurs.
    allowed = (0.1 if count == 1 else 0.05) * count**0.5 * hours
    for name, level in QUANTILES.items():
        assert found[name] == pytest.approx(np.quantile(times, level), abs=allowed), name


def test_work_of_a_known_time_is_gamma():
    """Robots that never fail do Gamma work: its quantiles are scipy's, with scatter, doubt, and both."""
    steady = {"failure_rate": 1e-9}
    for scatter, doubt in ((5.0, 0.0), (0.0, 0.01), (2.0, 0.0025)):
        fleet = robots(steady | {"scatter": scatter, "zone_doubt": doubt})
        found = forecast(fleet, 0, [HOUR_US], CapacityConfig(utilisation=1.0, draws=40_000)).row(0, named=True)
        variance = scatter * 100 + doubt * 100**2
        oracle = stats.gamma(100**2 / variance, scale=variance / 100)
        for name, level in QUANTILES.items():
            assert found[name] == pytest.approx(oracle.ppf(level), rel=0.01), (name, scatter)


@pytest.mark.parametrize(
    ("change", "hours", "share"),
    [
        ({"mode": "busy", "battery": 25.0}, 2.0, 0.25),
        ({"mode": "busy", "battery": 20.0}, 1.0, 0.0),
        ({"mode": "charging", "battery": 70.0}, 1.0, 0.5),
        ({"mode": "charging", "battery": 95.0}, 1.0, 1.0),
        ({"mode": "idle", "battery": 95.0}, 9.0, 7.5 / 9),
        ({"mode": "idle", "battery": 95.0}, 900.0, 7.5 / 9),
    ],
)
def test_charging_takes_its_time(change, hours, share):
    """A robot that drains 10 % an hour and charges 50 %, between 20 and 95 %, works for what is left of the horizon."""
    fleet = robots(change | {"drain": 10.0, "failure_rate": 1e-9})
    found = forecast(fleet, 0, [round(hours * HOUR_US)], ALL)
    assert found["availability"][0] == pytest.approx(share, abs=2e-3)


def test_robots_without_battery_readings_charge_at_any_time():
    """Robots whose charge is not known are available for the share of a cycle spent working."""
    fleet = robots({"battery": None, "drain": 10.0, "failure_rate": 1e-9}, count=50)
    found = forecast(fleet, 0, [90 * HOUR_US], ALL)
    assert found["availability"][0] == pytest.approx(7.5 / 9, abs=0.01)


def test_no_robots_no_rows():
    """A fleet without robots has no zones; a frame in the schema comes all the same, and so without horizons."""
    for none in (forecast(robots().clear(), 0, [HOUR_US]), forecast(robots(), 0, [])):
        assert none.height == 0
        assert none.schema == pl.Schema(CAPACITY_SCHEMA)


@pytest.mark.parametrize("change", [{"mode": "fault", "since_us": -100 * HOUR_US}, {"seen_us": -24 * HOUR_US}])
@pytest.mark.parametrize("hours", [1 / 3600, 1.0, 168.0])
def test_robots_down_for_days_are_not_counted_on(change, hours):
    """One that has been faulty for days, or unheard of for a day, though it worked then, can do nothing."""
    found = forecast(robots(change), 0, [round(hours * HOUR_US)], ALL).row(0, named=True)
    assert (found["robots"], found["up"]) == (1, 0)
    assert found["mean"] == pytest.approx(0, abs=1e-6 * hours)
    assert found["hi95"] == pytest.approx(0, abs=1e-6 * hours)


def test_silence_makes_a_robot_one_that_is_down():
    """A robot silent for two minutes counts as up, for longer as down since its last message."""
    seen = [-120_000_000, -121_000_000]
    up, down = (forecast(robots({"seen_us": at}), 0, [HOUR_US])["up"][0] for at in seen)
    assert (up, down) == (1, 0)


def test_a_zones_numbers_are_its_own():
    """Rows in another order and zones beside it change no bit of a zone's forecast; another time changes the draws."""
    mixed = pl.concat([robots({"scatter": 3.0}, count=5), robots({"zone": "dock", "site": "south"})])
    alone = forecast(mixed.filter(zone="pick"), 0, [HOUR_US, 1_000_000])
    together = forecast(mixed.reverse(), 0, [1_000_000, HOUR_US])
    assert together.filter(zone="pick").equals(alone)
    later = forecast(mixed.with_columns(pl.col("seen_us") + 1), 1, [HOUR_US])
    assert later.filter(zone="pick")["median"][0] != alone.filter(horizon_us=HOUR_US)["median"][0]


@pytest.mark.parametrize(("horizon", "utilisation", "draws"), [(0, 0.9, 10), (1, 0.0, 10), (1, 1.1, 10), (1, 0.9, 0)])
def test_what_makes_no_sense_is_refused(horizon, utilisation, draws):
    """Horizons must be above 0, utilisation above 0 and at most 1, draws at least 1."""
    with pytest.raises(ValueError, match="must"):
        forecast(robots(), 0, [horizon], CapacityConfig(utilisation=utilisation, draws=draws))


_CHANGE = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["idle", "busy", "charging", "fault", "offline", None]),
        "battery": st.sampled_from([None, 0.0, 19.9, 20.0, 60.0, 100.0]),
        "seen_us": st.sampled_from([0, -60_000_000, -24 * HOUR_US, 5_000_000]),
        "zone": st.sampled_from(["pick", "pack"]),
        "rate": st.sampled_from([0.0, 1e-6, 100.0, 1e6]),
        "rate_doubt": st.sampled_from([0.0, 0.01, 1.0]),
        "zone_doubt": st.sampled_from([0.0, 1.0]),
        "scatter": st.sampled_from([0.0, 1e-3, 50.0]),
        "failure_rate": st.sampled_from([1e-9, 0.05, 100.0]),
        "failures": st.sampled_from([4.0, 1e3]),
        "repair_rate": st.sampled_from([1e-3, 4.0, 1e3]),
        "repairs": st.sampled_from([4.0, 1e3]),
        "drain": st.sampled_from([1e-3, 12.0, 1e3]),
        "low_variance": st.sampled_from([0.0, 1.0, 400.0]),
        "high_variance": st.sampled_from([0.0, 1.0]),
    }
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_CHANGE, min_size=1, max_size=6), st.sampled_from([1_000_000, HOUR_US, 168 * HOUR_US]))
def test_capacity_is_possible_whatever_the_robots(changes, horizon):
    """Means are between 0 and robots x rate x horizon, shares between 0 and 1, quantiles finite and in order."""
    fleet = robots(*changes)
    found = forecast(fleet, 0, [horizon], CapacityConfig(utilisation=1.0, draws=50))
    most = fleet.group_by("zone").agg(pl.col("rate").sum() * horizon / HOUR_US).sort("zone")["rate"]
    numbers = found.sort("zone").select("availability", "rate", "mean", *_NAMES).to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (found["availability"] <= 1 + 1e-9).all()
    assert (found.sort("zone")["mean"] <= most * (1 + 1e-9)).all()
    assert (np.diff(found.select(_NAMES).to_numpy(), axis=1) >= 0).all()
    assert (found["up"] <= found["robots"]).all()


def test_draws_and_quantiles_say_the_same():
    """`draw` gives the draws that the forecast's quantiles are of."""
    fleet = robots({"scatter": 3.0}, count=3)
    drawn, told = draw(fleet, 7, [HOUR_US]), forecast(fleet, 7, [HOUR_US])
    assert np.quantile(drawn.work[0], 0.9) == told["hi80"][0]
