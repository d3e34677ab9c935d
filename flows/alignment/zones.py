"""Zones as a review finds them: what a controller, and shedding, are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Final

import polars as pl

from domain.alignment.availability import HOUR_US
from domain.alignment.setpoint_tables import HoldCause
from domain.alignment.working_time import lasting_share
from flows.alignment.outlook import View

_SITE: Final = ("site",)
_ZONE: Final = ("site", "zone")
_CAPACITY: Final = ("capacity_lo95", "capacity_hi95")
_NOTHING: Final = (0.0, 1.0)
"""Demand of a zone that nothing comes to, and the size of a task that would."""
_MICRO: Final = 1_000_000
_STARTED: Final = "started"

_Key = tuple[Any, ...]
"""A site, or a site and a zone."""


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
    heard = robots.filter(pl.col("active") & (pl.col("seen_us") >= at - stale_us))
    newest = _of_site_or_zone(robots, pl.col("seen_us").max())
    there = _by(robots.filter("active"), _ZONE, pl.len())
    present = _of_site_or_zone(heard, pl.len())
    waiting = _by(tasks.filter(pl.col("state") != _STARTED), _ZONE, pl.col("work_micro").sum())
    rates, shares, done = (_means(robots, value) for value in (pl.col("rate"), lasting_share(), pl.col("tasks")))
    demand = {(site, zone): (rate, task) for site, zone, rate, task in view.demand.iter_rows()}
    able = {
        (site, zone): (low, high) for site, zone, low, high in _shortest(view.gaps).select(*_ZONE, *_CAPACITY).rows()
    }
    return [
        ZoneState(
            site=key[0],
            zone=key[1],
            demand=demand.get(key, _NOTHING)[0],
            backlog=waiting.get(key, 0) / _MICRO,
            rate=rates.get(key, rates.get(key[:1], 0.0)),
            availability=shares.get(key, shares.get(key[:1], 1.0)),
            task=demand.get(key, _NOTHING)[1],
            robots=present.get(key, 0),
            tasks=done.get(key, 0.0),
            fleet=present.get(key[:1], 0),
            last_there=there.get(key, 0),
            cause=_cause(at - stale_us, newest.get(key, newest.get(key[:1]))),
            capacity=able.get(key, (0.0, 0.0)),
        )
        for key in sorted({*able, *others})
    ]


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


def _of_site_or_zone(rows: pl.DataFrame, value: pl.Expr) -> Mapping[_Key, Any]:
    return {**_by(rows, _SITE, value), **_by(rows, _ZONE, value)}


def _means(rows: pl.DataFrame, value: pl.Expr) -> dict[_Key, float]:
    return {key: fsum(each) / len(each) for key, each in _of_site_or_zone(rows, value).items()}


def _by(rows: pl.DataFrame, keys: Sequence[str], value: pl.Expr) -> dict[_Key, Any]:
    return {
        row[:-1]: row[-1] for row in rows.group_by(keys, maintain_order=True).agg(value.alias("_value")).iter_rows()
    }
