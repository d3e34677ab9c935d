"""Rows of a plan: which robot should do which task, as its how-manieth, at what cost, and why."""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.allocation.congestion import Congestion
from domain.allocation.costs import change_s, steps
from domain.allocation.problem import TOP_PRIORITY, US_PER_S, Int64, Problem, aged_priority
from domain.allocation.tables import ASSIGNMENT_SCHEMA


def recommended(
    problem: Problem, sequences: Int64, robots: pl.DataFrame, tasks: pl.DataFrame, now_us: int
) -> pl.DataFrame:
    """Rows of ASSIGNMENT_SCHEMA; `robots` are those able to work and `tasks` the candidates, as in the problem."""
    everyone = np.arange(sequences.shape[0])
    shares = Congestion(problem).shares_s(sequences)
    parts = [
        _rows(problem, everyone[step.on], sequences[step.on, place], place, shares[step.on, place]).with_columns(
            **{
                name: pl.Series(getattr(step, name)[step.on])
                for name in ("wait_s", "travel_s", "work_s", "done_s", "late_s")
            },
            battery_s=pl.Series(step.charge_s[step.on]),
            energy_s=pl.Series(step.energy_pct[step.on] * problem.config.energy_s_pct),
            charge_pct=pl.Series(step.charge_pct[step.on]),
        )
        for place, step in enumerate(steps(problem, everyone, sequences))
    ]
    if not parts:
        return pl.DataFrame(schema=ASSIGNMENT_SCHEMA)
    names = robots.select("robot").with_row_index("_robot").cast({"_robot": pl.Int64})
    config = problem.config
    details = tasks.select("site", "zone", "task", "priority", "due_us").with_columns(
        weight=pl.Series(problem.tasks.weight), risen=pl.Series(aged_priority(tasks, now_us, config))
    )
    rows = pl.concat(parts)
    rows = pl.concat([rows, details[rows["_task"]]], how="horizontal").join(names, on="_robot", how="left")
    late = config.lateness_cost * pl.col("late_s")
    rows = rows.with_columns(
        priority_s=(pl.col("weight") - 1) * (pl.col("done_s") + late),
        lateness_s=late,
        expected_us=now_us + (pl.col("done_s") * US_PER_S).round().cast(pl.Int64),
        charge_pct=pl.col("charge_pct").fill_nan(None),
    ).with_columns(charge_first=pl.col("charge_pct").is_not_null(), cost_s=_sum(), reason=_reason())
    return rows.select(list(ASSIGNMENT_SCHEMA)).sort("site", "robot", "sequence")


def _rows(problem: Problem, robot: Int64, task: Int64, place: int, shares: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "_robot": robot,
            "_task": task,
            "sequence": np.full(robot.size, place + 1),
            "health_s": problem.robots.health_s[robot],
            "congestion_s": shares,
            "change_s": change_s(problem, robot, task),
        }
    )


def _sum() -> pl.Expr:
    names = [name for name in ASSIGNMENT_SCHEMA if name.endswith("_s") and name != "cost_s"]
    return sum((pl.col(name) for name in names[1:]), pl.col(names[0]))


def _reason() -> pl.Expr:
    """What the row says, as a sentence."""

    def whole(name: str) -> pl.Expr:
        return pl.col(name).round().cast(pl.Int64)

    charge = pl.format("charges to {} % ({} s), ", pl.col("charge_pct").round(1), whole("battery_s"))
    none = pl.lit("")
    risen = pl.format(", risen from {} by age", pl.col("priority"))
    crowd = pl.format(" Its zone is too crowded: {} s.", whole("congestion_s"))
    late = pl.format(" {} s late.", whole("late_s"))
    return pl.concat_str(
        pl.format("{} is free in {} s, ", pl.col("robot"), whole("wait_s")),
        pl.when(pl.col("charge_pct").is_not_null()).then(charge).otherwise(none),
        pl.format(
            "travels {} s, works {} s: done in {} s. Class {} of {}",
            *map(whole, ("travel_s", "work_s", "done_s", "risen")),
            pl.lit(TOP_PRIORITY),
        ),
        pl.when(pl.col("risen") > pl.col("priority")).then(risen).otherwise(none),
        pl.lit("."),
        pl.when(pl.col("late_s") > 0)
        .then(late)
        .when(pl.col("due_us").is_not_null())
        .then(pl.lit(" In time."))
        .otherwise(none),
        pl.when(pl.col("congestion_s") > 0).then(crowd).otherwise(none),
    )
