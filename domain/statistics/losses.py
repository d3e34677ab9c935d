"""Expected shortfalls: how much of a random demand a stock leaves unmet on average, many at once.

The distributions are those of `quantiles`. Both shortfalls follow from E[X; X > k], which for a negative binomial of
size r is its mean times P(X > k - 1) at size r + 1, and for a Gamma of shape a its mean times P(X > x) at a + 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_CERTAIN_SHAPE = 1e14


def negative_binomial_loss(mean: Float64, variance: Float64, stock: Float64) -> Float64:
    """E[(X - stock)+], X negative binomial, Poisson where variance <= mean; stocks whole and not negative."""
    from scipy.special import betainc, gammainc  # noqa: PLC0415 - 0.2 s that most runs need not pay

    m, v, k = np.broadcast_arrays(mean, variance, stock)
    spread = v > m
    share = np.divide(v - m, v, out=np.zeros(m.shape), where=spread)
    size = np.divide(m * m, v - m, out=np.ones(m.shape), where=spread)
    above = np.where(spread, betainc(k + 1, size, share), gammainc(k + 1, m))
    from_k = np.maximum(k, 1)
    weighted = np.where(spread, betainc(from_k, size + 1, share), gammainc(from_k, m))
    loss: Float64 = np.maximum(m * np.where(k > 0, weighted, 1) - k * above, 0)
    return loss


def gamma_loss(mean: Float64, variance: Float64, stock: Float64) -> Float64:
    """E[(X - stock)+], X of a Gamma distribution, certain where its spread is beneath 1e-7 of its mean; stocks >= 0."""
    from scipy.special import gammaincc  # noqa: PLC0415 - see above

    m, v, x = np.broadcast_arrays(mean, variance, stock)
    random = v * _CERTAIN_SHAPE > m * m
    scale = np.divide(v, m, out=np.ones(m.shape), where=random & (m > 0))
    shape = np.where(random & (m > 0), m / scale, 1)
    spread = m * gammaincc(shape + 1, x / scale) - x * gammaincc(shape, x / scale)
    loss: Float64 = np.maximum(np.where(random, spread, m - x), 0)
    return loss
