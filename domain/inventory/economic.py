"""What orders and stock cost: economic quantities, and exactly optimal (R, Q) and (s, S) policies of one item.

The exact searches are for when costs are known better than a service level is: `holding` and `shortage` are costs of a
unit for a unit of time, `order` is the cost of an order. Demand is whole, negative binomial by mean and variance,
Poisson where the variance is the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.inventory.lead_time import Float64
from domain.statistics.losses import negative_binomial_loss
from domain.statistics.quantiles import negative_binomial


@dataclass(frozen=True, slots=True)
class Costs:
    """Of holding a unit, of lacking one, and of placing an order; all above 0."""

    holding: float
    shortage: float
    order: float

    @property
    def critical_ratio(self) -> float:
        """The service level at which one unit more costs as much to hold as to lack (the newsvendor's)."""
        return self.shortage / (self.shortage + self.holding)


@dataclass(frozen=True, slots=True)
class Optimum:
    """A least-cost policy: the reorder point, the order quantity Q or the level S, and the cost of a unit of time."""

    reorder_point: int
    order: int
    cost: float


def economic_order_quantity(demand: Float64, order_cost: Float64, holding_cost: Float64) -> Float64:
    """Harris (1913): the quantity at which ordering costs as much as holding. Demand and holding per the same time."""
    return np.sqrt(2 * order_cost * demand / holding_cost)


def stock_costs(costs: Costs, mean: float, variance: float, stock: Float64) -> Float64:
    """Expected cost of holding and lacking once demand of `mean` and `variance` has met a stock (whole, any sign)."""
    short = np.where(
        stock >= 0,
        negative_binomial_loss(np.array([mean]), np.array([variance]), np.maximum(stock, 0)),
        mean - stock,
    )
    return costs.holding * (stock - mean + short) + costs.shortage * short


def newsvendor(costs: Costs, mean: float, variance: float) -> Optimum:
    """The stock that costs least where orders cost nothing; its reorder point and level are one."""
    stock = int(negative_binomial(mean, variance, costs.critical_ratio))
    return Optimum(stock, stock, float(stock_costs(costs, mean, variance, np.array([float(stock)]))[0]))


def best_r_q(costs: Costs, rate: float, lead_time: tuple[float, float]) -> Optimum:
    """The (R, Q) of least cost under continuous review, unit demands at `rate`, (mean, variance) of the lead time's.

    The position is uniform over R + 1 to R + Q, so the best Q positions are those of least cost, taken one by one
    while one more lowers the average (Federgruen and Zheng, Operations Research 40:808, 1992).
    """
    middle = newsvendor(costs, *lead_time).order
    total = costs.order * rate + _at(costs, lead_time, middle)
    low = high = middle
    below, above = _at(costs, lead_time, low - 1), _at(costs, lead_time, high + 1)
    while min(below, above) < total / (high - low + 1):
        total += min(below, above)
        if below <= above:
            low -= 1
            below = _at(costs, lead_time, low - 1)
        else:
            high += 1
            above = _at(costs, lead_time, high + 1)
    return Optimum(low - 1, high - low + 1, total / (high - low + 1))


def best_s_up_to(costs: Costs, demand: Float64, covered: tuple[float, float]) -> Optimum:
    """The (s, S) of least cost under periodic review.

    `demand` holds the probabilities of 0, 1, 2 ... in a review period, `covered` is (mean, variance) of the demand
    of review and lead time. Zheng and Federgruen, Operations Research 39:654 (1991): from the best stock without order
    costs s goes down until its own cost is no better than the policy's; then S goes up as long as it may gain.
    """
    level = reorder = newsvendor(costs, *covered).order
    policy = _Policies(costs, demand, covered)
    while True:
        reorder -= 1
        cost = policy.cost(reorder, level)
        if cost <= _at(costs, covered, reorder):
            break
    best = Optimum(reorder, level, cost)
    while _at(costs, covered, level := level + 1) <= best.cost:
        if policy.cost(reorder, level) < best.cost:
            while policy.cost(reorder, level) <= _at(costs, covered, reorder + 1):
                reorder += 1
            best = Optimum(reorder, level, policy.cost(reorder, level))
    return best


class _Policies:
    """Costs of (s, S) policies of one item. `_visits[d]`: expected reviews at d below S before an order."""

    def __init__(self, costs: Costs, demand: Float64, covered: tuple[float, float]) -> None:
        self._costs = costs
        self._demand = demand
        self._covered = covered
        self._visits = [1 / (1 - float(demand[0]))]

    def cost(self, reorder: int, level: int) -> float:
        """Of a review period."""
        depth = level - reorder
        while len(self._visits) < depth:
            reach = min(len(self._visits), len(self._demand) - 1)
            before = np.array(self._visits[-reach:])[::-1]
            self._visits.append(self._visits[0] * float(self._demand[1 : reach + 1] @ before))
        visits = np.array(self._visits[:depth])
        stocks = stock_costs(self._costs, *self._covered, level - np.arange(float(depth)))
        return float((self._costs.order + visits @ stocks) / visits.sum())


def _at(costs: Costs, demand: tuple[float, float], stock: int) -> float:
    return float(stock_costs(costs, *demand, np.array([float(stock)]))[0])
