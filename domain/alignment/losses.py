"""What is lost of a known whole by chance: Beta distributions given by their moments.

One robot loses nothing of most hours, all of a few, and in between where it fails or comes back: Beta between nothing
and all with small parameters has that shape. The loss of many robots is far less skewed than Beta between nothing and
all of the same mean and variance, so it is given its third cumulant, too, and an upper end to match. Between 0 and an
upper end c, with s = a + b, the ratios

    q0 = E[X]    q1 = E[X^2] / E[X]    q2 = E[X^3] / E[X^2]    are    c (a + i) / (s + i), hence
    s = 2 (q2 - q1) / (2 q1 - q0 - q2)        c = q1 + (q1 - q0) s        a = q0 s / c
"""

from __future__ import annotations

import math

import numpy as np

from domain.alignment.tallies import Float64, ratio

_MOST_SCATTERED = 0.999
"""Variance of a share, over the highest possible: of one that is nothing or all."""
_LEAST_SIZE = 1e-6


def third_cumulant(mean: Float64, variance: Float64, most: Float64) -> Float64:
    """Third cumulant of a loss that is Beta between 0 and `most`, given its mean and variance.

    >>> third_cumulant(np.array([2.0]), np.array([0.5]), np.array([4.0])).tolist()  # symmetric
    [0.0]
    """
    whole = np.maximum(most, np.finfo(np.float64).tiny)
    share = np.clip(mean / whole, 0.0, 1.0)
    highest = share * (1 - share)
    spread = np.minimum(ratio(variance, whole**2), _MOST_SCATTERED * highest)
    size = np.divide(highest, spread, out=np.full_like(share, np.inf), where=spread > 0) - 1
    skewed = np.where(np.isfinite(size), 2 * (1 - 2 * share) * spread / (size + 2), 0.0)
    return most**3 * skewed


def draw_loss(rng: np.random.Generator, mean: float, variance: float, third: float, most: float, draws: int) -> Float64:
    """Draws of a loss between 0 and `most` with a mean, variance and third cumulant."""
    share = min(max(mean / most, 0.0), 1.0) if most > 0 else 0.0
    highest = share * (1 - share)
    spread = min(variance / most**2, _MOST_SCATTERED * highest) if most > 0 else 0.0
    if spread <= 0 or not math.isfinite(size := highest / spread - 1):
        return np.full(draws, share * most)
    end = 1.0
    fitted = _fitted(share, spread, third / most**3)
    if fitted is not None:
        size, end = fitted
    return most * end * rng.beta(share / end * size, (1 - share / end) * size, draws)


def _fitted(mean: float, variance: float, third: float) -> tuple[float, float] | None:
    """Sum a + b and upper end, above the mean and at most 1, of Beta with three cumulants; None if there is none."""
    second = variance + mean**2
    cube = third + 3 * mean * second - 2 * mean**3
    one, two = second / mean, cube / second
    bend = 2 * one - mean - two
    if bend <= 0:
        return None
    size = 2 * (two - one) / bend
    end = one + (one - mean) * size
    return (size, end) if size > _LEAST_SIZE and mean < end <= 1 else None
