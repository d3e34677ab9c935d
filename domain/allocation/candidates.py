"""Which robots are able to work, and which tasks can be given to one now; of the others, why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import polars as pl

from domain.allocation.config import AllocationConfig
from domain.allocation.costs import FULL
from domain.allocation.graph import cycles, knots
from domain.allocation.problem import MICRO, US_PER_S, Bool, Float64, capable, kind_of, positive
from domain.allocation.tables import OPTIONAL_SCHEMA, ROBOT_SCHEMA, WAITING_SCHEMA

FREE: Final = ("created", "queued")
"""States of a task that no robot has."""

HELD: Final = ("assigned", "started")
"""States of a task that a robot has."""

_WORKING: Final = ("idle", "busy", "charging")


def with_ability(robots: pl.DataFrame, now_us: int, config: AllocationConfig) -> pl.DataFrame:
    """Rows of ROBOT_SCHEMA and OPTIONAL_SCHEMA, sorted by site and robot, with their ability.

    `able` Boolean: it can work now; `unable` String: why not, null where it can.
    """
    absent = [pl.lit(None, kind).alias(name) for name, kind in OPTIONAL_SCHEMA.items() if name not in robots.columns]
    columns = (*ROBOT_SCHEMA, *OPTIONAL_SCHEMA)
    known = pl.col("battery").is_between(0, 100)
    heard = pl.col("seen_us") >= now_us - round(config.stale_s * US_PER_S)
    unable = (
        pl.when(~pl.col("active").fill_null(value=False))
        .then(pl.lit("decommissioned"))
        .when(~heard.fill_null(value=False))
        .then(pl.lit("unreachable"))
        .when(pl.col("mode").is_in(["fault", "offline"]))
        .then(pl.col("mode"))
        .when(~(pl.col("mode").is_in(_WORKING) & known).fill_null(value=False))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit(None, pl.String))
    )
    rows = (
        robots.with_columns(absent)
        .select(columns)
        .with_columns(unable=unable, active=pl.col("active").fill_null(value=False))
    )
    return rows.with_columns(able=pl.col("unable").is_null()).sort("site", "robot")


@dataclass(frozen=True, slots=True)
class Graph:
    """What the tasks of a site wait for. `rows` of TASK_SCHEMA and `since_us`, sorted by task."""

    rows: pl.DataFrame
    open_dependencies: dict[str, list[str]]
    """By task, if there are any: sorted."""
    missing: dict[str, list[str]]
    """Dependencies that are neither open nor done."""
    cycles: list[list[str]]
    circular: frozenset[str]
    """Tasks that depend on themselves."""


def graph(rows: pl.DataFrame, done: frozenset[str]) -> Graph:
    """The task graph of a site, of its open tasks and the names of those that are done."""
    dependent = rows.filter(pl.col("depends_on").list.len() > 0).select("task", "depends_on")
    names = frozenset(rows["task"]) if dependent.height else frozenset()
    waits, missing = {}, {}
    for task, depends_on in dependent.iter_rows():
        wanted = sorted(set(depends_on))
        if left := [one for one in wanted if one in names]:
            waits[task] = left
        if lost := [one for one in wanted if one not in names and one not in done]:
            missing[task] = lost
    circles = knots(waits)
    return Graph(rows, waits, missing, cycles(waits), frozenset(chain.from_iterable(circles)))


@dataclass(frozen=True, slots=True)
class Fit:
    """For each kind of task (what it requires): which robots of the site could do it, by row of the robots."""

    kinds: list[tuple[str, ...]]
    kind: dict[str, int]
    """Of each task that no robot has."""
    capable: Bool
    """Kind by robot."""
    longest: Float64
    """Work units of a kind that a robot capable of it can do on a full battery, at most; 0 where none is."""


def fit(rows: pl.DataFrame, robots: pl.DataFrame, config: AllocationConfig) -> Fit:
    """What the robots of a site (`with_ability`) could do. Robots that are decommissioned could do nothing."""
    free = rows.filter(pl.col("state").is_in(FREE))
    required = [kind_of(requires) for requires in free["requires"].to_list()]
    kinds = sorted(set(required))
    number = {kind: at for at, kind in enumerate(kinds)}
    could = capable(kinds, robots["capabilities"].to_list()) & robots["active"].to_numpy()
    used = positive(robots["rate"], config.units_per_hour) * (FULL - config.reserve_pct)
    longest = used / (3_600 * config.work_pct_s) if config.work_pct_s else np.full(robots.height, np.inf)
    return Fit(
        kinds,
        dict(zip(free["task"], (number[kind] for kind in required), strict=True)),
        could,
        np.where(could, longest, 0.0).max(axis=1, initial=0.0),
    )


def waiting(tasks: Graph, fits: Fit, robots: pl.DataFrame) -> pl.DataFrame:
    """Free tasks that can not be given to a robot now: task, code, detail; sorted by task."""
    able = robots["able"].to_numpy()
    nobody = {kind: _nobody(robots, row) for kind, row in enumerate(fits.capable) if not (row & able).any()}
    free = tasks.rows.filter(pl.col("state").is_in(FREE)).select("task", "work_micro")
    found = []
    for task, work in free.iter_rows():
        kind = fits.kind[task]
        if task in tasks.circular:
            found.append((task, "cycle", "depends on itself by way of " + ", ".join(tasks.open_dependencies[task])))
        elif not fits.capable[kind].any():
            found.append((task, "unservable", _requires(fits.kinds[kind])))
        elif work > fits.longest[kind] * MICRO:
            found.append((task, "unservable", "a full battery does not last for it"))
        elif task in tasks.missing:
            found.append((task, "dependency_missing", "depends on " + ", ".join(tasks.missing[task])))
        elif task in tasks.open_dependencies:
            found.append((task, "dependency", "waits for " + ", ".join(tasks.open_dependencies[task])))
        elif kind in nobody:
            found.append((task, "no_robot", nobody[kind]))
    return pl.DataFrame(found, schema={name: WAITING_SCHEMA[name] for name in ("task", "code", "detail")}, orient="row")


def _requires(kind: tuple[str, ...]) -> str:
    return f"no robot of the site has {' and '.join(kind)}" if kind else "the site has no robot"


def _nobody(robots: pl.DataFrame, could: Bool) -> str:
    counts = sorted(Counter(robots.filter(pl.Series(could))["unable"].to_list()).items())
    return "of the robots that could do it, " + ", ".join(f"{count} {why}" for why, count in counts)
