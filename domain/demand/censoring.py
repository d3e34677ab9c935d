"""Demand behind a stock-out: what was sold is only the least that was asked for.

One step of expectation-maximisation per bucket (Dempster, Laird and Rubin 1977): a censored sale c is replaced by
mean and variance of D given D >= c under what is believed of D now, and the believer learns from these as if they
had been seen. D is negative binomial by mean and variance, Poisson where the variance is not above the mean. The
factorial moments of its tail are those of the whole, times a tail of the same family:

    E[D; D >= c] = E[D] P(D' >= c - 1),    E[D (D - 1); D >= c] = E[D (D - 1)] P(D'' >= c - 2)

with one and two added to the size, so no sum over counts is needed. Beyond the reach of doubles the tail falls
geometrically, and so are its moments.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import betainc, gammainc

_SAME = 1e-9  # above the mean by no more than this share, the variance is Poisson's
_NOTHING = 1e-9  # a mean below it leaves nothing to expect beyond what was sold
_REACH = 1e-250


class Tail(NamedTuple):
    """Mean and variance of demand given that it is at least what was sold."""

    mean: float
    variance: float


def demand_at_least(sold: float, mean: float, variance: float) -> Tail:
    """Moments of D given D >= sold; all finite and 0 or more, in whole units. The mean is never below `sold`.

    >>> tail = demand_at_least(3, 4.0, 4.0)
    >>> round(tail.mean, 4), round(tail.variance, 4)
    (4.7693, 2.639)
    """
    least = math.ceil(sold - _SAME)
    if least <= 0:
        return Tail(max(sold, mean), variance)
    if mean < _NOTHING:
        return Tail(sold, 0.0)
    excess = variance / mean - 1
    if excess <= _SAME:
        reached, once, twice = (_poisson_tail(least - n, mean) for n in range(3))
        pairs, decay = mean * mean, mean / (least + 1)
    else:
        size, share = mean / excess, excess / (1 + excess)
        reached, once, twice = (_binomial_tail(least - n, size + n, share) for n in range(3))
        pairs, decay = mean * (mean + excess), share * (size + least) / (least + 1)
    if reached > _REACH:
        first = mean * once / reached
        return Tail(max(sold, first), max(0.0, pairs * twice / reached + first - first * first))
    # So far out `least` is above the mean, so decay is below least / (least + 1).
    return Tail(sold + decay / (1 - decay), decay / (1 - decay) ** 2)


def _poisson_tail(least: int, mean: float) -> float:
    return float(gammainc(least, mean)) if least > 0 else 1.0


def _binomial_tail(least: int, size: float, share: float) -> float:
    return float(betainc(least, size, share)) if least > 0 else 1.0
