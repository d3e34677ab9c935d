"""Zones as a review finds them: what a controller, and shedding, are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Final

import polars as pl

from domain.alignment.availability import HOUR_US
from domain.alignment.setpoint_tables import HoldCause
from domain.alignment.working_time import lasting_share
from flows.alignment.outlook import View

_ZONE: Final = ("site", "zone")
_CAPACITY: Final = ("capacity_lo95", "capacity_hi95")
_NOTHING: Final = (0.0, 1.0)
"""Demand of a zone that nothing comes to, and the size of a task that would."""
_MICRO: Final = 1_000_000
_STARTED: Final = "started"

_Zone = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ZoneState:
    """A zone as a review finds it; work in units, rates per hour."""

    site: str
    zone: str
    demand: float
    backlog: float
    rate: float
    availability: float
    """Share of its time in which a robot can work in the long run."""
    task: float
    """Work of a mean task."""
    robots: int
    """Robots that are there and heard of."""
    tasks: float
    """Done of late by each robot that is there, in the mean."""
    fleet: int
    """Robots of the site that are."""
    last_there: int
    """Robots that were last heard of in the zone, however long ago."""
    cause: HoldCause | None
    """Why nothing can be decided; None where it can."""
    capacity: tuple[float, float]
    """2.5 and 97.5 % quantiles of what can be done within the shortest horizon."""


def zone_states(
    at: int,
    stale_us: int,
    view: View,
    tasks: pl.DataFrame,
    robots: pl.DataFrame,
    others: Sequence[tuple[str, str]],
) -> list[ZoneState]:
    """All zones that have robots, demand or a backlog, and `others`, by name.

    `tasks` are open, `robots` those of the fleet with `active`; nothing is decided about what is `stale_us` old. A zone
    without robots has the telemetry, the rate and the availability of its site.
    """
    crews = _crews(robots, at - stale_us)
    waiting = _waiting(tasks)
    demand = {(site, zone): (rate, task) for site, zone, rate, task in view.demand.iter_rows()}
    able = {
        (site, zone): (low, high) for site, zone, low, high in _shortest(view.gaps).select(*_ZONE, *_CAPACITY).rows()
    }
    states = []
    for key in sorted({*able, *others}):
        fleet = crews.get((key[0], None), _Crew())
        crew = crews.get(key, _Crew())
        known = crew if crew.rates else fleet
        states.append(
            ZoneState(
                site=key[0],
                zone=key[1],
                demand=demand.get(key, _NOTHING)[0],
                backlog=waiting.get(key, 0) / _MICRO,
                rate=_mean(known.rates, 0.0),
                availability=_mean(known.shares, 1.0),
                task=demand.get(key, _NOTHING)[1],
                robots=crew.present,
                tasks=_mean(crew.tasks, 0.0),
                fleet=fleet.present,
                last_there=crew.there,
                cause=_cause(at - stale_us, known.newest_us),
                capacity=able.get(key, (0.0, 0.0)),
            )
        )
    return states


def _waiting(tasks: pl.DataFrame) -> dict[_Zone, int]:
    """Work that nobody has begun, in millionths, by zone."""
    waiting: dict[_Zone, int] = {}
    for site, zone, work in tasks.filter(pl.col("state") != _STARTED).select(*_ZONE, "work_micro").iter_rows():
        waiting[site, zone] = waiting.get((site, zone), 0) + work
    return waiting


@dataclass(slots=True)
class _Crew:
    """Robots of a zone, or of a site: how many are in service and heard of, and in service at all; what each does."""

    present: int = 0
    there: int = 0
    newest_us: int | None = None
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    tasks: list[float] = field(default_factory=list)


def _crews(robots: pl.DataFrame, since_us: int) -> dict[tuple[str, str | None], _Crew]:
    """By zone, and by site without one."""
    crews: dict[tuple[str, str | None], _Crew] = {}
    rows = robots.select(*_ZONE, "active", "seen_us", "rate", lasting_share().alias("share"), "tasks")
    for site, zone, active, seen_us, rate, share, tasks in rows.iter_rows():
        for key in ((site, zone), (site, None)):
            crew = crews.setdefault(key, _Crew())
            crew.there += active
            crew.present += active and seen_us >= since_us
            crew.newest_us = seen_us if crew.newest_us is None else max(crew.newest_us, seen_us)
            crew.rates.append(rate)
            crew.shares.append(share)
            crew.tasks.append(tasks)
    return crews


def _mean(values: Sequence[float], of_none: float) -> float:
    return fsum(values) / len(values) if values else of_none


def loads(gaps: pl.DataFrame, zones: Sequence[ZoneState]) -> pl.DataFrame:
    """Work units per hour that come to each zone, and that it can do, by the shortest horizon.

    Of a zone that nothing can be decided about, nothing is known that work should be given up for.
    """
    known = [(zone.site, zone.zone) for zone in zones if zone.cause is None]
    decided = pl.DataFrame(known, schema=dict.fromkeys(_ZONE, pl.String), orient="row")
    hours = pl.col("horizon_us") / HOUR_US
    rows = _shortest(gaps).join(decided, on=_ZONE, how="semi")
    return rows.select(*_ZONE, *((pl.col(name) / hours).alias(name) for name in ("demand", "capacity")))


def _cause(oldest_us: int, newest_us: int | None) -> HoldCause | None:
    if newest_us is None:
        return "no_data"
    return "stale" if newest_us < oldest_us else None


def _shortest(gaps: pl.DataFrame) -> pl.DataFrame:
    """Each zone's row of the shortest horizon; rows are in order of it."""
    return gaps.unique(_ZONE, keep="first", maintain_order=True)
