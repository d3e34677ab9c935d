"""What the desk comes to, as rows of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from domain.streaming.frames import frame_of
from flows.estimators import Rows
from flows.stock.tables import table
from schemas.ids import event_id
from schemas.outputs import ASSIGNMENT, REALLOCATION, SETPOINT, SHEDDING, Output

ASSIGNMENT_TYPE: Final = "allocation.assignment.v1"
"""Names the kind of id."""

_SPANS: Final = {"clear_us": "time_to_clear_s", "service_us": "service_level_s"}
_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    SETPOINT.name: {
        "time_us": "event_time",
        "decided_us": "decided_at",
        "effective_us": "effective_at",
        "expires_us": "expires_at",
    },
    SHEDDING.name: {"time_us": "event_time", "class": "priority", **_SPANS},
    ASSIGNMENT.name: {"decided_us": "decided_at", "expected_us": "expected_at"},
    REALLOCATION.name: {"id": "reallocation", "at_us": "event_time", "failed_us": "failed_at"},
}


def told(output: Output, frame: pl.DataFrame) -> Rows:
    """Rows of an output of a frame of the core, which may be empty."""
    if frame.height == 0:
        return output.name, frame_of((), output.schema)
    return output.name, table(output, _MADE.get(output.name, _as_it_is)(frame), _RENAMED.get(output.name, {}))


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _setpoints(frame: pl.DataFrame) -> pl.DataFrame:
    named = pl.format("{}({})", "controller", "parameters")
    return frame.with_columns(
        pl.when(pl.col("parameters") == "").then("controller").otherwise(named).alias("controller")
    )


def _shed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(name) / 1e6 for name in _SPANS)


def _assignments(frame: pl.DataFrame) -> pl.DataFrame:
    about = frame.select("site", "task", "robot", "decided_us").iter_rows()
    return frame.with_columns(pl.Series("assignment", [event_id(ASSIGNMENT_TYPE, row) for row in about]))


_MADE: Final = {SETPOINT.name: _setpoints, SHEDDING.name: _shed, ASSIGNMENT.name: _assignments}
