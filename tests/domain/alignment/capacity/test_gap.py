"""Gap and time to clear against a fluid queue, scipy, and at hard values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from domain.alignment.arrivals import DEMAND_SCHEMA
from domain.alignment.capacity import Draws, draw
from domain.alignment.gap import BACKLOG_SCHEMA, GAP_SCHEMA, gaps
from tests.domain.alignment.capacity.fleets import HOUR_US, robots


def certain(capacity, zone="pick", draws=100):
    """Capacity of a zone within an hour, known for sure."""
    zones = draw(robots(), 0, [HOUR_US]).zones
    return Draws(0, zones.with_columns(zone=pl.lit(zone), mean=pl.lit(capacity)), np.full((1, draws), capacity))


def demand(mean, variance=0.0, zone="pick", horizon=HOUR_US):
    return pl.DataFrame([("north", zone, horizon, mean, variance)], schema=DEMAND_SCHEMA, orient="row")


def backlog(units, zone="pick"):
    return pl.DataFrame([("north", zone, units)], schema=BACKLOG_SCHEMA, orient="row")


def fluid(queue, inflow, outflow, step=1e-4):
    """Hours until a fluid queue is empty, followed step by step; infinity after 100 hours."""
    hours = 0.0
    while queue > 0 and hours < 100:
        queue, hours = queue + (inflow - outflow) * step, hours + step
    return hours if queue <= 0 else np.inf


@pytest.mark.parametrize(("queue", "inflow", "outflow"), [(40, 50, 60), (40, 0, 80), (1, 59.9, 60), (0, 70, 60)])
def test_time_to_clear_is_that_of_a_fluid_queue(queue, inflow, outflow):
    """With everything certain, mean and every quantile are the time in which the queue empties."""
    found = gaps(certain(float(outflow)), demand(float(inflow)), backlog(float(queue))).row(0, named=True)
    for name in ("clear_h", "clear_lo95_h", "clear_median_h", "clear_hi95_h"):
        assert found[name] == pytest.approx(fluid(queue, inflow, outflow), abs=1e-2 * 10), name
    assert found["clears"] is True
    assert found["gap"] == queue + inflow - outflow
    assert found["shortfall"] == (queue + inflow > outflow)


@pytest.mark.parametrize("inflow", [60.0, 75.0])
def test_a_backlog_that_does_not_shrink_never_clears(inflow):
    """Where demand is capacity or more, time to clear is null and `clears` is false."""
    found = gaps(certain(60.0), demand(inflow), backlog(5.0)).row(0, named=True)
    assert (found["clears"], found["clear_h"], found["clear_hi95_h"], found["clears_within"]) == (
        False,
        None,
        None,
        0.0,
    )


def test_demand_is_gamma():
    """Quantiles of demand and gap are scipy's of Gamma demand against a certain capacity."""
    found = gaps(certain(100.0, draws=40_000), demand(90.0, 400.0), backlog(30.0)).row(0, named=True)
    oracle = stats.gamma(90**2 / 400, scale=400 / 90)
    for name, level in (("lo95", 0.025), ("median", 0.5), ("hi95", 0.975)):
        assert found[f"demand_{name}"] == pytest.approx(oracle.ppf(level), rel=0.01)
        assert found[f"gap_{name}"] == pytest.approx(oracle.ppf(level) - 70, abs=1.0)
    assert found["shortfall"] == pytest.approx(oracle.sf(70), abs=0.01)
    # It clears within the hour if 30 / (100 - demand) is an hour at most.
    assert found["clears_within"] == pytest.approx(oracle.cdf(70), abs=0.01)


def test_some_quantiles_may_be_infinite():
    """Where a tenth of the draws never clears, the upper quantile is null and the others are not."""
    found = gaps(certain(100.0, draws=10_000), demand(80.0, stats.norm.ppf(0.9) ** -2 * 400), backlog(10.0))
    assert found["clear_hi95_h"][0] is None
    assert 0 < found["clear_lo95_h"][0] < found["clear_median_h"][0] < 1
    assert found["clears"][0]


def test_zones_known_from_anything_are_told():
    """A zone with demand or backlog and no robots has capacity 0; one with robots only has no demand: missing is 0."""
    found = gaps(certain(60.0), demand(5.0, zone="dock"), backlog(7.0, zone="attic"))
    assert found.schema == pl.Schema(GAP_SCHEMA)
    told = found.select("zone", "demand", "backlog", "capacity", "gap", "clears").rows()
    assert told == [
        ("attic", 0.0, 7.0, 0.0, 7.0, False),
        ("dock", 5.0, 0.0, 0.0, 5.0, True),
        ("pick", 0.0, 0.0, 60.0, -60.0, True),
    ]


def test_nothing_at_all_gives_no_rows():
    """Without robots, demand and backlog there is nothing to tell, in the schema."""
    none = gaps(draw(robots().clear(), 0, [HOUR_US]), demand(1.0).clear(), backlog(1.0).clear())
    assert none.height == 0
    assert none.schema == pl.Schema(GAP_SCHEMA)
