"""What Takt does with each kind of event: which columns it needs, how windows are made, what they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from domain.health import sensor_windows
from domain.streaming.partition import row_schema
from domain.streaming.whole_rows import WholeRows
from domain.streaming.windows import Aggregation
from domain.throughput import counters, robot_windows, task_windows
from flows.estimators import Estimator, RobotEstimator, TaskEstimator
from flows.stock.streams import SALES, STREAMS
from schemas.contract import Contract
from schemas.errors import ContractError, SettingsError
from schemas.outputs import ROBOT_WINDOW, SENSOR_WINDOW, Output


@dataclass(frozen=True, slots=True)
class Published:
    """How results of a partition become rows of an output.

    `finish` makes the columns of `output` but for contract, window_end, revision and final; `key` identifies a row.
    """

    output: Output
    key: tuple[str, ...]
    finish: Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one event type is worked off."""

    name: str
    columns: dict[str, pl.DataType | type[pl.DataType]]
    aggregation: Callable[[int], Aggregation]
    """Makes the aggregation for a window length in microseconds."""
    published: Published | None
    """How a partition's results are published as they are; None where only estimates are."""
    estimator: Callable[[int, str], Estimator] | None
    """Makes the estimator that learns from windows of all partitions, for a window length and a contract; None for a
    kind that has none or is merged with other kinds."""
    merged: bool = False
    """Whether sources of this kind are merged with those of all such kinds: demand and stock meet in event time."""
    books: bool = False
    """Whether late rows are booked when they come, see `domain.streaming.partition`."""

    @property
    def estimated(self) -> bool:
        """Whether anybody learns from its windows."""
        return self.merged or self.estimator is not None


def _as_it_is(results: pl.DataFrame) -> pl.DataFrame:
    return results


def _merged(name: str, columns: dict[str, pl.DataType | type[pl.DataType]], *, books: bool) -> Kind:
    schema = row_schema(columns, carries=True)
    return Kind(
        name=name,
        columns=columns,
        aggregation=lambda window_us: WholeRows(schema, window_us),
        published=None,
        estimator=None,
        merged=True,
        books=books,
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="robot.state",
            columns=robot_windows.COLUMNS,
            aggregation=robot_windows.RobotWindows,
            published=Published(ROBOT_WINDOW, counters.KEY, counters.finish),
            estimator=RobotEstimator,
        ),
        Kind(
            name="task",
            columns=task_windows.COLUMNS,
            aggregation=task_windows.TaskWindows,
            published=None,
            estimator=TaskEstimator,
        ),
        Kind(
            name="sensor.reading",
            columns=sensor_windows.COLUMNS,
            aggregation=sensor_windows.SensorWindows,
            published=Published(SENSOR_WINDOW, sensor_windows.KEY, _as_it_is),
            estimator=None,
        ),
        # A sale that comes too late is told of, but adding it to another day's demand would make both wrong.
        *(_merged(name, columns, books=name not in SALES) for name, columns in STREAMS.items()),
    )
}


def kind_of(contract: str, source: str) -> Kind:
    """The kind of a contract, by its name; SettingsError where no flow knows it."""
    name = contract.partition("@")[0]
    if name not in KINDS:
        raise SettingsError(
            f"sources.{source}.contract: no flow works on {name!r}", fix=f"use one of: {', '.join(sorted(KINDS))}"
        )
    return KINDS[name]


def demand_fields(contract: Contract) -> None:
    """Raise ContractError unless the fields that the flow of this event works on are there, with their types."""
    kind = KINDS.get(contract.name)
    present = {field.name: field.dtype for field in contract.fields}
    wrong = [
        f"{name} ({'missing' if name not in present else f'{present[name]}, not {dtype}'})"
        for name, dtype in (kind.columns if kind else {}).items()
        if present.get(name) != dtype
    ]
    if wrong:
        raise ContractError(
            f"{contract.key}: the flow that works on {contract.name} needs fields {', '.join(wrong)}",
            fix=f"keep them as in the first version: `takt contracts show {contract.name}@1`",
        )
