"""The streams that meet where capacity is aligned with demand: which columns each brings."""

from __future__ import annotations

from typing import Final, TypeAlias

import polars as pl

Columns: TypeAlias = dict[str, pl.DataType | type[pl.DataType]]

ROBOT_STATE: Final = "robot.state"
TASK: Final = "task"
ROBOT: Final = "robot"

_TIME: Final[pl.DataType] = pl.Datetime("us", "UTC")

TASK_COLUMNS: Final[Columns] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "robot": pl.String,
    "event_time": _TIME,
    "transition": pl.String,
    "work_units": pl.Float64,
    "priority": pl.Int64,
    "depends_on": pl.List(pl.String),
    "due_at": _TIME,
    "requires": pl.List(pl.String),
    "x": pl.Float64,
    "y": pl.Float64,
}
TASK_NEWER: Final = frozenset({"due_at", "requires", "x", "y"})
"""Columns of task that came with its second version."""

ROBOT_COLUMNS: Final[Columns] = {
    "event_id": pl.String,
    "site": pl.String,
    "robot": pl.String,
    "event_time": _TIME,
    "status": pl.String,
    "capabilities": pl.List(pl.String),
    "speed": pl.Float64,
}

DEMAND_PLACE: Final = "all:stock/demand"
"""Where demand estimates of the step of stock come from, as a timeline names places."""
