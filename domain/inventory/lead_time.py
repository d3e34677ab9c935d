"""Demand that a stock must cover from the order to its arrival: mean and variance, many items at once.

An order is placed at a review that finds the position at or below the reorder point. What must then be covered is

- the demand of the lead time: mean muD muL, variance muL sD^2 + muD^2 sL^2, and
- the *undershoot*: how far below the reorder point the position was found, E[D^2] / 2E[D] of the demand D between two
  reviews (renewal theory; Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 7.5). The
  demand of the review period is in the undershoot, so it is not in the lead time a second time.

Demand comes per *bucket* (an hour, a day or a week); lead times and review periods are in buckets and may be
fractions. For a review period of 0, continuous review, the undershoot is that of a single demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Demand:
    """Mean and variance of an amount, in base units: arrays, one element an item."""

    mean: Float64
    variance: Float64

    def __add__(self, other: Demand) -> Demand:
        """The sum of two that are independent."""
        return Demand(self.mean + other.mean, self.variance + other.variance)

    def of(self, chosen: Bool) -> Demand:
        """That of some of the items."""
        return Demand(self.mean[chosen], self.variance[chosen])


def during(lead_time_mean: Float64, lead_time_sd: Float64, bucket: Demand) -> Demand:
    """Demand during a lead time, of the demand of one bucket; lead times in buckets."""
    return Demand(bucket.mean * lead_time_mean, lead_time_mean * bucket.variance + (bucket.mean * lead_time_sd) ** 2)


def undershoot(review: Float64, bucket: Demand, counted: Bool) -> Demand:
    """How far below the reorder point a review finds the position; 0 without demand.

    The moments are those of the equilibrium distribution of demand between reviews: P(D > u) / E[D] at u. Where things
    are `counted` u is a whole number, and the position may stand at the reorder point itself.
    """
    m, v = bucket.mean, bucket.variance
    one = np.where(m > 0, m, 1)
    # Per unit of time, so that a review period of 0 needs no division by it.
    second = v + review * m**2
    third = _third_cumulant(m, v, counted) + 3 * review * m * v + review**2 * m**3
    mean = np.where(counted, (second - m) / (2 * one), second / (2 * one))
    square = np.where(counted, (2 * third - 3 * second + m) / (6 * one), third / (3 * one))
    mean = np.where(m > 0, np.maximum(mean, 0), 0)
    return Demand(mean, np.where(mean > 0, np.maximum(square - mean**2, 0), 0))


def _third_cumulant(mean: Float64, variance: Float64, counted: Bool) -> Float64:
    """That of a Gamma; of a negative binomial where things are counted and more scattered than Poisson."""
    some = variance > 0
    relative = np.divide(variance, mean, out=np.zeros(mean.shape), where=some & (mean > 0))
    lattice = np.divide(mean, variance, out=np.ones(mean.shape), where=some)
    return variance * relative * np.where(counted, np.maximum(2 - lattice, 1), 2)
