"""Rows of one window of all streams that meet, as the core takes them: times and work in whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.alignment.setpoint_tables import ACKNOWLEDGEMENT_SCHEMA
from domain.allocation.task_tables import STEP_SCHEMA
from domain.streaming.frames import frame_of
from domain.streaming.partition import IDENTITY, OFFSET, PARTITION, RAW, VALID
from domain.streaming.windows import TIME
from domain.throughput.presence import PRESENCE_SCHEMA
from flows.alignment.streams import DEMAND_PLACE, ROBOT, ROBOT_COLUMNS, ROBOT_STATE, TASK, Columns
from flows.carried import LATE, ORIGIN, SOURCE, sourced
from flows.stock.streams import CONTROL, SETPOINT
from schemas.outputs import DEMAND

_LARGEST: Final = 2**42  # four million units of work; as many tasks as a book may have open still fit into an Int64


_CARRIED: Final[Columns] = {
    IDENTITY: pl.UInt64,
    SOURCE: pl.String,
    PARTITION: pl.String,
    OFFSET: pl.Int64,
    RAW: pl.Binary,
    LATE: pl.Boolean,
    TIME: pl.Datetime("us", "UTC"),
}
TASK_SCHEMA: Final[Columns] = {**STEP_SCHEMA, **_CARRIED}
ROBOT_SCHEMA: Final[Columns] = {**ROBOT_COLUMNS, "time_us": pl.Int64, **_CARRIED}
ANSWER_SCHEMA: Final[Columns] = {**ACKNOWLEDGEMENT_SCHEMA, **_CARRIED}


@dataclass(frozen=True, slots=True)
class Window:
    """What a window brought.

    Robots in PRESENCE_SCHEMA; carried rows in TASK_SCHEMA and ANSWER_SCHEMA (answers to setpoints), at the time of
    their place in the stream, and in ROBOT_SCHEMA, at their own; and demand estimates, rows of the output. In one
    order, whichever partition came first.
    """

    start: int
    presence: pl.DataFrame
    tasks: pl.DataFrame
    robots: pl.DataFrame
    answers: pl.DataFrame
    demand: pl.DataFrame


def window(
    start: int, partials: Mapping[str, pl.DataFrame], stragglers: Sequence[pl.DataFrame], kinds: Mapping[str, str]
) -> Window:
    """A window of the partials by place, and of sourced rows that came after theirs; `kinds` by name of source."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for rows in stragglers:
        parts.setdefault(kinds[rows[SOURCE][0]], []).append(rows)
    for place, rows in partials.items():
        if place == DEMAND_PLACE:
            parts.setdefault(DEMAND.name, []).append(rows)
        elif (kind := kinds[place.partition("/")[0]]) == ROBOT_STATE:
            parts.setdefault(kind, []).append(rows)
        else:
            parts.setdefault(kind, []).append(sourced(place, rows))
    return Window(
        start,
        presence=_rows(parts.get(ROBOT_STATE), PRESENCE_SCHEMA, lambda rows: rows.sort(PRESENCE_SCHEMA.keys())),
        tasks=_rows(parts.get(TASK), TASK_SCHEMA, _tasks),
        robots=_rows(parts.get(ROBOT), ROBOT_SCHEMA, _robots),
        answers=_rows(parts.get(CONTROL), ANSWER_SCHEMA, _answers),
        demand=_rows(parts.get(DEMAND.name), DEMAND.schema, _as_it_is),
    )


def _rows(
    frames: list[pl.DataFrame] | None, schema: Columns, made: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    some = [frame for frame in frames or [] if frame.height]
    return made(pl.concat(some, how="diagonal")).select(schema.keys()) if some else frame_of((), schema)


def _as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(TIME, VALID, IDENTITY, *ORIGIN)


def _tasks(rows: pl.DataFrame) -> pl.DataFrame:
    rows = _ordered(rows)
    work = np.rint(np.minimum(rows["work_units"].to_numpy() * 1e6, _LARGEST)).astype(np.int64)
    return rows.with_columns(
        pl.col(TIME).to_physical().alias("at_us"),
        pl.Series("work_micro", work, pl.Int64),
        pl.col("due_at").to_physical().alias("due_us"),
    )


def _robots(rows: pl.DataFrame) -> pl.DataFrame:
    # What held long ago and is told late must not take the place of what holds now.
    return _ordered(rows).with_columns(pl.col(VALID).alias("time_us"))


def _answers(rows: pl.DataFrame) -> pl.DataFrame:
    mine = rows.filter(pl.col("about").eq_missing(SETPOINT))
    return _ordered(mine).with_columns(pl.col(TIME).to_physical().alias("time_us"))
