"""Estimators as the estimate step drives them: merged windows in, rows of outputs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import polars as pl

from domain.streaming.partition import VALID
from domain.streaming.timeline import Release, Stage
from domain.streaming.windows import TIME, WINDOW_START
from domain.throughput.estimates import ThroughputEstimator
from domain.throughput.levels import levels
from domain.throughput.rate import RateModel
from domain.throughput.service_time import ServiceModel, ServiceTimeEstimator
from domain.throughput.stages import Stages
from domain.throughput.task_windows import reduced
from flows.signals import split_signal
from schemas.outputs import SERVICE_TIME, SIGNAL, THROUGHPUT, Output

Rows = tuple[str, pl.DataFrame]
"""Rows for the sinks: output name and frame."""


class Estimator(Protocol):
    """Learns from merged windows of all partitions."""

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """Rows that follow from windows as a timeline releases them, none twice at one stage.

        They do not depend on how releases are cut into calls, but for those of an end of input: they are one call.
        """
        ...

    def on_straggler(self, place: str, rows: pl.DataFrame) -> bool:
        """Take rows of a partition (a place of the timeline) whose window was released before; False: they are lost."""
        ...

    def snapshot(self) -> object:
        """State as primitives, bytes and parts."""
        ...

    def restore(self, state: Any) -> None:
        """Take up a snapshot."""
        ...


class StagedEstimator:
    """Estimates of windows on time and final."""

    def __init__(
        self, output: Output, stages: Stages[Any], rows: Callable[[Sequence[pl.DataFrame]], pl.DataFrame]
    ) -> None:
        """`rows` makes what `stages` learns from of all partitions' partials of some windows."""
        self._output = output
        self._stages = stages
        self._rows = rows

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """Estimates that follow from windows as they are released, in that order, in one frame."""
        partials: dict[Stage, list[pl.DataFrame]] = {}
        for release in releases:
            partials.setdefault(release.stage, []).extend(release.partials.values())
        rows = {stage: self._rows(parts) for stage, parts in partials.items()}
        # Of a window that has rows of a partition, none may be such that anything is learned of them.
        there = {stage: set(frame[WINDOW_START].unique()) for stage, frame in rows.items()}
        due = [(one.stage, one.window_start) for one in releases if one.window_start in there[one.stage]]
        estimates = self._stages.run(due, rows)
        return [(self._output.name, estimates)] if estimates.height else []

    def on_straggler(self, place: str, rows: pl.DataFrame) -> bool:
        """An estimate that was given stands."""
        del place, rows
        return False

    def snapshot(self) -> bytes:
        """State as bytes."""
        return self._stages.snapshot()

    def restore(self, data: bytes) -> None:
        """Take up a snapshot."""
        self._stages.restore(data)


class RobotEstimator(StagedEstimator):
    """Throughput of robots, zones and sites from windows of robot.state."""

    def __init__(self, window_us: int, contract: str) -> None:
        stages = ThroughputEstimator(RateModel(), window_us, contract)
        super().__init__(THROUGHPUT, stages, lambda partials: levels(pl.concat(partials)))

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """As of all estimators; also signals that a robot reports to several partitions, which none of them can see."""
        split = ((release.window_start, _split(release)) for release in releases if release.stage == "final")
        signals = [(SIGNAL.name, split_signal(start, robots)) for start, robots in split if robots.height]
        return [*super().on_releases(releases), *signals]


def _split(release: Release) -> pl.DataFrame:
    """Site and robot of all that more than one partition told of in a window."""
    parts = [part[["site", "robot"]] for part in release.partials.values()]
    if len(parts) == 1:
        return parts[0].clear()
    together = pl.concat([part.unique() for part in parts])
    return together.filter(together.is_duplicated()).unique()


def in_time(rows: pl.DataFrame) -> pl.DataFrame:
    """Carried rows without those that were booked late."""
    return rows.filter(pl.col(VALID) == pl.col(TIME).to_physical())


class TaskEstimator(StagedEstimator):
    """Service times of zones from windows of task."""

    def __init__(self, window_us: int, contract: str, *, whole: bool = False) -> None:
        """`whole`: windows hold task rows as they came, those booked late too, not the rows of `TaskWindows`."""

        def rows(partials: Sequence[pl.DataFrame]) -> pl.DataFrame:
            together = pl.concat(partials)
            return reduced(in_time(together), window_us) if whole else together

        super().__init__(SERVICE_TIME, ServiceTimeEstimator(ServiceModel(), window_us, contract), rows)
