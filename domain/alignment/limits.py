"""Hard limits: what protects people and machines, and no policy, model or approval can exceed.

A zone has a least and a most number of robots, and a longest step of its setpoint. A site has a most number over all
its zones. Limits are the last thing a setpoint goes through, so whatever comes out of a model, also what is no number,
ends within them. Where limits contradict each other, a step yields to bounds, and a zone's least number to its site's
most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final, Literal, NamedTuple

from schemas.errors import SettingsError

ANY: Final = "*"
"""Stands for every site or zone."""

Cut = Literal["", "not_a_number", "step", "low", "high", "site"]
"""What made a setpoint another than was wanted, the last that did; empty where nothing did."""


@dataclass(frozen=True, slots=True)
class ZoneLimit:
    """What is said of the robots that a zone may be asked to have at work; None: nothing."""

    low: int | None = None
    high: int | None = None
    step: int | None = None
    """Robots that a setpoint may differ by from the one before."""
    site: str = ANY
    zone: str = ANY


class Range(NamedTuple):
    """The limits that hold for a zone."""

    low: int
    high: int
    step: int


UNLIMITED: Final = Range(0, 1_000_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number of robots within the limits."""

    robots: int
    cut: Cut


class Limits:
    """Limits of all zones, and the most robots of whole sites.

    Each number is that of the most specific limit that gives it: of the zone of that site, of the zone, of the site, of
    any zone. So a limit of one zone takes nothing away from what holds for all. SettingsError with all that is wrong.
    """

    def __init__(self, zones: Sequence[ZoneLimit] = (), sites: Mapping[str, int] | None = None) -> None:
        self._sites = dict(sites or {})
        self._zones = {(limit.site, limit.zone): limit for limit in zones}
        problems = [problem for limit in zones for problem in _wrong(limit)]
        count = Counter((limit.site, limit.zone) for limit in zones)
        problems += [f"{n} limits are of site {site} and zone {zone}" for (site, zone), n in count.items() if n > 1]
        problems += [] if problems else self._contradictions()
        problems += [f"site {site} is limited to {most} robots" for site, most in self._sites.items() if most < 0]
        if problems:
            raise SettingsError("\n".join(problems), fix="give one limit per zone, with a least that its most allows")

    def _contradictions(self) -> Iterator[str]:
        """Numbers that different limits give, and that no zone of these names could meet."""
        for site in sorted({ANY, *(site for site, _ in self._zones)}):
            for zone in sorted({ANY, *(zone for _, zone in self._zones)}):
                low, high, _ = self.of(site, zone)
                if low > high:
                    yield f"zone {zone} of site {site} would have {low} robots at least and {high} at most"

    def of(self, site: str, zone: str) -> Range:
        """The limits that hold for a zone."""
        keys = ((site, zone), (ANY, zone), (site, ANY), (ANY, ANY))
        told = UNLIMITED
        for limit in [self._zones[key] for key in reversed(keys) if key in self._zones]:
            given = {"low": limit.low, "high": limit.high, "step": limit.step}
            told = told._replace(**{name: number for name, number in given.items() if number is not None})
        return told

    def of_site(self, site: str) -> int | None:
        """The most robots of all zones of a site; None where that is not limited."""
        return self._sites.get(site, self._sites.get(ANY))

    def bound(self, site: str, zone: str, wanted: float, last: int | None, others: int, share: int = 0) -> Bounded:
        """What of `wanted` robots a zone may be asked for.

        `last` is what it was asked for before (None: nothing), `others` the most that the other zones of the site may
        have by now, `share` what of a full site is the zone's all the same. What is no number asks for no change.
        """
        limit = self.of(site, zone)
        robots, cut = _whole(wanted, last, limit)
        if last is not None and abs(robots - last) > limit.step:
            robots, cut = last + (limit.step if robots > last else -limit.step), "step"
        if robots < limit.low:
            robots, cut = limit.low, "low"
        if robots > limit.high:
            robots, cut = limit.high, "high"
        most = self.of_site(site)
        if most is not None and robots + others > most:
            robots, cut = _left(robots, most - others, share)
        return Bounded(robots, cut)


def _left(robots: int, rest: int, share: int) -> tuple[int, Cut]:
    """What a site that is full leaves to a zone that would have more robots than the `rest`."""
    left = max(0, rest, min(robots, share))
    return left, "site" if left < robots else ""


def _whole(wanted: float, last: int | None, limit: Range) -> tuple[int, Cut]:
    """The nearest whole number, the larger of two; beyond all limits, a number just beyond them."""
    most = max(limit.high, last or 0) + limit.step + 1
    if -most < wanted < most:
        return floor(wanted + 0.5), ""
    if wanted >= most:
        return most, ""
    if wanted <= -most:
        return -most, ""
    return (limit.low if last is None else last), "not_a_number"


def _wrong(limit: ZoneLimit) -> list[str]:
    problems = []
    high = UNLIMITED.high if limit.high is None else limit.high
    if not 0 <= (limit.low or 0) <= high:
        problems.append(f"{limit}: the least number of robots lies between 0 and the most")
    if limit.step is not None and limit.step < 1:
        problems.append(f"{limit}: a step is at least 1 robot")
    if not (limit.site and limit.zone):
        problems.append(f'{limit}: site and zone have a name or are "{ANY}"')
    return problems
