"""Quantities and policies of least cost against stockpyl's exact solutions and its textbook instances."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from domain.inventory.economic import (
    Costs,
    best_r_q,
    best_s_up_to,
    economic_order_quantity,
    newsvendor,
    stock_costs,
)

rq = pytest.importorskip("stockpyl.rq")
ss = pytest.importorskip("stockpyl.ss")
news = pytest.importorskip("stockpyl.newsvendor")


@pytest.fixture(scope="module")
def textbook(real_data):
    """Instances of Snyder and Shen, Fundamentals of Supply Chain Theory, by name."""
    instances = json.loads((real_data / "stockpyl" / "stockpyl_instances.json").read_text())["instances"]
    return {one["name"]: one["data"] for one in instances}


def _costs(data):
    return Costs(data["holding_cost"], data["stockout_cost"], data.get("fixed_cost", 1))


def _poisson(mean):
    return stats.poisson.pmf(np.arange(int(mean + 20 * mean**0.5 + 20)), mean)


def test_the_published_r_q_and_s_s_solutions_are_found():
    """Example 5.8: (3, 5) at 107.92. Example 4.7: (4, 10) at 8.034."""
    best = best_r_q(Costs(20, 150, 100), 1.5, (3.0, 3.0))
    assert (best.reorder_point, best.order, round(best.cost, 2)) == (3, 5, 107.92)
    best = best_s_up_to(Costs(1, 4, 5), _poisson(6), (6.0, 6.0))
    assert (best.reorder_point, best.order, round(best.cost, 3)) == (4, 10, 8.034)


def test_textbook_r_q_instances(textbook):
    """Problem 5.2 and example 5.8, Poisson demand: stockpyl's exact solutions."""
    for name in ("problem_5_2", "example_5_8"):
        data = textbook[name]
        expected = rq.r_q_poisson_exact(*data.values())
        waiting = data["demand_mean"] * data["lead_time"]
        best = best_r_q(_costs(data), data["demand_mean"], (waiting, waiting))
        assert (best.reorder_point, best.order) == expected[:2]
        assert best.cost == pytest.approx(expected[2], rel=1e-12)


def test_textbook_s_s_instances(textbook):
    """Example 4.7 and problem 4.31."""
    for name in ("example_4_7", "problem_4_31"):
        data = textbook[name]
        mean = data["demand_mean"]
        expected = ss.s_s_discrete_exact(*list(data.values())[:3], use_poisson=True, demand_mean=mean)
        best = best_s_up_to(_costs(data), _poisson(mean), (mean, mean))
        assert (best.reorder_point, best.order) == expected[:2]
        assert best.cost == pytest.approx(expected[2], rel=1e-12)


def test_textbook_economic_quantities(textbook):
    """Example and problem 3.1."""
    quantities = [
        economic_order_quantity(
            *(np.array([textbook[name][part]]) for part in ("demand_rate", "fixed_cost", "holding_cost"))
        )
        for name in ("example_3_1", "problem_3_1")
    ]
    np.testing.assert_allclose(np.ravel(quantities), [304.0467800264368, 1728.109], rtol=1e-6)


def test_textbook_newsvendor(textbook):
    """Problem 4.8(a), Poisson."""
    data = textbook["problem_4_8a"]
    stock, cost = news.newsvendor_poisson(data["holding_cost"], data["stockout_cost"], data["demand_mean"])
    best = newsvendor(_costs(data), data["demand_mean"], data["demand_mean"])
    assert (best.order, best.cost) == (stock, pytest.approx(cost, rel=1e-9))


def test_random_instances_equal_stockpyl():
    """Half a dozen items of other costs and demands, both policies."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        costs = Costs(rng.uniform(0.5, 5), rng.uniform(3, 50), rng.uniform(1, 60))
        mean = rng.uniform(0.5, 6)
        found = best_s_up_to(costs, _poisson(mean), (mean, mean))
        expected = ss.s_s_discrete_exact(costs.holding, costs.shortage, costs.order, use_poisson=True, demand_mean=mean)
        assert (found.reorder_point, found.order, pytest.approx(found.cost)) == expected
        found = best_r_q(costs, mean, (2 * mean, 2 * mean))
        expected = rq.r_q_poisson_exact(costs.holding, costs.shortage, costs.order, mean, 2)
        assert (found.reorder_point, found.order, pytest.approx(found.cost)) == expected


def test_scattered_demand_has_the_policy_of_least_cost_of_all():
    """Negative binomial demand, where stockpyl has no solution: no policy nearby costs less, by counting."""
    costs, rate, mean, variance = Costs(1, 9, 20), 2.0, 6.0, 30.0
    best = best_r_q(costs, rate, (mean, variance))
    tried = {
        (point, lot): (
            costs.order * rate + stock_costs(costs, mean, variance, np.arange(point + 1.0, point + lot + 1)).sum()
        )
        / lot
        for point in range(-5, 30)
        for lot in range(1, 40)
    }
    assert min(tried, key=tried.__getitem__) == (best.reorder_point, best.order)
    assert min(tried.values()) == pytest.approx(best.cost)


def test_stock_below_nothing_only_lacks():
    """A negative stock costs the shortage of all demand and of what is owed."""
    assert stock_costs(Costs(1, 4, 1), 6, 6, np.array([-2.0, 0.0])).tolist() == [32, 24]
