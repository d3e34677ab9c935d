"""Work that arrives: rates found, intervals that hold what they should, and silence."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from domain.alignment.arrivals import ARRIVAL_SCHEMA, Arrivals, demand_within
from schemas.errors import RecoveryError
from tests.domain.alignment.capacity.fleets import HOUR_US, WINDOW_US

_COUNTS = ("created", "created_micro", "found", "found_micro")
_SCHEMA = {"site": pl.String, "zone": pl.String, **dict.fromkeys(_COUNTS, pl.Int64)}


def flows(work, found=0.0):
    """Work that arrived in a window: units by zone, in tasks of half a unit, and which share robots had already."""
    counts = [(zone, (2 * units, 1e6 * units, found * 2 * units, found * 1e6 * units)) for zone, units in work.items()]
    rows = [("north", zone, *map(round, values)) for zone, values in counts]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def streams(rng, rates, windows):
    """Work of compound Poisson streams (windows, zones): tasks per hour, of 1 to 5 units."""
    tasks = rng.poisson(np.array(rates) / 60, (windows, len(rates)))
    return np.vectorize(lambda n: float(rng.integers(1, 6, n).sum()))(tasks)


@pytest.mark.slow
def test_intervals_hold_the_work_to_come():
    """Of the work of the next hour in 400 zones, 77 to 83 % lies within 80 % intervals and 93 to 97 % within 95 %."""
    rng = np.random.default_rng(21)
    rates = rng.uniform(20, 200, 400)
    work = streams(rng, rates, 240)
    arrivals = Arrivals(WINDOW_US)
    hits, told = {0.1: [], 0.025: []}, []
    for window in range(180):
        arrivals.learn(window * WINDOW_US, flows({f"{z:03d}": work[window, z] for z in range(400)}))
        if window % 60 == 59 and window > 60:
            told.append((window, demand_within(arrivals.rates((window + 1) * WINDOW_US), [HOUR_US])))
    for window, demand in told:
        mean, variance = demand["mean"].to_numpy(), demand["variance"].to_numpy()
        oracle = stats.gamma(mean**2 / variance, scale=variance / mean)
        come = work[window + 1 : window + 61].sum(axis=0)
        for tail, held in hits.items():
            held.append((oracle.ppf(tail) <= come) & (come <= oracle.isf(tail)))
    assert 0.77 <= np.mean(hits[0.1]) <= 0.83
    assert 0.93 <= np.mean(hits[0.025]) <= 0.97


@pytest.mark.slow
def test_what_is_there_at_the_start_is_no_arrival():
    """Neither what is first heard of in the first window, nor what robots have had since before then."""
    arrivals = Arrivals(WINDOW_US)
    arrivals.learn(0, flows({"pick": 500.0}))
    assert not arrivals.begun
    for window in range(1, 60):
        arrivals.learn(window * WINDOW_US, flows({"pick": 2.0, "pack": 2.0}, found=0.5 if window % 2 else 0.0))
    rates = arrivals.rates(HOUR_US)
    assert rates["rate"].to_list() == pytest.approx([90.0, 90.0], rel=0.02)
    for window in range(60, 600):
        arrivals.learn(window * WINDOW_US, flows({"pick": 2.0, "pack": 2.0}, found=1.0))
    assert arrivals.rates(600 * WINDOW_US)["rate"].to_list() == pytest.approx([120.0, 120.0])


def test_who_tells_of_tasks_only_as_robots_take_them_has_arrivals_all_the_same():
    """From the second window on."""
    arrivals = Arrivals(WINDOW_US)
    for window in range(10):
        arrivals.learn(window * WINDOW_US, flows({"pick": 2.0}, found=1.0))
    assert arrivals.rates(10 * WINDOW_US)["rate"].to_list() == pytest.approx([120.0])


@pytest.mark.parametrize("minutes", [1, 5, 30])
def test_a_steady_rate_is_found_whatever_the_window(minutes):
    """Work of a window is as old as its time."""
    arrivals = Arrivals(minutes * WINDOW_US)
    for window in range(20):
        arrivals.learn(window * minutes * WINDOW_US, flows({"pick": 1.5 * minutes}))
    assert arrivals.rates(20 * minutes * WINDOW_US).select("rate", "task").row(0) == pytest.approx((90.0, 0.5))


@pytest.mark.slow
def test_windows_without_rows_are_windows_without_work():
    """Half of the windows left out halve the rate; after a day without any the rate is next to nothing."""
    arrivals = Arrivals(WINDOW_US)
    for window in range(0, 600, 2):
        arrivals.learn(window * WINDOW_US, flows({"pick": 2.0}))
    assert arrivals.rates(600 * WINDOW_US)["rate"][0] == pytest.approx(60, rel=0.05)
    arrivals.learn(2_040 * WINDOW_US, flows({}))
    after = arrivals.rates(2_041 * WINDOW_US).row(0, named=True)
    assert after["rate"] < 1e-9
    assert after["rate_variance"] > 0


def test_doubt_grows_while_nothing_is_heard():
    """The rate stays, its variance doubles with each half-life of silence."""
    arrivals = Arrivals(WINDOW_US)
    for window in range(60):
        arrivals.learn(window * WINDOW_US, flows({"pick": 1.0 + window % 2}))
    now, later = (arrivals.rates(HOUR_US + wait).row(0, named=True) for wait in (0, HOUR_US // 2))
    assert later["rate"] == now["rate"]
    assert later["rate_variance"] == pytest.approx(2 * now["rate_variance"], rel=0.2)


def test_variance_within_a_horizon_grows_with_its_square():
    """The doubt about the rate counts for every hour alike, the scatter of the stream evens out."""
    schema = ARRIVAL_SCHEMA
    rates = pl.DataFrame([("north", "pick", 10.0, 4.0, 0.25, 1.0)], schema=schema, orient="row")
    found = demand_within(rates, [4 * HOUR_US, HOUR_US])
    assert found["mean"].to_list() == [10.0, 40.0]
    assert found["variance"].to_list() == [4.25, 4 * 4 + 16 * 0.25]


def test_stored_arrivals_go_on_bit_for_bit():
    """A restored estimate ends as one that was never stored; order is kept, other versions are refused."""
    whole, first, second = Arrivals(WINDOW_US), Arrivals(WINDOW_US), Arrivals(WINDOW_US)
    for window in range(40):
        rows = flows({"b": window % 3, "a": 2.0})
        whole.learn(window * WINDOW_US, rows)
        if window == 20:
            second.restore(first.snapshot())
        (second if window >= 20 else first).learn(window * WINDOW_US, rows)
    assert second.rates(HOUR_US).equals(whole.rates(HOUR_US))
    with pytest.raises(ValueError, match="learned before"):
        whole.learn(0, flows({}))
    with pytest.raises(RecoveryError, match="version"):
        whole.restore(first.snapshot().replace(b"\xa7version\x02", b"\xa7version\x01"))


def test_no_zones_no_rates():
    """Before the first row there is nothing to tell, in the schema."""
    none = Arrivals(WINDOW_US).rates(0)
    assert none.height == 0
    assert none.schema == pl.Schema(ARRIVAL_SCHEMA)
