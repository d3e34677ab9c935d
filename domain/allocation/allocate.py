"""Which robot should do which task next: recommendations for all sites, what waits, and what is stuck.

Rules:

- A task can be given to a robot when no robot has it, all it depends on is done, and a robot that can do it is able to
  work. A robot that is decommissioned, offline, faulty, unreachable, of unknown state or part of a deadlock never is.
- The tasks of a site are put into one sequence per robot, behind what it has already, at the least cost that is found
  (`costs`, `congestion`): a first plan in rounds of an assignment problem (`assign`), then local search (`improve`).
- Tasks that robots have stay where they are. Those that a robot was told to do stay with it unless another one is
  better by `change_s`: a recommendation that turns with every second of difference is obeyed by nobody.
- The result depends on the rows alone, not on their order; ties go to the smaller name.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from domain.allocation.assign import assigned
from domain.allocation.candidates import FREE, fit, graph, waiting, with_ability
from domain.allocation.config import AllocationConfig
from domain.allocation.improve import improved
from domain.allocation.problem import problem
from domain.allocation.recommend import recommended
from domain.allocation.stuck import (
    deadlocks,
    held_in_order,
    told,
    told_cycles,
    told_missing,
    told_starved,
    told_unservable,
)
from domain.allocation.tables import ASSIGNMENT_SCHEMA, DONE_SCHEMA, STUCK_SCHEMA, TASK_SCHEMA, WAITING_SCHEMA


@dataclass(frozen=True, slots=True)
class Allocation:
    """What is recommended (ASSIGNMENT_SCHEMA), what waits (WAITING_SCHEMA) and what is stuck (STUCK_SCHEMA).

    Each task that no robot has is in exactly one row of `assignments` or `waiting`.
    """

    assignments: pl.DataFrame
    waiting: pl.DataFrame
    stuck: pl.DataFrame


def allocate(
    tasks: pl.DataFrame,
    robots: pl.DataFrame,
    now_us: int,
    config: AllocationConfig,
    done: pl.DataFrame | None = None,
) -> Allocation:
    """Allocate the open tasks (TASK_SCHEMA) to the robots (ROBOT_SCHEMA) of all sites.

    `done` (DONE_SCHEMA): those tasks that open ones depend on and that are done; by default none.
    """
    optional = {"since_us": pl.Int64, "told": pl.String}
    absent = [pl.lit(None, kind).alias(name) for name, kind in optional.items() if name not in tasks.columns]
    rows = tasks.with_columns(absent).select(*TASK_SCHEMA, *optional).sort("site", "task")
    fleet = with_ability(robots, now_us, config)
    finished = pl.DataFrame(schema=DONE_SCHEMA) if done is None else done
    parts = [
        _site(
            site, group, fleet.filter(pl.col("site") == site), finished.filter(pl.col("site") == site), now_us, config
        )
        for (site,), group in rows.group_by("site", maintain_order=True)
    ]
    return Allocation(
        pl.concat([part.assignments for part in parts]) if parts else pl.DataFrame(schema=ASSIGNMENT_SCHEMA),
        pl.concat([part.waiting for part in parts]) if parts else pl.DataFrame(schema=WAITING_SCHEMA),
        pl.concat([part.stuck for part in parts]) if parts else pl.DataFrame(schema=STUCK_SCHEMA),
    )


def _site(
    site: object, rows: pl.DataFrame, robots: pl.DataFrame, done: pl.DataFrame, now_us: int, config: AllocationConfig
) -> Allocation:
    tasks = graph(rows, frozenset(done["task"]))
    fits = fit(rows, robots, config)
    locked, blocked = deadlocks(tasks, fits, robots)
    deadlocked = pl.col("able") & pl.col("robot").is_in(sorted(blocked))
    robots = robots.with_columns(
        unable=pl.when(deadlocked).then(pl.lit("in a deadlock")).otherwise("unable"), able=pl.col("able") & ~deadlocked
    )
    held_up = waiting(tasks, fits, robots)
    free = rows.filter(pl.col("state").is_in(FREE))
    candidates = free.join(held_up, on="task", how="anti", maintain_order="left")
    assignments = _planned(candidates, rows, robots, now_us, config)
    later = candidates.join(assignments, on="task", how="anti", maintain_order="left").select(
        "task", code=pl.lit("later"), detail=pl.lit("robots that could do it have as much as they are given")
    )
    waits = pl.concat([held_up, later]).join(rows.select("site", "zone", "task"), on="task")
    starved = rows.filter(pl.col("task").is_in(_ready(candidates, held_up).implode()))
    stuck = [
        *told_cycles(tasks),
        *told_missing(tasks),
        *told_unservable(held_up),
        *told_starved(starved, now_us, config),
        *locked,
    ]
    return Allocation(
        assignments,
        waits.select(list(WAITING_SCHEMA)).sort("task"),
        pl.DataFrame(told(stuck, str(site)), schema=STUCK_SCHEMA, orient="row"),
    )


def _ready(candidates: pl.DataFrame, held_up: pl.DataFrame) -> pl.Series:
    """Names of the tasks that could be done if there were a robot for them."""
    return pl.concat([candidates["task"], held_up.filter(pl.col("code") == "no_robot")["task"]])


def _planned(
    candidates: pl.DataFrame, rows: pl.DataFrame, robots: pl.DataFrame, now_us: int, config: AllocationConfig
) -> pl.DataFrame:
    """The plan of a site."""
    able = robots.filter("able")
    if not candidates.height or not able.height:
        return pl.DataFrame(schema=ASSIGNMENT_SCHEMA)
    instance = problem(robots, candidates, held_in_order(rows), now_us, config)
    return recommended(instance, improved(instance, assigned(instance)), able, candidates, now_us)
