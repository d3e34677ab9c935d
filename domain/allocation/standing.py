"""Recommendations that stand, and how each of them ends: told once as it is made, and once as it is over.

One stands until its task gets another robot or place in the sequence, a robot takes the task, it is no longer open, or
nobody should do it now. Of a task that is recommended anew, the new recommendation tells that the old one is over.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.allocation.allocate import Allocation
from domain.allocation.candidates import HELD
from domain.allocation.tables import ASSIGNMENT_SCHEMA, Schema

RECOMMENDED: Final = "recommended"
TAKEN: Final = "taken"
ENDED: Final = "ended"
WITHDRAWN: Final = "withdrawn"

STANDING_SCHEMA: Final[Schema] = {**ASSIGNMENT_SCHEMA, "decided_us": pl.Int64}
"""A recommendation that stands, and when it was made."""

TOLD_SCHEMA: Final[Schema] = {**STANDING_SCHEMA, "event_time": pl.Int64, "status": pl.String}
"""A recommendation as it takes a status: `recommended`, then `taken` (a robot has the task), `ended` (the task is no
longer open) or `withdrawn` (nobody should do it now), unless another of the same task takes its place before. `reason`
says why."""

_TASK: Final = ("site", "task")
_SAME: Final = (*_TASK, "robot", "sequence")


def renewed(
    standing: pl.DataFrame, found: Allocation, tasks: pl.DataFrame, at: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What stands after an allocation (STANDING_SCHEMA), and what is told of it (TOLD_SCHEMA).

    `tasks` are all open ones as they were allocated, those besides that allocation did not get, too.
    """
    new = found.assignments.join(standing, on=_SAME, how="anti", maintain_order="left")
    fresh = new.with_columns(decided_us=pl.lit(at, pl.Int64))
    kept = standing.join(found.assignments, on=_SAME, how="semi", maintain_order="left")
    over = standing.join(found.assignments, on=_TASK, how="anti", maintain_order="left")
    told = pl.concat([fresh.with_columns(status=pl.lit(RECOMMENDED)), _over(over, found.waiting, tasks)])
    stands = pl.concat([kept, fresh]).sort("site", "robot", "sequence")
    return stands, told.with_columns(event_time=pl.lit(at, pl.Int64)).select(TOLD_SCHEMA.keys())


def _over(over: pl.DataFrame, waiting: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    """Recommendations that are over, with the status and the reason."""
    details = waiting.select(*_TASK, "detail")
    now = tasks.select(*_TASK, "state", _holder="robot").join(details, on=_TASK, how="left")
    rows = over.join(now, on=_TASK, how="left", maintain_order="left")
    open_, held = pl.col("state").is_not_null(), pl.col("state").is_in(HELD)
    why = pl.coalesce("detail", pl.lit("its class of work is given up for now"))
    return rows.with_columns(
        status=pl.when(~open_).then(pl.lit(ENDED)).when(held).then(pl.lit(TAKEN)).otherwise(pl.lit(WITHDRAWN)),
        reason=pl.when(~open_)
        .then(pl.lit("the task is no longer open"))
        .when(held)
        .then(pl.format("robot {} has the task", pl.col("_holder").fill_null("that is not named")))
        .otherwise(pl.format("nobody should do it now: {}", why)),
    ).drop("state", "_holder", "detail")
