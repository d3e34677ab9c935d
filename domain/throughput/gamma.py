"""Quantiles of the Gamma distribution, many at once.

A fixed quantile is a function of the shape a alone, and Wilson and Hilferty's cube root of quantile / a (1931,
PNAS 17:684) is so smooth in a^(-1/2) that one polynomial gives it for all shapes from 1 to infinity to a few
units in the 14th digit. That costs an eighth of the iteration in `scipy.special.gammaincinv`.

scipy is loaded only where it is needed: for shapes below 1, and for probabilities that are not in `gamma_table`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev

from domain.throughput.gamma_table import COEFFICIENTS

Float64 = npt.NDArray[np.float64]

_DEGREE = 24
_DOMAIN = (0, 1)


def gamma_quantile(shape: Float64, probability: float) -> Float64:
    """Quantiles of Gamma(shape, 1), shapes above 0; relative error below 1e-12."""
    root = _cube_root(probability)(1 / np.sqrt(np.maximum(shape, 1.0)))
    quantile: Float64 = shape * root * root * root
    small = shape < 1
    if small.any():
        quantile[small] = _iterated(shape[small], probability)
    return quantile


def fit(probability: float) -> tuple[float, ...]:
    """Chebyshev coefficients, on 0 to 1, of the cube root of quantile / a as a function of a^(-1/2)."""

    def exact(x: Float64) -> Float64:
        shape = 1 / (x * x)
        return np.cbrt(_iterated(shape, probability) / shape)

    return tuple(Chebyshev.interpolate(exact, _DEGREE, domain=_DOMAIN).coef.tolist())


@lru_cache
def _cube_root(probability: float) -> Chebyshev:
    return Chebyshev(COEFFICIENTS.get(probability) or fit(probability), domain=_DOMAIN)


def _iterated(shape: Float64, probability: float) -> Float64:
    from scipy.special import gammaincinv  # noqa: PLC0415 - loads all of numpy, f2py too: 0.2 s most runs need not pay

    return np.asarray(gammaincinv(shape, probability), dtype=np.float64)
