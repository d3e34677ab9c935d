"""Hard limits: what protects people and machines, and no policy, model or approval can exceed.

A zone has a least and a most number of robots, and a longest step of its setpoint. A site has a most number over all
its zones. Limits are the last thing a setpoint goes through, so whatever comes out of a model, also what is no number,
ends within them. Where limits contradict each other, a step yields to bounds, and a zone's least number to its site's
most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Final, Literal

from schemas.errors import SettingsError

ANY: Final = "*"
"""Stands for every site or zone."""

Cut = Literal["", "not_a_number", "step", "low", "high", "site"]
"""What made a setpoint another than was wanted, the last that did; empty where nothing did."""


@dataclass(frozen=True, slots=True)
class ZoneLimit:
    """Robots that a zone may be asked to have at work."""

    low: int
    high: int
    step: int
    """Robots that a setpoint may differ by from the one before."""
    site: str = ANY
    zone: str = ANY


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number of robots within the limits."""

    robots: int
    cut: Cut


class Limits:
    """Limits of all zones, of which the most specific holds (zone, then site), and the most robots of whole sites.

    SettingsError with all that is wrong with them. Every zone must have a limit: at least one is for any zone.
    """

    def __init__(self, zones: Sequence[ZoneLimit], sites: Mapping[str, int] | None = None) -> None:
        self.sites = dict(sites or {})
        """Most robots of all zones of a site, where that is limited."""
        self._zones = {(limit.site, limit.zone): limit for limit in zones}
        problems = [problem for limit in zones for problem in _wrong(limit)]
        count = Counter((limit.site, limit.zone) for limit in zones)
        problems += [f"{n} limits are of site {site} and zone {zone}" for (site, zone), n in count.items() if n > 1]
        if (ANY, ANY) not in count:
            problems.append("zones that are not named have no limit")
        problems += [f"site {site} is limited to {most} robots" for site, most in self.sites.items() if most < 0]
        if problems:
            raise SettingsError("\n".join(problems), fix="give one limit per zone, and one for any other")

    def of(self, site: str, zone: str) -> ZoneLimit:
        """The limit that holds for a zone."""
        keys = ((site, zone), (ANY, zone), (site, ANY), (ANY, ANY))
        return next(self._zones[key] for key in keys if key in self._zones)

    def bound(self, site: str, zone: str, wanted: float, last: int | None, others: int) -> Bounded:
        """What of `wanted` robots a zone may be asked for.

        `last` is what it was asked for before (None: nothing), `others` the most that the other zones of the site may
        have by now. What is no number asks for no change.
        """
        limit = self.of(site, zone)
        robots, cut = _whole(wanted, last, limit)
        if last is not None and abs(robots - last) > limit.step:
            robots, cut = last + (limit.step if robots > last else -limit.step), "step"
        if robots < limit.low:
            robots, cut = limit.low, "low"
        if robots > limit.high:
            robots, cut = limit.high, "high"
        if site in self.sites and robots + others > self.sites[site]:
            robots, cut = max(0, self.sites[site] - others), "site"
        return Bounded(robots, cut)


def _whole(wanted: float, last: int | None, limit: ZoneLimit) -> tuple[int, Cut]:
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
    if not 0 <= limit.low <= limit.high:
        problems.append(f"{limit}: the least number of robots lies between 0 and the most")
    if limit.step < 1:
        problems.append(f"{limit}: a step is at least 1 robot")
    if not (limit.site and limit.zone):
        problems.append(f'{limit}: site and zone have a name or are "{ANY}"')
    return problems
