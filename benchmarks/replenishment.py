"""Service that reorder points reach when demand and lead times are random: simulated, ours beside simpler ones.

Each line is 300 items of one kind over 1,500 buckets (300 of them warm-up): stock, an (s, S) or (R, Q) policy with
orders for some 15 buckets, orders that take a random whole number of buckets and may overtake each other. Shown is the
share of orders that arrived before the stock had run out, beside a nominal 95 %; for *fill* the share of demand met
from stock. All are NB or gamma quantiles but the normal one:

- NB/gamma: lead-time demand and undershoot, means and variances: what `domain.inventory.replenish` uses;
- normal: the same moments, a normal quantile;
- no sL: the same, lead times taken for certain;
- mean U: lead-time demand, and only the mean of the undershoot added to the quantile;
- L + T: the demand of lead time and review period, and no undershoot;
- L + T, U: the same and the mean of the undershoot, which counts the review period twice.

Run: python -m benchmarks.replenishment
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from domain.inventory.lead_time import Demand, Float64, during, undershoot
from domain.inventory.policies import cycle_reorder_point, fill_reorder_point

LEVEL = 0.95
WARM_UP = 300
REACH = 200

Draw = Callable[[np.random.Generator, tuple[int, ...]], Float64]


@dataclass(frozen=True, slots=True)
class Item:
    """A kind of item: what a bucket asks for, and how long an order takes."""

    name: str
    mean: float
    variance: float
    demand: Draw
    lead_mean: float
    lead_sd: float
    lead: Draw
    counted: bool = True


def negative_binomial_demand(mean: float, variance: float) -> Draw:
    size = mean**2 / (variance - mean)
    return lambda rng, shape: rng.negative_binomial(size, mean / variance, shape).astype(np.float64)


def intermittent(chance: float, size: float) -> tuple[float, float, Draw]:
    """Mean, variance and draws of a demand that comes in a bucket with a chance, 1 + Poisson(size - 1) at once."""
    square = size - 1 + size**2

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64:
        return (rng.random(shape) < chance) * (1.0 + rng.poisson(size - 1, shape))

    return chance * size, chance * square - (chance * size) ** 2, draw


def lead_times(mean: float, sd: float) -> tuple[float, float, Draw]:
    """Whole lead times, negative binomial about a mean (constant for sd 0); mean and sd as given."""
    if sd == 0:
        return mean, 0.0, lambda _, shape: np.full(shape, mean)
    size = mean**2 / (sd**2 - mean) if sd**2 > mean else 0.0
    if size:
        return mean, sd, lambda rng, shape: rng.negative_binomial(size, mean / sd**2, shape).astype(np.float64)
    trials = round(mean / (1 - sd**2 / mean))
    chance = mean / trials
    spread = (trials * chance * (1 - chance)) ** 0.5
    return mean, spread, lambda rng, shape: rng.binomial(trials, chance, shape).astype(np.float64)


def items() -> list[Item]:
    short, long_, wild = lead_times(4, 0), lead_times(9, 2.0), lead_times(6, 4.0)
    return [
        Item("slow, Poisson", 0.3, 0.3, lambda rng, shape: rng.poisson(0.3, shape).astype(float), *long_),
        Item("Poisson", 5, 5, lambda rng, shape: rng.poisson(5, shape).astype(float), *short),
        Item("erratic", 6, 40, negative_binomial_demand(6, 40), *short),
        Item("erratic, late", 6, 40, negative_binomial_demand(6, 40), *long_),
        Item("smooth, wild lead time", 20, 30, negative_binomial_demand(20, 30), *wild),
        Item("intermittent", *intermittent(0.15, 3), *long_),
        Item("lumpy", *intermittent(0.08, 12), *wild),
        Item("measured", 40, 900, lambda rng, s: rng.gamma(40**2 / 900, 900 / 40, s), *long_, counted=False),
    ]


def simulate(
    item: Item, policy: str, point: float, quantity: float, review: int, *, count: int, buckets: int
) -> tuple[float, float]:
    """Cycle and fill service of `count` items of a kind under a policy, after the warm-up."""
    rng = np.random.default_rng(1)
    due, orders = np.zeros((REACH, count)), np.zeros((REACH, count), dtype=np.int64)
    stock, position = np.full(count, point + quantity), np.full(count, point + quantity)
    arrived = in_time = 0
    asked = unmet = 0.0
    for bucket in range(buckets):
        slot, shown = bucket % REACH, bucket >= WARM_UP
        demand = item.demand(rng, (count,))
        if shown:
            arrived += int(orders[slot].sum())
            in_time += int(orders[slot][stock >= 0].sum())
            asked += float(demand.sum())
            unmet += float(np.clip(demand - stock - due[slot], 0, demand).sum())
        stock += due[slot] - demand
        position -= demand
        due[slot], orders[slot] = 0, 0
        if (bucket + 1) % review == 0:
            at = np.flatnonzero(position <= point)
            lots = np.floor((point - position[at]) / quantity) + 1
            order = lots * quantity if policy == "r_Q" else point + quantity - position[at]
            arrives = (bucket + 1 + np.minimum(item.lead(rng, at.shape), REACH - 1).astype(np.int64)) % REACH
            due[arrives, at] += order
            orders[arrives, at] += 1
            position[at] += order
    return in_time / arrived, 1 - unmet / asked


@dataclass(frozen=True, slots=True)
class Reached:
    """A reorder point and the service it reached."""

    point: float
    service: float


def reached(item: Item, policy: str, review: int, *, count: int, buckets: int) -> dict[str, Reached]:
    """Simulated service of an item's reorder points: fill for the one called so, cycle for the others."""
    quantity = float(np.ceil(15 * item.mean))
    found = {}
    for name, point in reorder_points(item, policy, review, quantity).items():
        cycle, fill = simulate(item, policy, point, quantity, review, count=count, buckets=buckets)
        found[name] = Reached(point, fill if name == "fill" else cycle)
    return found


