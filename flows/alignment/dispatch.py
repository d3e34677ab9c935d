"""Who should do what: recommendations for queued tasks, and the work of robots that failed or left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from domain.alignment.limits import UNLIMITED
from domain.allocation.allocate import allocate
from domain.allocation.config import AllocationConfig
from domain.allocation.failures import RecoveryConfig
from domain.allocation.recovery import Recovery
from domain.allocation.recovery_tables import FAULT, REALLOCATED
from domain.allocation.standing import STANDING_SCHEMA, renewed
from domain.allocation.tables import DONE_SCHEMA, STUCK_SCHEMA
from domain.allocation.task_book import TaskBook
from domain.streaming.frames import from_bytes, to_bytes
from flows.alignment.sections import Alignment

_ROBOT: Final = ("site", "robot")
MASTER_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "robot": pl.String,
    "time_us": pl.Int64,
    "capabilities": pl.List(pl.String),
    "speed": pl.Float64,
    "active": pl.Boolean,
}
MOST_ROBOTS: Final = 100_000
"""Of which master data are kept. What a robot can do is told once, so its age is no reason to forget it."""
_SHAKES: Final = 4
"""Of a plan that is made anew in some minutes the last half per cent is not worth as much time as the rest."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Assignments that are new or over (`standing.TOLD_SCHEMA`, policy), and what is newly stuck (STUCK_SCHEMA)."""

    assignments: pl.DataFrame
    stuck: pl.DataFrame


class Dispatch:
    """What robots are by their master data, whose tasks were taken from whom, and what was recommended last."""

    def __init__(self, settings: Alignment) -> None:
        self._limits = settings.hard_limits()
        self._config = AllocationConfig(
            stale_s=settings.unreachable_s,
            ageing_s=settings.ageing_s,
            depth=settings.tasks_ahead,
            shakes=_SHAKES,
        )
        recovery = RecoveryConfig(
            unreachable_us=round(settings.unreachable_s * 1e6), grace_us=round(settings.grace_s * 1e6)
        )
        self._recovery = Recovery(recovery)
        self._recovery_policy = pl.lit(recovery.name)
        self._master = pl.DataFrame(schema=MASTER_SCHEMA)
        self._given = pl.DataFrame(schema=STANDING_SCHEMA)
        self._stuck = pl.DataFrame(schema=STUCK_SCHEMA)

    def told_of(self, robots: pl.DataFrame) -> None:
        """Take in rows of the contract `robot`, with time_us; the latest about a robot holds.

        Of more robots than are kept, those that were told of longest ago are forgotten.
        """
        if robots.height == 0:
            return
        rows = robots.with_columns(active=pl.col("status") == "active").select(MASTER_SCHEMA.keys())
        newest = pl.concat([self._master, rows]).sort(*_ROBOT, "time_us", maintain_order=True)
        latest = newest.unique(_ROBOT, keep="last", maintain_order=True)
        self._master = latest.sort("time_us", *_ROBOT).tail(MOST_ROBOTS).sort(_ROBOT)

    def known(self, robots: pl.DataFrame) -> pl.DataFrame:
        """Robots of the fleet with what was told of them; of one that nothing was told of, that it is active."""
        return robots.join(self._master.drop("time_us"), on=_ROBOT, how="left", maintain_order="left").with_columns(
            pl.col("active").fill_null(value=True)
        )

    def recover(self, at: int, book: TaskBook, tasks: pl.DataFrame, robots: pl.DataFrame) -> pl.DataFrame:
        """What becomes of tasks of robots that failed: REALLOCATION_SCHEMA. `tasks` are open, `robots` are `known`."""
        return self._recovery.advance(robots, tasks, book.outcomes(self._recovery.watched()), at)

    def review(
        self, at: int, tasks: pl.DataFrame, shed: pl.Series, robots: pl.DataFrame, done: pl.DataFrame
    ) -> Dispatched:
        """What is recommended now and was not before, and what no longer is, after `recover` of the same time.

        `shed` tells of each open task whether it is given up for now.
        """
        out = self._recovery.out().select(*_ROBOT, _failed="cause")
        # One that is well again, but not yet for long enough, is treated as the faulty one that it was.
        mode = pl.when(pl.col("_failed").is_null()).then("mode").otherwise(pl.lit(FAULT))
        well = robots.join(out, on=_ROBOT, how="left", maintain_order="left").with_columns(mode=mode).drop("_failed")
        told = self._given.select("site", "task", told="robot")
        taken = self._recovery.as_allocated(tasks).join(told, on=("site", "task"), how="left", maintain_order="left")
        config = replace(self._config, zone_limits=self._zone_limits(tasks, robots))
        found = allocate(taken.filter(~shed), well, at, config, done.select(DONE_SCHEMA.keys()))
        self._given, news = renewed(self._given, found, taken, at)
        known = _keys(self._stuck)
        stuck = found.stuck.filter([key not in known for key in _keys(found.stuck)])
        self._stuck = found.stuck
        return Dispatched(news.with_columns(policy=pl.lit(config.name)), stuck)

    def _zone_limits(self, tasks: pl.DataFrame, robots: pl.DataFrame) -> dict[tuple[str, str], int]:
        """Most robots of each zone that has a limit."""
        zones = pl.concat([tasks.select("site", "zone"), robots.select("site", "zone")]).unique().rows()
        most = {(site, zone): self._limits.of(site, zone).high for site, zone in zones}
        return {zone: high for zone, high in most.items() if high < UNLIMITED.high}

    def taken_over(self, reallocated: pl.DataFrame) -> pl.DataFrame:
        """Reallocations with the robot that should do the task where nobody has it, and the policy behind them."""
        if not reallocated.height:
            return reallocated
        chosen = self._given.select("site", "task", _chosen="robot")
        joined = reallocated.join(chosen, on=("site", "task"), how="left", maintain_order="left")
        to_robot = (
            pl.when(pl.col("status") == REALLOCATED).then(pl.coalesce("to_robot", "_chosen")).otherwise("to_robot")
        )
        return joined.with_columns(to_robot=to_robot, policy=self._recovery_policy).drop("_chosen")

    def snapshot(self) -> list[object]:
        """State as primitives and Arrow bytes."""
        return [self._recovery.snapshot(), *(to_bytes(frame) for frame in (self._master, self._given, self._stuck))]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        recovery, *frames = state
        self._recovery.restore(recovery)
        self._master, self._given, self._stuck = (from_bytes(data) for data in frames)


def _keys(stuck: pl.DataFrame) -> list[tuple[str, str, tuple[str, ...]]]:
    """What tells a thing that is stuck from others."""
    return [(site, kind, tuple(tasks)) for site, kind, tasks in stuck.select("site", "kind", "tasks").iter_rows()]
