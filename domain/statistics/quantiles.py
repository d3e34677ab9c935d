"""Quantiles of counts and amounts given by mean and variance, many at once.

Counts are negative binomial where the variance is above the mean and Poisson where it is not: nothing counted is
less scattered than that without a reason which mean and variance do not show. Amounts are Gamma. All arguments
broadcast against each other; an element's quantile does not depend on its neighbours.

The quantile of a count is the smallest k with P(X <= k) >= level. It is found by adding probabilities from 0
upwards where that is short, else by a bracketed search on the distribution function. The two sides are compared
with a slack of 1e-13 of the level, so that a level which is a probability (.75 of a geometric with .5) is met in spite
of rounding.

scipy is loaded only by what needs it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_SLACK = 1e-13
_SUMMED_MEAN = 32.0
_SUMMED_TERMS = 64
# Below this share of the variance that is not Poisson's, the two distributions are nearer than the slack.
_POISSON_SHARE = 1e-14
_DIGITS_LEFT = 1e-4
_GUIDED_STEPS = 8
_GAUSSIAN_SHAPE = 1e14
# All but the last digit of any level lies at 0 for smaller shapes.
_LEAST_SHAPE = 1e-19
_MEDIAN = 0.5


def negative_binomial(mean: npt.ArrayLike, variance: npt.ArrayLike, level: npt.ArrayLike) -> Int64:
    """Smallest k with P(X <= k) >= level, X negative binomial, Poisson where variance <= mean, 0 where mean is 0.

    Means up to 1e12; levels above 0 and below 1. ValueError for what is not finite, negative, or no such level.
    """
    m, v, q = _checked(mean, variance, level)
    quantile = np.zeros(m.size, dtype=np.int64)
    searched = m > _SUMMED_MEAN
    summed = np.flatnonzero((m > 0) & ~searched)
    quantile[summed], unfinished = _summed(m[summed], v[summed], q[summed])
    rest = np.concatenate([np.flatnonzero(searched), summed[unfinished]])
    if rest.size:
        quantile[rest] = _searched(m[rest], v[rest], q[rest])
    return quantile.reshape(np.broadcast_shapes(np.shape(mean), np.shape(variance), np.shape(level)))


def negative_binomial_interval(
    mean: npt.ArrayLike, variance: npt.ArrayLike, miss: npt.ArrayLike
) -> tuple[Int64, Int64]:
    """Lower and upper k with P(X < lower) < miss / 2 and P(X > upper) <= miss / 2; X as in `negative_binomial`."""
    half = np.asarray(miss, dtype=np.float64) / 2
    both = np.stack(np.broadcast_arrays(half, 1 - half))
    shape = np.broadcast_shapes(np.shape(mean), np.shape(variance), np.shape(miss))
    both = np.broadcast_to(both.reshape(2, *(1,) * (len(shape) - half.ndim), *half.shape), (2, *shape))
    lower, upper = negative_binomial(mean, variance, both)
    return lower, upper


def gamma(mean: npt.ArrayLike, variance: npt.ArrayLike, level: npt.ArrayLike) -> Float64:
    """The amount not exceeded with probability `level`; the mean itself where the variance is 0, 0 where the mean is.

    Relative error below 1e-10. ValueError for what is not finite, negative, or not a level above 0 and below 1.
    """
    from scipy.special import gammainccinv, gammaincinv, ndtri  # noqa: PLC0415 - 0.2 s that most runs need not pay

    m, v, q = _checked(mean, variance, level)
    quantile = m.copy()
    random = (m > 0) & (v > 0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        shape = m * (m / v)
    gaussian = random & (shape > _GAUSSIAN_SHAPE)
    quantile[gaussian] = m[gaussian] + ndtri(q[gaussian]) * np.sqrt(v[gaussian])
    quantile[random & (shape < _LEAST_SHAPE)] = 0
    iterated = random & (shape >= _LEAST_SHAPE) & ~gaussian
    low, high = iterated & (q < _MEDIAN), iterated & (q >= _MEDIAN)
    quantile[low] = gammaincinv(shape[low], q[low]) * (v[low] / m[low])
    quantile[high] = gammainccinv(shape[high], 1 - q[high]) * (v[high] / m[high])
    return quantile.reshape(np.broadcast_shapes(np.shape(mean), np.shape(variance), np.shape(level)))


def _checked(mean: npt.ArrayLike, variance: npt.ArrayLike, level: npt.ArrayLike) -> tuple[Float64, Float64, Float64]:
    """The three, broadcast and flat."""
    arrays = [np.asarray(part, dtype=np.float64) for part in (mean, variance, level)]
    for name, part, fits in zip(
        ("mean", "variance", "level"),
        arrays,
        (*((part >= 0) & (part < np.inf) for part in arrays[:2]), (arrays[2] > 0) & (arrays[2] < 1)),
        strict=True,
    ):
        if not fits.all():
            wanted = "above 0 and below 1" if name == "level" else "finite and not negative"
            raise ValueError(f"{name} must be {wanted}: {part[~fits].flat[0]}")
    m, v, q = (part.ravel() for part in np.broadcast_arrays(*arrays))
    return m, v, q


def _summed(mean: Float64, variance: Float64, level: Float64) -> tuple[Int64, Int64]:
    """Quantiles by adding probabilities, and the places of those that need more terms than are added here."""
    excess = np.maximum(variance - mean, 0) / mean
    share = excess / (1 + excess)
    with np.errstate(invalid="ignore"):
        log_none = np.where(excess > 0, np.log1p(excess) / excess, 1.0)
    term = np.exp(-mean * log_none)
    ratio = mean / (1 + excess)
    total, wanted = term.copy(), level * (1 - _SLACK)
    quantile = np.zeros(mean.size, dtype=np.int64)
    open_ = np.arange(mean.size)
    for k in range(_SUMMED_TERMS):
        more = total < wanted
        if not more.all():
            open_, term, total, wanted = open_[more], term[more], total[more], wanted[more]
            ratio, share = ratio[more], share[more]
        if not open_.size:
            break
        term = term * (ratio + k * share) / (k + 1)
        total = total + term
        quantile[open_] = k + 1
    return quantile, open_[total < wanted]


def _searched(mean: Float64, variance: Float64, level: Float64) -> Int64:
    """Quantiles by search.

    `_guess` maps a normal deviate to a count nearly as the distribution does, so that the deviate which is missing
    at one guess gives the next; halving the bracket ends what this does not.
    """
    from scipy.special import ndtri  # noqa: PLC0415 - see gamma

    m, v, q = mean, np.maximum(variance, mean), level
    quantile = np.empty(m.size, dtype=np.int64)
    open_ = np.arange(m.size)
    low, high = np.full(m.size, -1.0), np.full(m.size, np.inf)
    wanted = ndtri(q)
    deviate = wanted.copy()
    step = 0
    while open_.size:
        k = _between(_guess(m, v, deviate), low, high, guided=step < _GUIDED_STEPS)
        tail, upper = _nearer_tail(m, v, k, q)
        enough = np.where(upper, tail <= (1 - q) + q * _SLACK, tail >= q * (1 - _SLACK))
        low, high = np.where(enough, low, k), np.where(enough, k, high)
        deviate = deviate + np.clip(wanted - np.where(upper, -1, 1) * ndtri(tail), -4, 4)
        found = high - low <= 1
        quantile[open_[found]] = high[found].astype(np.int64)
        rest = ~found
        open_, m, v, q, low, high, wanted, deviate = (
            part[rest] for part in (open_, m, v, q, low, high, wanted, deviate)
        )
        step += 1
    return quantile


def _between(guess: Float64, low: Float64, high: Float64, *, guided: bool) -> Float64:
    """A whole number strictly inside the bracket: the guess if guided, else the middle, or twice the lower end."""
    if not guided:
        with np.errstate(invalid="ignore"):
            guess = np.where(np.isinf(high), 2 * low + 2, np.floor((low + high) / 2))
    return np.clip(np.ceil(guess), low + 1, np.maximum(high - 1, low + 1))


def _guess(mean: Float64, variance: Float64, deviate: Float64) -> Float64:
    """The count at a normal deviate: a shifted Gamma of the same first three moments, by Wilson and Hilferty (1931)."""
    spread = np.sqrt(variance)
    half_skewness = (2 - mean / variance) * spread / mean / 2
    root = np.maximum(1 - half_skewness**2 / 9 + half_skewness * deviate / 3, 0)
    guess: Float64 = np.maximum(mean + spread * (root**3 - 1) / half_skewness - 0.5, 0)
    return guess


def _nearer_tail(mean: Float64, variance: Float64, k: Float64, level: Float64) -> tuple[Float64, npt.NDArray[np.bool_]]:
    """P(X <= k) for levels below a half, else P(X > k), and which of the two."""
    from scipy.special import betainc, betaincc, gammainc, gammaincc  # noqa: PLC0415 - see gamma

    upper = level >= _MEDIAN
    chance, share = mean / variance, (variance - mean) / variance
    poisson = share <= _POISSON_SHARE
    size = mean * np.divide(mean, variance - mean, out=np.zeros(mean.size), where=~poisson)
    a, b = k + 1, size
    tail = np.empty(mean.size)
    # Near 1 chance and share have lost the digits of what they lack, but betaincc takes six times as long.
    for where, function, arguments in (
        (upper & poisson, gammainc, (a, mean)),
        (~upper & poisson, gammaincc, (a, mean)),
        (upper & ~poisson & (chance >= _DIGITS_LEFT), betainc, (a, b, share)),
        (upper & ~poisson & (chance < _DIGITS_LEFT), betaincc, (b, a, chance)),
        (~upper & ~poisson & (share >= _DIGITS_LEFT), betainc, (b, a, chance)),
        (~upper & ~poisson & (share < _DIGITS_LEFT), betaincc, (a, b, share)),
    ):
        tail[where] = function(*(part[where] for part in arguments))
    return tail, upper
