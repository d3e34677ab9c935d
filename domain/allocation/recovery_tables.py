"""Columns of what recovery is given and what comes of it. Times are Int64 microseconds since the Unix epoch."""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.allocation.tables import Schema

FAULT: Final = "fault"
OFFLINE: Final = "offline"
UNREACHABLE: Final = "unreachable"
DECOMMISSIONED: Final = "decommissioned"

CAUSES: Final = {
    FAULT: "it reports a fault",
    OFFLINE: "it reports that it is offline",
    UNREACHABLE: "nothing is heard of it, and telemetry of its zone flows",
    DECOMMISSIONED: "it was decommissioned",
}
"""Why a robot's tasks are taken from it."""

REALLOCATED: Final = "reallocated"
UNDONE: Final = "undone"
KEPT: Final = "kept"
SETTLED: Final = "settled"

STATUSES: Final = {
    REALLOCATED: "the task was taken from the robot, and another should do it",
    UNDONE: "the robot returned within its grace, nobody else had started, and it has the task again",
    KEPT: "the robot went on with the task after all",
    SETTLED: "another robot has the task, or it is queued again, or it ended",
}
"""First `reallocated`, then one of the others, or none as long as nothing is known."""

WITHDRAW: Final = "withdraw"
RESTORE: Final = "restore"
NONE: Final = "none"

ACTIONS: Final = {
    WITHDRAW: "cancel the order for the task at `at_robot`",
    RESTORE: "let `from_robot` have its order again, and cancel that at `at_robot` if there is one",
    NONE: "nothing is to be done",
}
"""What a fleet manager has to do."""

REALLOCATION_SCHEMA: Final[Schema] = {
    "id": pl.String,
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "from_robot": pl.String,
    "cause": pl.String,
    "failed_us": pl.Int64,
    "status": pl.String,
    "at_us": pl.Int64,
    "to_robot": pl.String,
    "started": pl.Boolean,
    "action": pl.String,
    "at_robot": pl.String,
    "load_x": pl.Float64,
    "load_y": pl.Float64,
    "compensation": pl.String,
    "reason": pl.String,
}
"""What became of a task of a robot that failed; (id, status) is unique, sorted by site, task, id, and status in order.

`id` is a digest of site, task, robot and `failed_us`: when the robot reported that it failed, or was last heard of, or
was found to be decommissioned. `at_us` is the review's time. `to_robot` is the robot that has the task now as far as is
known, null if none. `started`: the robot had begun, so that the task may be half done and its load on the robot, which
was last at `load_x`, `load_y` (m, null if not known, or not started). `action` (one of ACTIONS) and `at_robot` are what
`compensation` says in a sentence."""

OUT_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "robot": pl.String,
    "cause": pl.String,
    "failed_us": pl.Int64,
}
"""A robot that failed and has not been well for long enough since; sorted by site, robot."""
