"""Rates of events from counts and exposure that lose weight as they age.

Counts N of a window with exposure E are Poisson(rate x E). Weights fall by `discount` per window:

    n <- d n + N        discounted count
    e <- d e + E        discounted exposure, in hours
    q <- d^2 q + E      exposure under squared weights

The rate is n / e. Its variance is rate x q / e^2, that of e^2 / q hours watched at full weight, so the
posterior is Gamma(a0 + n e / q, b0 + e^2 / q): conjugate, with the effective in place of the discounted
sample (Fay and Feuer 1997, Statistics in Medicine 16:791, for weighted sums of Poisson counts). Where counts
scatter more or less than Poisson counts, the sample is worth that much less or more (see `dispersion`). Taking n
and e themselves for the sample, as the plain discounted Gamma does, halves the sample in the long run
((1 - d^2) / (1 - d) = 1.98 for d = .98): its 95 % intervals then cover 99.5 % of constant rates.

A window without exposure, silent or not, says nothing and ages what is known: n, e and q fall by d alike, so
the effective sample falls by d and an old rate widens towards the prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.throughput.gamma import gamma_quantile

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class RateModel:
    """Parameters: weight kept per window, and the prior of the fleet (`prior_tasks` seen at `prior_rate` per hour).

    The prior is weak: worth one task. That of a robot or zone has the mean of its site (see `estimates`).
    """

    discount: float = 0.98
    prior_tasks: float = 1.0
    prior_rate: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.discount < 1 or self.prior_tasks <= 0 or self.prior_rate <= 0:
            raise ValueError(f"discount must lie between 0 and 1, the prior above 0: {self}")

    def __str__(self) -> str:
        return (
            f"gamma-poisson@2(discount={self.discount:g},prior_tasks={self.prior_tasks:g},"
            f"prior_rate={self.prior_rate:g}/h)"
        )

    @property
    def memory(self) -> int:
        """Windows after which evidence weighs less than a billionth and is forgotten."""
        return math.ceil(math.log(_NEGLIGIBLE) / math.log(self.discount))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Discounted sums, one entry per entity (last axis): count n, exposure e and q (hours)."""

    count: Float64
    exposure: Float64
    squared: Float64

    def learn(self, counts: Int64, hours: Float64, kept: Float64, discount: float) -> Evidence:
        """Evidence after a window; `kept`: d to the power of the windows (1 or more) since the last one learned."""
        # Only a window with exposure takes the further factor d: see the module's text on empty windows.
        squared = kept * np.where(hours > 0, discount, 1.0)
        return Evidence(kept * self.count + counts, kept * self.exposure + hours, squared * self.squared + hours)


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gamma posterior of rates per hour, one entry per entity: mean and 2.5 and 97.5 % quantiles."""

    mean: Float64
    low: Float64
    high: Float64


def posterior(evidence: Evidence, prior_tasks: float, prior_rate: Float64, dispersion: Float64) -> Posterior:
    """Posterior under a Gamma prior of mean `prior_rate` (one per entity) worth `prior_tasks` tasks.

    `dispersion`: variance of the counts over that of Poisson counts, one per entity.

    >>> seen = Evidence(np.array([9.0]), np.array([1.0]), np.array([1.0]))
    >>> posterior(seen, 1.0, np.array([10.0]), np.array([1.0])).mean.round(3).tolist()
    [9.091]
    """
    shape, hours = _parameters(evidence, prior_tasks, prior_rate, dispersion)
    return Posterior(shape / hours, gamma_quantile(shape, 0.025) / hours, gamma_quantile(shape, 0.975) / hours)


def posterior_mean(evidence: Evidence, prior_tasks: float, prior_rate: Float64, dispersion: Float64) -> Float64:
    """Mean of the `posterior`, without the cost of its quantiles."""
    shape, hours = _parameters(evidence, prior_tasks, prior_rate, dispersion)
    return shape / hours


def _parameters(
    evidence: Evidence, prior_tasks: float, prior_rate: Float64, dispersion: Float64
) -> tuple[Float64, Float64]:
    weight = np.divide(
        evidence.exposure,
        evidence.squared * dispersion,
        out=np.zeros_like(evidence.exposure),
        where=evidence.squared > 0,
    )
    return prior_tasks + weight * evidence.count, prior_tasks / prior_rate + weight * evidence.exposure
