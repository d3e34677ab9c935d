"""Simple exponential smoothing: the level follows each value by a share of its error.

Brown (1959), Statistical Forecasting for Inventory Control.
"""

from __future__ import annotations

from domain.demand.experts.expert import HIGHEST, Expert, Features, State, checked, tamed


class SES(Expert):
    """Level l += a (y - l) with a = max(alpha, 1/n); the forecast is flat.

    Parameters: `alpha`, the weight of the newest value, above 0 and at most 1.

    >>> expert = SES(alpha=0.25)
    >>> for y in [4.0, 8.0, 6.0, 6.0, 10.0]:
    ...     expert.learn_one(y)
    >>> expert.forecast(2)  # the mean of the first four, 6, then a quarter of the way to 10
    [7.0, 7.0]
    """

    __slots__ = ("_level", "_seen", "alpha")
    NAME = "ses"
    FLAT = True

    def __init__(self, alpha: float = 0.1) -> None:
        checked(alpha=alpha)
        self.alpha = alpha
        self._seen = 0
        self._level = 0.0

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Move the level towards `y`."""
        if not 0.0 <= y <= HIGHEST:
            known = tamed(y)
            if known is None:
                return
            y = known
        self._seen = seen = self._seen + 1
        gain = self.alpha
        if seen * gain < 1.0:
            gain = 1.0 / seen
        self._level += gain * (y - self._level)

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Level, for every bucket alike."""
        return [self._level] * horizon

    def snapshot(self) -> State:
        """Values seen, level."""
        return [self._seen, self._level]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._seen, self._level = state
