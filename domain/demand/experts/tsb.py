"""Teunter, Syntetos and Babai's method for intermittent demand.

Probability and size of demand are smoothed apart. The probability falls in every bucket without demand, so the
forecast of a dying item goes to zero, where Croston's stays for ever.

Teunter, Syntetos and Babai (2011), European Journal of Operational Research 214:606.
"""

from __future__ import annotations

from domain.demand.experts.expert import HIGHEST, Expert, Features, State, checked, tamed


class TSB(Expert):
    """Forecast p z, flat: p += b (1[y > 0] - p) in every bucket, z += a (y - z) in those with demand.

    Parameters: `alpha`, weight of the newest size; `beta`, weight of the newest bucket in the probability; both
    above 0 and at most 1. The early gain of p goes by buckets, that of z by demands.

    >>> expert = TSB(alpha=0.5, beta=0.5)
    >>> for y in [0.0, 6.0, 0.0, 0.0]:
    ...     expert.learn_one(y)
    >>> expert.forecast(2)  # p: 0, 1/2, 1/4, 1/8; z: 6
    [0.75, 0.75]
    """

    __slots__ = ("_demands", "_probability", "_seen", "_size", "alpha", "beta")
    NAME = "tsb"
    FLAT = True

    def __init__(self, alpha: float = 0.1, beta: float = 0.05) -> None:
        checked(alpha=alpha, beta=beta)
        self.alpha = alpha
        self.beta = beta
        self._seen = 0
        self._demands = 0
        self._probability = 0.0
        self._size = 0.0

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Move the probability, and the size if there was demand."""
        if not 0.0 <= y <= HIGHEST:
            known = tamed(y)
            if known is None:
                return
            y = known
        self._seen = seen = self._seen + 1
        gain = self.beta
        if seen * gain < 1.0:
            gain = 1.0 / seen
        if y > 0.0:
            self._probability += gain * (1.0 - self._probability)
            self._demands = demands = self._demands + 1
            gain = self.alpha
            if demands * gain < 1.0:
                gain = 1.0 / demands
            self._size += gain * (y - self._size)
        else:
            self._probability -= gain * self._probability

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Probability x size, for every bucket alike."""
        return [self._probability * self._size] * horizon

    def snapshot(self) -> State:
        """Buckets seen, demands seen, probability, size."""
        return [self._seen, self._demands, self._probability, self._size]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._seen, self._demands, self._probability, self._size = state