def reorder_points(item: Item, policy: str, review: int, quantity: float) -> dict[str, float]:
    """Ours and the simpler ones."""
    from scipy.special import ndtri  # noqa: PLC0415 - slow

    bucket, counted, level = Demand(_array(item.mean), _array(item.variance)), np.array([item.counted]), _array(LEVEL)
    lead, spread, period = _array(item.lead_mean), _array(item.lead_sd), _array(review)
    waiting, below = during(lead, spread, bucket), undershoot(period, bucket, counted)
    covered, certain = waiting + below, during(lead, _array(0), bucket) + below
    ordered = quantity + (below.mean if policy == "s_S" else 0 * below.mean)
    with_review = during(lead + period, spread, bucket)
    points = {
        "NB/gamma": cycle_reorder_point(covered, level, counted),
        "normal": np.ceil(covered.mean + ndtri(LEVEL) * np.sqrt(covered.variance)),
        "no sL": cycle_reorder_point(certain, level, counted),
        "mean U": cycle_reorder_point(waiting, level, counted) + np.rint(below.mean),
        "L + T": cycle_reorder_point(with_review, level, counted),
        "L + T, U": cycle_reorder_point(with_review, level, counted) + np.rint(below.mean),
        "fill": fill_reorder_point(covered, waiting, _array(quantity), ordered, level, counted),
    }
    return {name: float(point[0]) for name, point in points.items()}


def _array(value: float) -> Float64:
    return np.array([float(value)])


def main() -> None:
    columns = None
    for review in (1, 5):
        for policy in ("s_S", "r_Q"):
            for item in items():
                service = reached(item, policy, review, count=300, buckets=1_500)
                if columns is None:
                    columns = list(service)
                    print(f"{'policy':7s}{'review':8s}{'item':24s}", *(f"{name:>9s}" for name in columns))
                print(f"{policy:7s}{review:<8d}{item.name:24s}", *(f"{service[n].service:9.3f}" for n in columns))


if __name__ == "__main__":
    main()
