"""What Takt does with each kind of event: which columns it needs, how windows are made, what they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from domain.health import sensor_windows
from domain.streaming.partition import row_schema
from domain.streaming.whole_rows import WholeRows
from domain.streaming.windows import Aggregation
from domain.throughput import counters, presence, robot_windows, task_windows
from flows.alignment.streams import ROBOT_COLUMNS, ROBOT_STATE, TASK_COLUMNS, TASK_NEWER, Columns
from flows.estimators import Estimator, RobotEstimator, TaskEstimator
from flows.settings import Settings
from flows.stock.streams import CONTROL, SALES, STREAMS
from schemas.contract import Contract
from schemas.errors import ContractError, SettingsError
from schemas.outputs import ROBOT_WINDOW, SENSOR_WINDOW, Output
from schemas.registry import contracts

STOCK: Final = "stock"
"""The step in which demand and stock meet."""
ALIGNMENT: Final = "alignment"
"""The step in which capacity and demand meet."""
_BUCKET_S: Final = {"hour": 3_600, "day": 86_400, "week": 604_800}


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
    columns: Columns
    aggregation: Callable[[int], Aggregation]
    """Makes the aggregation for a window length in microseconds."""
    published: Published | None
    """How a partition's results are published as they are; None where only estimates are."""
    estimator: Callable[[int, str], Estimator] | None
    """Makes the estimator that learns from windows of all partitions, for a window length and a contract; None for a
    kind that has none of its own."""
    meets: frozenset[str] = frozenset()
    """Steps in which its sources are merged with those of other kinds in event time: STOCK, ALIGNMENT or both."""
    carries: bool = False
    """Whether rows carry what a later refusal needs, see `domain.streaming.partition`."""
    books: bool = False
    """Whether late rows are booked when they come, see there, too."""
    newer: frozenset[str] = frozenset()
    """Columns that earlier versions of the contract lack; they are null then."""

    @property
    def estimated(self) -> bool:
        """Whether anybody learns from its windows."""
        return bool(self.meets) or self.estimator is not None


def _as_it_is(results: pl.DataFrame) -> pl.DataFrame:
    return results


def _whole(name: str, columns: Columns, meets: set[str], *, books: bool, newer: frozenset[str] = frozenset()) -> Kind:
    """A kind whose rows are all seen one by one."""
    schema = row_schema(columns, carries=True)
    return Kind(
        name=name,
        columns=columns,
        aggregation=lambda window_us: WholeRows(schema, window_us),
        published=None,
        estimator=None,
        meets=frozenset(meets),
        carries=True,
        books=books,
        newer=newer,
    )


_ROBOT_STATE: Final = Kind(
    name="robot.state",
    columns=robot_windows.COLUMNS,
    aggregation=robot_windows.RobotWindows,
    published=Published(ROBOT_WINDOW, counters.KEY, counters.finish),
    estimator=RobotEstimator,
)
_TASK: Final = Kind(
    name="task",
    columns=task_windows.COLUMNS,
    aggregation=task_windows.TaskWindows,
    published=None,
    estimator=TaskEstimator,
)
_SENSOR_READING: Final = Kind(
    name="sensor.reading",
    columns=sensor_windows.COLUMNS,
    aggregation=sensor_windows.SensorWindows,
    published=Published(SENSOR_WINDOW, sensor_windows.KEY, _as_it_is),
    estimator=None,
)

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        _ROBOT_STATE,
        _TASK,
        _SENSOR_READING,
        # A sale that comes too late is told of, but adding it to another day's demand would make both wrong.
        *(_whole(name, columns, {STOCK}, books=name not in SALES) for name, columns in STREAMS.items()),
    )
}

