"""A task that is not done: what the book knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.allocation.ended import Key
from domain.allocation.lifecycle import (
    ASSIGNED,
    BACKWARDS,
    FAILED,
    NEVER_TOLD,
    PASSED,
    STARTED,
    STEP,
    STEPS,
    TAKEN_OVER,
    VERDICTS,
)
from domain.allocation.task_tables import DETAILS, OPEN_SCHEMA

Step = tuple[int, int, int, int, str, str, str, str | None, int, int]
"""Time in us, step by code, identity, the row's number; site, zone, task, robot, work, priority."""
Details = tuple[list[str] | None, int | None, list[str] | None, float | None, float | None]
"""Values of DETAILS."""


@dataclass(slots=True)
class OpenTask:
    """A task, since it was first heard of."""

    site: str
    zone: str
    task: str
    robot: str | None
    state: int
    since_us: int
    """When it took its state, or was given to its robot."""
    heard_us: int
    created_us: int
    work_micro: int
    priority: int
    passed: int
    """Steps of this attempt never told, as bits."""
    depends_on: list[str] | None = None
    due_us: int | None = None
    requires: list[str] | None = None
    x: float | None = None
    y: float | None = None

    @classmethod
    def heard_of(cls, step: Step) -> OpenTask:
        """A task as of the first step heard of."""
        at, to, _, _, site, zone, task, robot, work, priority = step
        holder = robot if to >= ASSIGNED else None
        return cls(site, zone, task, holder, to, at, at, at, work, priority, NEVER_TOLD[to])

    @property
    def key(self) -> Key:
        """Site and task."""
        return self.site, self.task

    @property
    def dependencies(self) -> list[Key]:
        """Tasks it depends on."""
        return [(self.site, name) for name in self.depends_on] if self.depends_on else []

    def verdict(self, to: int, robot: str | None) -> int:
        """Of a step: AGAIN, STEP, UNLESS_TARDY or BACKWARDS."""
        verdict = VERDICTS[self.state][to]
        if verdict == TAKEN_OVER:
            return STEP if robot is not None and robot != self.robot else BACKWARDS
        return verdict

    def take(self, at: int, to: int, robot: str | None) -> None:
        """Enter a state, or the same again."""
        state = self.state
        if to != state:
            fresh = state == FAILED or to < state
            self.passed = (0 if fresh else self.passed) | PASSED[state][to]
            self.state, self.since_us = to, at
        if to >= ASSIGNED:
            if robot is not None and robot != self.robot:
                if state == ASSIGNED and to == STARTED and self.robot is not None:
                    self.passed |= 1 << ASSIGNED  # its own, which may yet be told
                self.robot, self.since_us = robot, at
        else:
            self.robot = None

    def is_tardy(self, at: int, to: int, grace_us: int) -> bool:
        """Whether a step fills a gap."""
        return bool(self.passed >> to & 1) and at - self.since_us <= grace_us

    def fill(self, details: Details) -> None:
        """Details that came with a step."""
        depends_on, due, requires, x, y = details
        if depends_on is not None:
            self.depends_on = depends_on
        if due is not None:
            self.due_us = due
        if requires is not None:
            self.requires = requires
        if x is not None:
            self.x = x
        if y is not None:
            self.y = y


_STATE_SCHEMA: Final = {**OPEN_SCHEMA, "state": pl.Int64, "heard_us": pl.Int64, "passed": pl.Int64}


def state_frame(tasks: Iterable[OpenTask]) -> pl.DataFrame:
    """All that is known of tasks, in their order."""
    tasks = list(tasks)
    return pl.DataFrame(
        {name: pl.Series(name, [getattr(t, name) for t in tasks], kind) for name, kind in _STATE_SCHEMA.items()}
    )


def of_state(frame: pl.DataFrame) -> Iterator[OpenTask]:
    """Tasks of a `state_frame`."""
    for row in frame.iter_rows(named=True):
        yield OpenTask(**row)


def open_frame(tasks: Iterable[OpenTask]) -> pl.DataFrame:
    """OPEN_SCHEMA of those that have not failed."""
    listed = sorted((task for task in tasks if task.state != FAILED), key=lambda task: task.key)
    columns = {name: [getattr(task, name) for task in listed] for name in OPEN_SCHEMA}
    columns["state"] = [STEPS[state] for state in columns["state"]]
    return pl.DataFrame({name: pl.Series(name, columns[name], kind) for name, kind in OPEN_SCHEMA.items()})


def details_of(rows: pl.DataFrame) -> dict[int, Details]:
    """Details by number of row, of those rows that have any."""
    columns = [rows[name] for name in DETAILS]
    if all(column.null_count() == rows.height for column in columns):
        return {}
    has_any = np.logical_or.reduce([column.is_not_null().to_numpy() for column in columns])
    numbers = np.flatnonzero(has_any)
    return dict(zip(numbers.tolist(), rows.select(DETAILS)[numbers].iter_rows(), strict=True))
