"""Reorder points for a service level, and the orders of the (s, S) and (R, Q) policies: many items at once.

Service is measured in one of two ways. *Cycle*: the share of orders that arrive before the stock has run out. *Fill*:
the share of demand met from stock. Demand to be covered is taken to be negative binomial where things are counted,
Gamma where they are measured, and where counts are less scattered than Poisson.

Amounts here are floats in base units, whole where things are counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from domain.inventory.lead_time import Bool, Demand, Float64
from domain.statistics.losses import gamma_loss, negative_binomial_loss
from domain.statistics.quantiles import gamma, negative_binomial

Int64 = npt.NDArray[np.int64]

GRAIN = 1_000
"""Measured amounts are whole multiples of a thousandth, 1 / GRAIN."""


def cycle_reorder_point(covered: Demand, level: Float64, counted: Bool) -> Float64:
    """The least stock at which demand exceeds what it must cover in at most 1 - level of the cycles."""
    m, v = covered.mean, covered.variance
    point = np.empty(m.shape)
    lattice = counted & (v >= m)
    point[lattice] = negative_binomial(m[lattice], v[lattice], level[lattice])
    smooth = gamma(m[~lattice], v[~lattice], level[~lattice])
    # A whole number stands for all that is rounded to it.
    point[~lattice] = np.where(counted[~lattice], np.ceil(smooth - 0.5), np.ceil(smooth * GRAIN) / GRAIN)
    return np.maximum(point, 0)


def fill_reorder_point(
    covered: Demand, lead_time: Demand, quantity: Float64, ordered: Float64, level: Float64, counted: Bool
) -> Float64:
    """The least stock with which no more than 1 - level of what is `ordered` in a cycle was short before.

    Short in a cycle is what `covered` exceeds the reorder point by, less what was short already when the order before
    arrived: demand of the `lead_time` beyond the reorder point and the order `quantity`.
    """
    grain = np.where(counted, 1, GRAIN)
    allowed = (1 - level) * ordered

    def enough(steps: Int64) -> Bool:
        stock = steps / grain
        short = _loss(covered, stock, counted) - _loss(lead_time, stock + quantity, counted)
        return np.asarray(short <= allowed)

    high = np.ceil((covered.mean + np.sqrt(covered.variance) + 1) * grain).astype(np.int64)
    while not (reached := enough(high)).all():
        high = np.where(reached, high, 2 * high)
    low = np.full(high.shape, -1)
    while (high - low > 1).any():
        middle = low + (high - low) // 2
        reached = enough(np.maximum(middle, 0)) & (middle >= 0)
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.asarray(high / grain)


def _loss(demand: Demand, stock: Float64, counted: Bool) -> Float64:
    lattice = counted & (demand.variance >= demand.mean)
    return np.where(
        lattice,
        negative_binomial_loss(demand.mean, np.where(lattice, demand.variance, 0), stock),
        gamma_loss(demand.mean, demand.variance, stock),
    )


def order_quantity(wanted: Int64, minimum: Int64, pack: Int64) -> Int64:
    """At least what is wanted and the minimum, in whole packs."""
    return -(-np.maximum(wanted, minimum) // pack) * pack


def order_up_to(position: Int64, reorder_point: Int64, order_up_to_level: Int64, minimum: Int64, pack: Int64) -> Int64:
    """Orders of (s, S): from a position at or below s up to S, which packs and the minimum may exceed; else 0."""
    return np.where(position <= reorder_point, order_quantity(order_up_to_level - position, minimum, pack), 0)


def order_multiples(position: Int64, reorder_point: Int64, quantity: Int64) -> Int64:
    """Orders of (R, Q): the fewest whole Q that bring a position at or below R above it; else 0."""
    return np.where(position <= reorder_point, ((reorder_point - position) // quantity + 1) * quantity, 0)