ALIGNED_KINDS: Final[dict[str, Kind]] = KINDS | {
    "robot.state": replace(
        _ROBOT_STATE,
        columns=presence.COLUMNS,
        aggregation=presence.PresenceWindows,
        meets=frozenset({ALIGNMENT}),
    ),
    "task": replace(
        # What is left to do is a ledger, too: a task whose end was missed would be waited for.
        _whole("task", TASK_COLUMNS, {ALIGNMENT}, books=True, newer=TASK_NEWER),
        estimator=lambda window_us, contract: TaskEstimator(window_us, contract, whole=True),
    ),
    "robot": _whole("robot", ROBOT_COLUMNS, {ALIGNMENT}, books=True),
    CONTROL: replace(KINDS[CONTROL], meets=frozenset({STOCK, ALIGNMENT})),
}
"""Kinds where capacity is aligned with demand."""


def kinds(*, aligned: bool) -> dict[str, Kind]:
    """Kinds by the name of their contract; `aligned`: whether the settings have a section `alignment`."""
    return ALIGNED_KINDS if aligned else KINDS


def kind_of(contract: str, source: str, *, aligned: bool) -> Kind:
    """The kind of a contract, by its name; SettingsError where no flow knows it."""
    name = contract.partition("@")[0]
    if name in kinds(aligned=aligned):
        return kinds(aligned=aligned)[name]
    if name in ALIGNED_KINDS:
        raise SettingsError(
            f"sources.{source}.contract: only the alignment flow works on {name!r}", fix="add a section [alignment]"
        )
    raise SettingsError(
        f"sources.{source}.contract: no flow works on {name!r}", fix=f"use one of: {', '.join(sorted(ALIGNED_KINDS))}"
    )


def contract_of(settings: Settings, source: str) -> Contract:
    """The contract of a source; SettingsError where there is none of this name and version."""
    chosen, known = settings.sources[source].contract, contracts(settings.contracts)
    if chosen not in known:
        raise SettingsError(
            f"sources.{source}.contract: there is no contract {chosen!r}", fix=f"use one of: {', '.join(sorted(known))}"
        )
    return known[chosen]


def demand_fields(contract: Contract) -> None:
    """Raise ContractError unless the fields that the flow of this event works on are there, with their types."""
    kind = ALIGNED_KINDS.get(contract.name)
    present = {field.name: field.dtype for field in contract.fields}
    wrong = [
        f"{name} ({'missing' if name not in present else f'{present[name]}, not {dtype}'})"
        for name, dtype in (kind.columns if kind else {}).items()
        if present.get(name) != dtype and not (kind and name in kind.newer and name not in present)
    ]
    if wrong:
        raise ContractError(
            f"{contract.key}: the flow that works on {contract.name} needs fields {', '.join(wrong)}",
            fix=f"keep them as in the first version: `takt contracts show {contract.name}@1`",
        )


def demand_streams(settings: Settings) -> None:
    """Raise SettingsError where capacity should be aligned with demand and nothing tells of what that needs."""
    told = {source.contract.partition("@")[0] for source in settings.sources.values()}
    if settings.alignment is not None and ROBOT_STATE not in told:
        raise SettingsError(
            f"[alignment] is set, but no source has the contract {ROBOT_STATE}",
            fix=f"add a source of {ROBOT_STATE}, or remove the section",
        )
    if settings.alignment is not None and settings.alignment.work and not told.intersection(SALES):
        raise SettingsError(
            f"alignment.work turns demand into work, but no source has a contract of demand: {', '.join(SALES)}",
            fix="add a source of one of them, or remove the rules",
        )
    if settings.alignment is not None and settings.alignment.work:
        ahead_s = settings.stock.horizon * _BUCKET_S[settings.stock.bucket]
        if settings.alignment.demand_lag_s >= ahead_s:
            raise SettingsError(
                f"alignment.demand_lag_s is {settings.alignment.demand_lag_s:g} s, and a forecast reaches {ahead_s} s "
                "ahead (stock.horizon buckets): by the time it counts it would be over",
                fix="make alignment.demand_lag_s shorter or stock.horizon longer",
            )
