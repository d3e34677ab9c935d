"""Slow leaks: losses too small for any single count, found because they go on.

The difference of a count from the book is cumulative: what leaked stays away until the book is put right. So a key's
increments, from count to count and net of adjustments booked between, scatter around what leaks meanwhile. They are
divided by the deviation that honest counts of such stock show, and run through a CUSUM: one per key, and one per SKU
and site where several locations take part.

A single large difference is what `classify` is for. Here its weight is bounded, so that neither a slip nor a theft
looks like a leak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final

from domain.inventory.adjustments import Knowledge
from domain.inventory.cusum import Alarm, Cusum, CusumLimits
from domain.inventory.tolerance import Noise

Key = tuple[str, str, str]

_LARGEST: Final = 4.0  # in deviations: two such in a row are no alarm yet, a leak's third term is
_PRIOR: Final = 20  # counts that the expected deviation is worth
_MEMORY: Final = 500  # counts after which the deviation of a site follows the newest
_LEAST: Final = 0.25  # of the expected variance: perfect counts must not make every unit an alarm


@dataclass(frozen=True, slots=True)
class Counted:
    """A count at its final look; quantities in milli."""

    key: Key
    abc: str | None
    knowledge: Knowledge
    book: int
    difference: int
    """Counted less book, less what goods under way explain."""
    moved: int
    """Sum of the sizes of the moves near the count."""
    moves: int
    """How many."""
    adjusted: int
    """On hand that adjustments added to the book and the count before did not yet know."""


@dataclass(slots=True)
class _Deviation:
    """Variance of a site's increments relative to the expected one."""

    ratio: float = 1.0
    terms: int = _PRIOR

    def learn(self, z: float) -> None:
        self.terms = min(self.terms + 1, _MEMORY)
        self.ratio += (min(z * z, _LARGEST**2 / 2) - self.ratio) / self.terms


@dataclass(slots=True)
class _Watched:
    """A key: its last count, and its CUSUM."""

    knowledge: Knowledge
    difference: int
    variance: float
    """Expected of that count, in milli squared."""
    racing: float
    """Variance by moves near it, in milli squared."""
    cusum: Cusum = field(default_factory=Cusum)

    def state(self) -> list[Any]:
        """Primitives that `stored` makes the same of."""
        return [*self.knowledge, self.difference, self.variance, self.racing, self.cusum.state()]

    @classmethod
    def stored(cls, state: list[Any]) -> _Watched:
        """A key from its `state`."""
        as_of_us, looked_us, difference, variance, racing, cusum = state
        return cls(Knowledge(as_of_us, looked_us), difference, variance, racing, Cusum.stored(cusum))


@dataclass(slots=True)
class _Pool:
    """A SKU at a site: its CUSUM, and the locations that went into it."""

    cusum: Cusum = field(default_factory=Cusum)
    locations: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Leak:
    """An alarm of a key, or of all locations of a SKU at a site together (`location` None)."""

    site: str
    sku: str
    location: str | None
    alarm: Alarm


class LeakWatch:
    """CUSUMs of all keys that were counted."""

    def __init__(self, limits: CusumLimits, noise: Noise) -> None:
        self._limits = limits
        self._noise = noise
        self._keys: dict[Key, _Watched] = {}
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._deviations: dict[tuple[str, str], _Deviation] = {}

    def last(self, key: Key) -> Knowledge | None:
        """What was known at the key's last count; None where there was none."""
        watched = self._keys.get(key)
        return watched.knowledge if watched else None

    def learn(self, count: Counted) -> list[Leak]:
        """Take in a count; the alarms it raises. One as of no later time than its key's last says nothing new."""
        variance = self._noise.deviation(count.abc, count.book) ** 2
        # As if the moves were alike, and each as likely seen as not.
        racing = count.moved**2 / (4 * count.moves) if count.moves else 0.0
        key = self._keys.get(count.key)
        if key is None:
            self._keys[count.key] = _Watched(count.knowledge, count.difference, variance, racing)
            return []
        if count.knowledge.as_of_us <= key.knowledge.as_of_us:
            return []
        increment = count.difference - key.difference + count.adjusted
        z = self._standardised(count, increment, variance + key.variance, racing + key.racing)
        before_us = key.knowledge.as_of_us
        key.knowledge, key.difference, key.variance, key.racing = count.knowledge, count.difference, variance, racing
        leaks = [Leak(*count.key, a) for a in [self._add(key.cusum, z, increment, before_us)] if a]
        return leaks + self._pooled(count.key, z, increment, before_us)

    def _standardised(self, count: Counted, increment: int, variance: float, racing: float) -> float:
        place = (count.key[0], count.abc or "C")
        deviation = self._deviations.setdefault(place, _Deviation())
        z = increment / sqrt(variance * max(deviation.ratio, _LEAST) + racing)
        deviation.learn(increment / sqrt(variance + racing))
        return min(max(z, -_LARGEST), _LARGEST)

    def _pooled(self, key: Key, z: float, increment: int, before_us: int) -> list[Leak]:
        site, sku, location = key
        pool = self._pools.setdefault((site, sku), _Pool())
        pool.locations.add(location)
        alarm = self._add(pool.cusum, z, increment, before_us)
        several = len(pool.locations) > 1
        if alarm:
            pool.locations.clear()
        return [Leak(site, sku, None, alarm)] if alarm and several else []

    def _add(self, cusum: Cusum, z: float, increment: int, before_us: int) -> Alarm | None:
        return cusum.update(z, self._limits, quantity=increment, before_us=before_us)

    def state(self) -> dict[str, Any]:
        """Primitives that `take_up` makes the same of."""
        return {
            "keys": [[*key, *watched.state()] for key, watched in self._keys.items()],
            "pools": [[*key, p.cusum.state(), sorted(p.locations)] for key, p in self._pools.items()],
            "deviations": [[*key, d.ratio, d.terms] for key, d in self._deviations.items()],
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._keys = {(row[0], row[1], row[2]): _Watched.stored(row[3:]) for row in state["keys"]}
        self._pools = {(row[0], row[1]): _Pool(Cusum.stored(row[2]), set(row[3])) for row in state["pools"]}
        self._deviations = {(row[0], row[1]): _Deviation(row[2], row[3]) for row in state["deviations"]}
