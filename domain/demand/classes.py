"""Syntetos and Boylan's classes of demand, with hysteresis, and the experts that take part for each.

Two numbers decide: ADI, the mean interval between demands in buckets, and CV2, the squared coefficient of
variation of their sizes.

                    CV2 < 0.49     CV2 >= 0.49
    ADI < 1.32      smooth         erratic
    ADI >= 1.32     intermittent   lumpy

Both are running means, so an item can change its class; with hysteresis, so it does not flutter. A side changes
only when its number is beyond the limit by a factor of `_BAND`.

A shop that is closed on Sundays does not sell now and then: that nobody asks then says nothing of how rare demand is,
and only an expert with a season can know it. So ADI is the mean over places in the season that are open. One
that had no demand for some seasons running is shut when chance, at the rate of the open ones, would hardly do that,
until somebody asks again; and nothing is shut when nobody asks at all.

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
_CHANCE: Final = 0.001
"""Probability below which it is no chance that nobody asked at a place in the season."""
_SEASONS: Final = 3
"""Seasons without demand before a place may be shut: at a rate near 1 one would do."""
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

    Parameters: `season` in buckets, 1 where there is none; `buckets`, how many must have been seen, two of them with
    demand, before there is a class.

    >>> classifier = Classifier(buckets=4)
    >>> for y in [0.0, 3.0, 0.0]:
    ...     classifier.learn_one(y)
    >>> classifier.demand_class is None
    True
    >>> classifier.learn_one(3.0)
    >>> classifier.demand_class, classifier.adi, classifier.cv2
    (<DemandClass.INTERMITTENT: 'intermittent'>, 2.0, 0.0)
    """

    __slots__ = (
        "_demands",
        "_idle",
        "_mean",
        "_place",
        "_probability",
        "_quiet",
        "_seen",
        "_shut",
        "_sides",
        "_var",
        "buckets",
    )

    def __init__(self, season: int = 1, buckets: int = 8) -> None:
        self.buckets = buckets
        self._place = 0  # in the season
        self._idle = [0] * season  # known buckets since the last demand, per place
        self._shut = [False] * season
        self._quiet = 0  # known buckets since the last demand
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
        """Mean interval between demands, in open buckets; infinite before the first."""
        return 1.0 / self._probability if self._probability else math.inf

    @property
    def cv2(self) -> float:
        """Squared coefficient of variation of the sizes of demand; 0 before the first."""
        square = self._mean * self._mean
        return self._var / square if square else 0.0

    def learn_one(self, y: float) -> None:
        """Take in the demand of the next bucket; NaN where it is not known."""
        place = self._place
        self._place = (place + 1) % len(self._idle)
        known = y if 0.0 <= y <= HIGHEST else tamed(y)
        if known is None:
            return
        asked = known > 0.0
        if asked:
            self._quiet = self._idle[place] = 0
            self._shut[place] = False
        else:
            self._quiet += 1
            self._idle[place] += 1
            if not self._counts(place):
                return
        self._seen = seen = self._seen + 1
        self._probability += (asked - self._probability) * max(_KEEP, 1.0 / seen)
        if asked:
            self._demands = demands = self._demands + 1
            gain = max(_KEEP, 1.0 / demands)
            away = known - self._mean
            self._mean += gain * away
            self._var = (1.0 - gain) * (self._var + gain * away * away)
        if seen >= self.buckets and self._demands > 1:
            self._decide()

    def _counts(self, place: int) -> bool:
        """Whether an empty bucket of this place in the season says how rare demand is."""
        if self._quiet >= len(self._idle):
            self._shut = [False] * len(self._shut)
        elif not self._shut[place] and self._by_no_chance(self._idle[place]):
            open_places = self._shut.count(False)  # one of them had demand within the last season
            self._shut[place] = True
            # What it counted for until now goes at once, not in the fifty buckets that the running mean takes.
            self._probability = min(1.0, self._probability * open_places / (open_places - 1))
        return not self._shut[place]

    def _by_no_chance(self, idle: int) -> bool:
        return idle >= _SEASONS and (1.0 - self._probability) ** idle < _CHANCE

    def _decide(self) -> None:
        if self._sides is None:
            self._sides = (self.adi >= ADI_LIMIT, self.cv2 >= CV2_LIMIT)
            return
        rare, uneven = self._sides
        self._sides = (_side(self.adi, ADI_LIMIT, above=rare), _side(self.cv2, CV2_LIMIT, above=uneven))

    def snapshot(self) -> State:
        """State as primitives; parameters are not in it."""
        sides = None if self._sides is None else list(self._sides)
        means = [self._seen, self._demands, self._probability, self._mean, self._var]
        return [*means, sides, self._place, self._quiet, list(self._idle), list(self._shut)]

    def restore(self, state: State) -> None:
        """Go on from a snapshot of a classifier with the same parameters."""
        self._seen, self._demands, self._probability, self._mean, self._var, sides, *places = state
        self._place, self._quiet, self._idle, self._shut = places
        self._sides = None if sides is None else (sides[0], sides[1])


def _side(value: float, limit: float, *, above: bool) -> bool:
    return value * _BAND >= limit if above else value >= limit * _BAND
