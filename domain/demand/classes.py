"""Syntetos and Boylan's classes of demand, with hysteresis, and the experts that take part for each.

Two numbers decide: ADI, the mean interval between demands in buckets, and CV2, the squared coefficient of
variation of their sizes.

                    CV2 < 0.49     CV2 >= 0.49
    ADI < 1.32      smooth         erratic
    ADI >= 1.32     intermittent   lumpy

Both are running means, so an item can change its class; with hysteresis, so it does not flutter. A side changes
only when its number is beyond the limit by a factor of `_BAND`.

Syntetos, Boylan and Croston (2005), Journal of the Operational Research Society 56:495.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.demand.experts.expert import HIGHEST, State, tamed


class DemandClass(StrEnum):
    """How often and how evenly an item is asked for."""

    SMOOTH = "smooth"
    ERRATIC = "erratic"
    INTERMITTENT = "intermittent"
    LUMPY = "lumpy"


TAKE_PART: Final[Mapping[DemandClass | None, tuple[str, ...]]] = MappingProxyType(
    {
        None: ("tsb", "ses"),
        DemandClass.INTERMITTENT: ("tsb", "ses"),
        DemandClass.LUMPY: ("tsb", "ses"),
        DemandClass.SMOOTH: ("tsb", "ses", "holt_winters", "snarimax"),
        DemandClass.ERRATIC: ("tsb", "ses", "holt_winters", "snarimax"),
    }
)
"""Names of experts per class; None is an item too new to have one. TSB and SES are in all, so they never start cold."""

ADI_LIMIT: Final = 1.32
CV2_LIMIT: Final = 0.49
_BAND: Final = 1.15
_KEEP: Final = 0.02
"""Weight of the newest bucket, or demand, in the running means."""
_CLASSES: Final = MappingProxyType(
    {
        (False, False): DemandClass.SMOOTH,
        (False, True): DemandClass.ERRATIC,
        (True, False): DemandClass.INTERMITTENT,
        (True, True): DemandClass.LUMPY,
    }
)


class Classifier:
    """Class of one item from its demand per bucket.

    Parameters: `buckets`, how many must have been seen, two of them with demand, before there is a class.

    >>> classifier = Classifier(buckets=4)
    >>> for y in [0.0, 3.0, 0.0]:
    ...     classifier.learn_one(y)
    >>> classifier.demand_class is None
    True
    >>> classifier.learn_one(3.0)
    >>> classifier.demand_class, classifier.adi, classifier.cv2
    (<DemandClass.INTERMITTENT: 'intermittent'>, 2.0, 0.0)
    """

    __slots__ = ("_demands", "_mean", "_probability", "_seen", "_sides", "_var", "buckets")

    def __init__(self, buckets: int = 8) -> None:
        self.buckets = buckets
        self._seen = 0
        self._demands = 0
        self._probability = 0.0
        self._mean = 0.0
        self._var = 0.0
        self._sides: tuple[bool, bool] | None = None

    @property
    def demand_class(self) -> DemandClass | None:
        """Class; None while there is too little to go by."""
        return None if self._sides is None else _CLASSES[self._sides]

    @property
    def adi(self) -> float:
        """Mean interval between demands, in buckets; infinite before the first."""
        return 1.0 / self._probability if self._probability else math.inf

    @property
    def cv2(self) -> float:
        """Squared coefficient of variation of the sizes of demand; 0 before the first."""
        square = self._mean * self._mean
        return self._var / square if square else 0.0

    def learn_one(self, y: float) -> None:
        """Take in the demand of the next bucket; NaN where it is not known."""
        known = y if 0.0 <= y <= HIGHEST else tamed(y)
        if known is None:
            return
        self._seen = seen = self._seen + 1
        asked = known > 0.0
        self._probability += (asked - self._probability) * max(_KEEP, 1.0 / seen)
        if asked:
            self._demands = demands = self._demands + 1
            gain = max(_KEEP, 1.0 / demands)
            away = known - self._mean
            self._mean += gain * away
            self._var = (1.0 - gain) * (self._var + gain * away * away)
        if seen >= self.buckets and self._demands > 1:
            self._decide()

    def _decide(self) -> None:
        if self._sides is None:
            self._sides = (self.adi >= ADI_LIMIT, self.cv2 >= CV2_LIMIT)
            return
        rare, uneven = self._sides
        self._sides = (_side(self.adi, ADI_LIMIT, above=rare), _side(self.cv2, CV2_LIMIT, above=uneven))

    def snapshot(self) -> State:
        """State as primitives; parameters are not in it."""
        sides = None if self._sides is None else list(self._sides)
        return [self._seen, self._demands, self._probability, self._mean, self._var, sides]

    def restore(self, state: State) -> None:
        """Go on from a snapshot of a classifier with the same parameters."""
        self._seen, self._demands, self._probability, self._mean, self._var, sides = state
        self._sides = None if sides is None else (sides[0], sides[1])


def _side(value: float, limit: float, *, above: bool) -> bool:
    return value * _BAND >= limit if above else value >= limit * _BAND
