"""How wrong forecasts of whole windows were, over how wrong they were thought: a factor on their variance.

The variance of h buckets is made of the errors of single ones, which do not show that errors of neighbours are alike,
as those of a series that trends or wanders are. Closed windows do. Of each, with e its error and v the variance that
it was thought to have, before any factor:

    r = min(e^2 / v, outlier);   sum <- (1 - keep) sum + r,   n <- (1 - keep) n + 1

    factor = clip((few + sum) / (few + n) / chance, 1, most),   chance = 1 + doubt sqrt(2 h / max(n, 1))

Windows overlap, so n of them are n / h that are independent, and the mean r of as many normal errors has deviation
sqrt(2 h / n): what may be chance widens nothing. One huge order is bounded by `outlier`. The factor is never below 1:
that intervals are too wide is seen by the levels (`conformal`), which do not go by the size of single errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowScale:
    """Parameters; `few` windows is what a ratio of 1 weighs."""

    keep: float = 0.03
    few: float = 3.0
    outlier: float = 12.0
    doubt: float = 0.3
    most: float = 25.0

    def __post_init__(self) -> None:
        if not 0 <= self.keep < 1 or self.few <= 0 or self.outlier < 1 or self.doubt < 0 or self.most < 1:
            raise ValueError(f"0 <= keep < 1, few > 0, outlier >= 1, doubt >= 0, most >= 1 must hold: {self}")

    def after(self, known: Float64, error: Float64, variance: Float64) -> Float64:
        """Sum and n (columns) once windows have closed; as they were where the variance is 0 or not known (NaN).

        >>> known, error, variance = np.array([[1.0, 2.0]] * 3), np.array([3.0, 1e9, 1.0]), np.array([4.0, 1.0, 0.0])
        >>> WindowScale(keep=0.5).after(known, error, variance)
        array([[ 2.75,  2.  ],
               [12.5 ,  2.  ],
               [ 1.  ,  2.  ]])
        """
        counts = variance > 0
        thought = np.where(counts, variance, 1.0)
        ratio = np.minimum(error * error, self.outlier * thought) / thought
        faded = (1 - self.keep) * known + np.stack([ratio, np.ones(len(ratio))], axis=1)
        return np.where(counts[:, None], faded, known)

    def factor(self, ratios: Float64, windows: Float64, horizon: int) -> Float64:
        """On the variance of windows of `horizon` buckets, from the faded sum of ratios and number of windows.

        >>> scale = WindowScale(few=10.0, doubt=0.0)
        >>> scale.factor(np.array([0.0, 20.0, 80.0, 1e4]), np.array([0.0, 20.0, 20.0, 20.0]), horizon=7)
        array([ 1.,  1.,  3., 25.])
        """
        chance = 1.0 + self.doubt * np.sqrt(2.0 * horizon / np.maximum(windows, 1.0))
        return np.clip((self.few + ratios) / (self.few + windows) / chance, 1.0, self.most)
