"""One site's tasks and robots as arrays, sorted by name: ties that go to the smaller index go to the smaller name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.allocation.config import AllocationConfig

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

US_PER_S = 1_000_000
MICRO = 1_000_000
TOP_PRIORITY = 9


@dataclass(frozen=True, slots=True)
class Robots:
    """Robots able to work, as they will be after what they have already. Positions are NaN where not known."""

    x: Float64
    y: Float64
    zone: Int64
    ready_s: Float64
    battery: Float64
    speed: Float64
    unit_s: Float64
    health_s: Float64
    charging: Bool


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks to give to robots. `weight` is the cost of a second until one is done; `due_s` from now, inf where none."""

    x: Float64
    y: Float64
    zone: Int64
    units: Float64
    weight: Float64
    due_s: Float64
    kind: Int64
    """What it requires, as a row of `Problem.capable`."""
    told: Int64
    """Robot that was told last to do it, -1 where none was that is able to work."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be decided at a site."""

    robots: Robots
    tasks: Tasks
    capable: Bool
    """Kind of task by robot."""
    limit: Float64
    """Robots per zone, inf where there is no limit."""
    standing: Bool
    """Robot by zone: it stands in it or has something to do there."""
    blocked: Int64
    """Robots per zone that stand there and are not able to work."""
    config: AllocationConfig
    placed: bool
    """All positions are known."""


def problem(
    robots: pl.DataFrame, tasks: pl.DataFrame, committed: pl.DataFrame, now_us: int, config: AllocationConfig
) -> Problem:
    """Arrays of one site, rows as given.

    `robots` has besides ROBOT_SCHEMA `able` Boolean; `tasks` are those to give away, with `told`; `committed` those
    that robots have, in the order in which they will be done.
    """
    zones = {zone: at for at, zone in enumerate(_zones(robots, tasks, committed))}
    able = robots.filter("able")
    required = [kind_of(requires) for requires in tasks["requires"].to_list()]
    kinds = {kind: at for at, kind in enumerate(sorted(set(required)))}
    standing = np.zeros((able.height, len(zones)), dtype=np.bool_)
    arrays, ways = _robots(able, committed, now_us, config, zones)
    for robot, zone in ways:
        standing[robot, zone] = True
    blocked = np.zeros(len(zones), dtype=np.int64)
    np.add.at(blocked, [zones[zone] for zone in robots.filter(~pl.col("able"), pl.col("active"))["zone"]], 1)
    number = {robot: at for at, robot in enumerate(able["robot"])}
    told = np.array([number.get(robot, -1) for robot in tasks["told"]], dtype=np.int64)
    todo = _tasks(tasks, now_us, config, zones, [kinds[kind] for kind in required], told)
    site = str(robots["site"][0]) if robots.height else ""
    return Problem(
        robots=arrays,
        tasks=todo,
        capable=capable(list(kinds), able["capabilities"].to_list()),
        limit=np.array([config.zone_limits.get((site, zone), np.inf) for zone in zones], dtype=np.float64),
        standing=standing,
        blocked=blocked,
        config=config,
        placed=not any(np.isnan(a).any() for a in (arrays.x, todo.x, arrays.y, todo.y)),
    )


def capable(kinds: list[tuple[str, ...]], capabilities: list[list[str] | None]) -> Bool:
    """Kind by robot: the robot has all that the kind requires. Null is nothing."""
    have = [frozenset(robot or ()) for robot in capabilities]
    rows = [[have_one.issuperset(kind) for have_one in have] for kind in kinds]
    return np.array(rows, dtype=np.bool_).reshape(len(kinds), len(have))


def _zones(*frames: pl.DataFrame) -> list[str]:
    return sorted(pl.concat([frame["zone"] for frame in frames]).unique())


def kind_of(requires: list[str] | None) -> tuple[str, ...]:
    """What a task requires, in one form."""
    return tuple(sorted(set(requires or ())))


def _tasks(
    rows: pl.DataFrame,
    now_us: int,
    config: AllocationConfig,
    zones: Mapping[str, int],
    kinds: list[int],
    told: Int64,
) -> Tasks:
    due_us = rows["due_us"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    return Tasks(
        x=_floats(rows["x"]),
        y=_floats(rows["y"]),
        zone=np.array([zones[zone] for zone in rows["zone"]], dtype=np.int64),
        units=rows["work_micro"].to_numpy() / MICRO,
        weight=1 + config.priority_cost * aged_priority(rows, now_us, config),
        due_s=(due_us - now_us) / US_PER_S,
        kind=np.array(kinds, dtype=np.int64),
        told=told,
    )


def aged_priority(rows: pl.DataFrame, now_us: int, config: AllocationConfig) -> Float64:
    """Class of each task: its priority and what it has risen by since it was created."""
    waited = np.maximum(now_us - rows["created_us"].to_numpy(), 0) / (US_PER_S * config.ageing_s)
    risen: Float64 = np.minimum(rows["priority"].to_numpy() + np.floor(waited), TOP_PRIORITY)
    return risen


def _robots(
    rows: pl.DataFrame, committed: pl.DataFrame, now_us: int, config: AllocationConfig, zones: Mapping[str, int]
) -> tuple[Robots, list[tuple[int, int]]]:
    """The robots after what they have already, and the zones that each is in until then, as pairs."""
    speed = positive(rows["speed"], config.speed_m_s)
    unit_s = 3_600 / positive(rows["rate"], config.units_per_hour)
    x, y = _floats(rows["x"]), _floats(rows["y"])
    zone = np.array([zones[one] for one in rows["zone"]], dtype=np.int64)
    ready, battery = np.zeros(rows.height), rows["battery"].to_numpy().astype(np.float64)
    ways = list(enumerate(zone.tolist()))
    number = {robot: at for at, robot in enumerate(rows["robot"])}
    columns = committed.select("robot", "zone", "x", "y", "work_micro", started=pl.col("state") == "started")
    for robot, to_zone, to_x, to_y, work_micro, started in columns.iter_rows():
        if (at := number.get(robot)) is None:
            continue
        to, place = zones[to_zone], (np.nan if to_x is None else to_x, np.nan if to_y is None else to_y)
        away = np.hypot(place[0] - x[at], place[1] - y[at]) / speed[at]
        travel = away if away == away else _default_travel(config, same=to == zone[at])  # noqa: PLR0124 - NaN
        travel = 0.0 if started else travel
        work = work_micro / MICRO * unit_s[at]
        ready[at] += travel + work
        battery[at] = max(battery[at] - travel * config.travel_pct_s - work * config.work_pct_s, 0.0)
        (x[at], y[at]), zone[at] = place, to
        ways.append((at, to))
    age = np.maximum(now_us - rows["seen_us"].to_numpy(), 0) / US_PER_S
    health = age * config.age_cost + (rows["errors"].fill_null(0).to_numpy() > 0) * config.error_cost_s
    charging = (rows["mode"] == "charging").to_numpy()
    return Robots(x, y, zone, ready, battery, speed, unit_s, health, charging), ways


def _default_travel(config: AllocationConfig, *, same: bool) -> float:
    return config.travel_within_s if same else config.travel_between_s


def _floats(column: pl.Series) -> Float64:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)


def positive(column: pl.Series, otherwise: float) -> Float64:
    """The column, and `otherwise` where it is null or no number above 0."""
    known = _floats(column)
    return np.where(np.isfinite(known) & (known > 0), known, otherwise)
