"""Croston's method and its bias correction by Syntetos and Boylan: for comparison, no mix contains them.

Both move only when there is demand, so the forecast of a dying item never falls; Croston's is biased upwards, for
E[1/interval] > 1/E[interval]. Sizes and intervals start at their first values, as published, without early gain.

Croston (1972), Operational Research Quarterly 23:289. Syntetos and Boylan (2005), International Journal of
Forecasting 21:303.
"""

from __future__ import annotations

from domain.demand.experts.expert import HIGHEST, Expert, Features, State, checked, tamed


class Croston(Expert):
    """Forecast z / q, flat: z smooths the sizes of demand, q the intervals between them in buckets.

    Parameters: `alpha`, weight of the newest size and interval, above 0 and at most 1. The first interval counts
    from the start of the series. Before the first demand the forecast is 0.

    >>> expert = Croston(alpha=0.5)
    >>> for y in [0.0, 6.0, 0.0, 0.0, 0.0, 2.0]:
    ...     expert.learn_one(y)
    >>> expert.forecast(2)  # z: 6, 4; q: 2, 3
    [1.3333333333333333, 1.3333333333333333]
    """

    __slots__ = ("_interval", "_size", "_waited", "alpha")
    NAME = "croston"
    FLAT = True

    def __init__(self, alpha: float = 0.1) -> None:
        checked(alpha=alpha)
        self.alpha = alpha
        self._waited = 0
        self._size = 0.0
        self._interval = 0.0

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Wait on, or move size and interval if there was demand."""
        if not 0.0 <= y <= HIGHEST:
            known = tamed(y)
            if known is None:
                return
            y = known
        self._waited += 1
        if y > 0.0:
            gain = self.alpha if self._interval else 1.0
            self._size += gain * (y - self._size)
            self._interval += gain * (self._waited - self._interval)
            self._waited = 0

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Size / interval, for every bucket alike."""
        return [self._size / self._interval if self._interval else 0.0] * horizon

    def snapshot(self) -> State:
        """Buckets since the last demand, size, interval."""
        return [self._waited, self._size, self._interval]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._waited, self._size, self._interval = state


class SBA(Croston):
    """Croston's forecast times 1 - alpha / 2, which takes most of its bias away.

    >>> expert = SBA(alpha=0.5)
    >>> for y in [0.0, 6.0, 0.0, 0.0, 0.0, 2.0]:
    ...     expert.learn_one(y)
    >>> expert.forecast(1)
    [1.0]
    """

    __slots__ = ()
    NAME = "sba"

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Size / interval, corrected."""
        return [(1.0 - self.alpha / 2.0) * mean for mean in super().forecast(horizon, xs)]
