"""Columns of what goes into the task book and what comes out. Times are Int64 microseconds since the Unix epoch."""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.allocation.tables import TASK_SCHEMA, Schema

STEP_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "robot": pl.String,
    "at_us": pl.Int64,
    "transition": pl.String,
    "work_micro": pl.Int64,
    "priority": pl.Int64,
    "depends_on": pl.List(pl.String),
    "due_us": pl.Int64,
    "requires": pl.List(pl.String),
    "x": pl.Float64,
    "y": pl.Float64,
    "_identity": pl.UInt64,
}
"""A step in a task's life. Nullable: robot, depends_on, due_us, requires, x, y; a null leaves what is known as it is.
Other columns are kept with a step and come back with it if it is refused."""

DETAILS: Final = ("depends_on", "due_us", "requires", "x", "y")
"""Columns that most rows leave null."""

ZONE: Final = ("site", "zone")
COUNTS: Final = ("created", "moved", "done", "cancelled", "dropped", "found")

FLOW_SCHEMA: Final[Schema] = {
    **dict.fromkeys(ZONE, pl.String),
    **{column: pl.Int64 for name in COUNTS for column in (name, f"{name}_micro")},
}
"""Tasks and their work that came to a zone and left it; sorted. created: heard of for the first time, at whatever step;
moved: came from other zones, less went to others, and what work was told to be more or less than before; dropped: given
up; found: of those created, what was beyond `queued` when it was first heard of. created + moved - done - cancelled -
dropped is by how much the backlog grew, in tasks and in work."""

BACKLOG_SCHEMA: Final[Schema] = {**dict.fromkeys(ZONE, pl.String), "tasks": pl.Int64, "work_micro": pl.Int64}
"""Tasks that are neither done nor cancelled, failed ones among them, and their work; sorted."""

OPEN_SCHEMA: Final[Schema] = {**TASK_SCHEMA, "since_us": pl.Int64}
"""Sorted by site, task. `since_us`: when it took its state, or was given to its robot."""

DROPPED_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "state": pl.String,
    "robot": pl.String,
    "work_micro": pl.Int64,
    "heard_us": pl.Int64,
    "dropped_us": pl.Int64,
    "reason": pl.String,
}
"""An open task that was given up, when it was last heard of, and why: one of DROPPED."""

DROPPED: Final = {
    "silent": "nothing was heard of it for too long",
    "crowded": "there were too many open tasks, and nothing was heard of it for the longest time",
}

OUTCOME_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "task": pl.String,
    "state": pl.String,
    "robot": pl.String,
    "at_us": pl.Int64,
}
"""What became of a task that is not open: done, cancelled or failed; which robot had it last, null of a failed one."""
