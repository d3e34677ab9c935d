"""Reorder points and economic quantities against stockpyl's exact solutions and its textbook instances."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from domain.inventory.lead_time import Demand, during, undershoot
from domain.inventory.policies import fill_reorder_point
from domain.inventory.replenish import ITEM_SCHEMA, replenish
from domain.inventory.review import review

rq = pytest.importorskip("stockpyl.rq")
ss = pytest.importorskip("stockpyl.ss")

DAY = 86_400_000_000
COUNTED = np.array([True])


@pytest.fixture(scope="module")
def textbook(real_data):
    """Instances of Snyder and Shen, Fundamentals of Supply Chain Theory, by name."""
    instances = json.loads((real_data / "stockpyl" / "stockpyl_instances.json").read_text())["instances"]
    return {one["name"]: one["data"] for one in instances}


def _array(*values):
    return np.array(values, dtype=float)


def _poisson(mean):
    return Demand(_array(mean), _array(mean))


def _least_cost_r(holding, shortage, mean, quantity):
    """R at which as much demand is met from stock as lacking a unit costs over lacking and holding one, less one.

    The unit that is on the shelf at R costs as much to hold as to lack (Federgruen and Zheng 1992, Operations Research
    40:808), which is met one below the least R of that fill rate.
    """
    level, lot = _array(shortage / (shortage + holding)), _array(quantity)
    return int(fill_reorder_point(_poisson(mean), _poisson(mean), lot, lot, level, COUNTED)[0]) - 1


def test_the_published_r_q_solution_is_found():
    """Example 5.8 of Snyder and Shen: (3, 5)."""
    assert _least_cost_r(20, 150, 3.0, 5) == 3


def test_reorder_points_of_r_q_equal_stockpyls_exact_ones(textbook):
    """Problem 5.2, example 5.8 and eight items of other costs and demands, each at the exact solution's Q."""
    rng = np.random.default_rng(0)
    cases = [tuple(textbook[name].values()) for name in ("problem_5_2", "example_5_8")]
    cases += [(rng.uniform(0.5, 5), rng.uniform(15, 50), rng.uniform(1, 60), rng.uniform(0.5, 6), 2) for _ in range(8)]
    for holding, shortage, order, rate, lead in cases:
        point, quantity, _ = rq.r_q_poisson_exact(holding, shortage, order, rate, lead)
        assert _least_cost_r(holding, shortage, rate * lead, quantity) == max(point, -1)


@pytest.mark.slow
def test_reorder_points_of_s_s_are_near_stockpyls_exact_ones():
    """At the exact lot S - s: within two units, and dearer by no more than a sixth where stock is worth having."""
    rng = np.random.default_rng(0)
    for _ in range(8):
        holding, shortage, order, rate = rng.uniform(0.5, 5), rng.uniform(20, 50), rng.uniform(1, 60), rng.uniform(1, 6)
        point, level, least = ss.s_s_discrete_exact(holding, shortage, order, use_poisson=True, demand_mean=rate)
        lot, bucket = int(level - point), _poisson(rate)
        now, below = during(_array(0), _array(0), bucket), undershoot(_array(1), bucket, COUNTED)
        fill = _array(shortage / (shortage + holding))
        found = int(fill_reorder_point(now + below, now, _array(lot), lot + below.mean, fill, COUNTED)[0])
        assert abs(found - point) <= 2
        cost = ss.s_s_cost_discrete(found, found + lot, holding, shortage, order, use_poisson=True, demand_mean=rate)
        assert cost <= least * 7 / 6


def test_economic_quantities_are_the_textbooks(textbook):
    """Example and problem 3.1, as an item whose costs and yearly demand they are: Harris' quantity, in whole units."""
    for name, lot in (("example_3_1", 305), ("problem_3_1", 1_729)):
        yearly, order, holding = (textbook[name][part] for part in ("demand_rate", "fixed_cost", "holding_cost"))
        demand = {"site": "n", "sku": "a", "bucket_start": 0, "bucket_end": DAY, "horizon": 1}
        item = {"sku": "a", "uom": "each", "policy": "r_Q", "service": "cycle", "unit_cost": 10.0, "service_level": 0.9}
        item |= {"lead_time_mean_d": 1.0, "lead_time_sd_d": 0.0, "review_d": 1.0, "pack": 1_000, "minimum_order": 0}
        item |= {"order_cost": order, "holding_rate": holding / 10}
        stock = {"site": "n", "sku": "a", "uom": "each", "position": 0, "available": 0}
        frames = [demand | {"mean": yearly / 365, "variance": yearly / 365}, item, stock]
        assert review(*map(pl.DataFrame, frames), "day").rows["order_quantity"].to_list() == [lot * 1_000]


def test_rows_of_a_review_have_these_reorder_points():
    """Example 5.8 once more, as an item that orders lots of 5 at any time: what is recommended goes by that point."""
    item = dict.fromkeys(ITEM_SCHEMA) | {
        "site": "n", "sku": "a", "policy": "r_Q", "counted": True, "position": 4_000, "demand_mean": 1.5,
        "demand_sd": 1.5**0.5, "lead_time_mean": 2.0, "lead_time_sd": 0.0, "review": 0.0, "service": "fill",
        "service_level": 150 / 170, "economic_quantity": 5.0,
    }  # fmt: skip
    row = replenish(pl.DataFrame([item], schema=ITEM_SCHEMA), 0).row(0, named=True)
    assert (row["reorder_point"], row["order_quantity"], row["recommended"]) == (4_000, 5_000, 5_000)
