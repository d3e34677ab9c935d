"""Reorder points for a service level and orders of both policies; service reached in a small simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.replenishment import items, reached
from domain.inventory.lead_time import Demand
from domain.inventory.policies import (
    cycle_reorder_point,
    fill_reorder_point,
    order_multiples,
    order_quantity,
    order_up_to,
)
from domain.statistics.losses import gamma_loss, negative_binomial_loss

newsvendor = pytest.importorskip("stockpyl.newsvendor")


def _array(*values):
    return np.array(values, dtype=float)


def test_the_cycle_reorder_point_is_the_newsvendors():
    """With the critical ratio for level: stockpyl's Poisson newsvendor."""
    for mean in (0.5, 4, 18, 200):
        stock, _ = newsvendor.newsvendor_poisson(200, 270, mean)
        found = cycle_reorder_point(Demand(_array(mean), _array(mean)), _array(270 / 470), np.array([True]))
        assert found.tolist() == [stock]


def test_a_large_reorder_point_is_near_the_normal_one():
    """stockpyl's normal newsvendor: its lead time of 4 covers five periods, review included."""
    stock, _ = newsvendor.newsvendor_normal(1, 19, 5_000, 100, lead_time=4)
    found = cycle_reorder_point(Demand(_array(25_000), _array(5 * 100**2)), _array(0.95), np.array([False]))
    assert found[0] == pytest.approx(stock, abs=2)


def test_what_is_certain_needs_no_safety():
    """No variance: the demand itself, counted or measured, in whole units or thousandths."""
    covered = Demand(_array(40, 40.2504, 0), _array(0, 0, 0))
    assert cycle_reorder_point(covered, _array(0.99, 0.99, 0.99), np.array([True, False, True])).tolist() == [
        40,
        40.251,
        0,
    ]


def test_counts_less_scattered_than_poisson_need_less():
    """Binomial demand: its own quantile, which is below Poisson's."""
    trials, chance, level = _array(100, 60), _array(0.9, 0.75), _array(0.85, 0.9)
    covered = Demand(trials * chance, trials * chance * (1 - chance))
    found = cycle_reorder_point(covered, level, np.array([True, True]))
    assert found.tolist() == stats.binom.ppf(level, trials, chance).tolist()
    assert (found < stats.poisson.ppf(level, covered.mean)).all()


def test_fill_of_counts_less_scattered_than_poisson_needs_less():
    """They are met as measured amounts are, in whole units."""
    steady, lot, level = Demand(_array(90), _array(9)), _array(30), _array(0.99)
    point = fill_reorder_point(steady, steady, lot, lot, level, np.array([True]))
    measured = fill_reorder_point(steady, steady, lot, lot, level, np.array([False]))
    scattered = Demand(_array(90), _array(90))
    assert point.tolist() == np.ceil(measured).tolist()
    assert point < fill_reorder_point(scattered, scattered, lot, lot, level, np.array([True]))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_the_fill_reorder_point_is_the_least_that_reaches_the_level(counted, level):
    """At the point the shortage of a cycle is allowed, one grain below it is not."""
    loss = negative_binomial_loss if counted else gamma_loss
    grain = 1 if counted else 0.001
    covered, waiting = (
        Demand(_array(14, 0.4, 300), _array(40, 2, 9_000)),
        Demand(_array(12, 0.3, 280), _array(36, 1.5, 8_000)),
    )
    lot = _array(6, 3, 100)
    point = fill_reorder_point(covered, waiting, lot, lot, np.full(3, level), np.full(3, counted))

    def short(stock):
        return loss(covered.mean, covered.variance, stock) - loss(waiting.mean, waiting.variance, stock + lot)

    allowed = (1 - level) * lot
    assert (short(point) <= allowed).all()
    below = np.maximum(point - grain, 0)
    assert ((short(below) > allowed) | (point == 0)).all()


def test_a_low_fill_level_needs_no_stock():
    """Never below 0: what half of the demand may wait for, waits."""
    none = fill_reorder_point(
        Demand(_array(1), _array(1)),
        Demand(_array(1), _array(1)),
        _array(50),
        _array(50),
        _array(0.2),
        np.array([True]),
    )
    assert none.tolist() == [0]


@given(
    st.integers(-100_000, 100_000),
    st.integers(0, 50_000),
    st.integers(1, 50_000),
    st.integers(0, 60_000),
    st.integers(1, 24_000),
)
def test_orders_keep_their_promises(position, point, lot, minimum, pack):
    """Whole packs, the minimum, above R, at S or beyond by less than a pack or the minimum; nothing above the point."""
    where = [np.array([value]) for value in (position, point, point + lot, minimum, pack)]
    order = int(order_up_to(*where)[0])
    lots = int(order_quantity(np.array([lot]), where[3], where[4])[0])
    several = int(order_multiples(where[0], where[1], np.array([lots]))[0])
    assert (order == 0) == (several == 0) == (position > point)
    assert lots % pack == 0
    assert lots >= max(lot, minimum) > lots - pack
    if order:
        assert order % pack == 0
        assert order >= max(minimum, point + lot - position) > order - pack
        assert several % lots == 0
        assert point < position + several <= point + lots


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "review"), [("Poisson", 1), ("erratic, late", 5), ("smooth, wild lead time", 5), ("measured", 1)]
)
def test_the_nominal_service_is_reached(name, review):
    """Of 95 %, with random lead times, .94 to .97 of orders arrive in time; taking lead times for certain does not."""
    item = next(one for one in items() if one.name == name)
    service = reached(item, "s_S", review, count=100, buckets=1_500)
    assert 0.94 <= service["NB/gamma"].service <= 0.97
    assert 0.94 <= service["fill"].service <= 0.975
    if item.lead_sd > 3:
        assert service["no sL"].service < 0.85
