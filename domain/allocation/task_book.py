"""The task book: which tasks are open, who has them, and how much work came to each zone and left it.

Rules, beside those of `lifecycle`:

- Steps come in windows that are final, in order of time; within a call their order does not matter, and the same row
  twice is one. What the book says is a function of the rows alone, not of how they are cut into calls.
- A step that leads backwards is held for `hold_us`: if another step makes it possible, it is taken then, else refused.
  Nothing follows on an end: such a step is refused at once.
- The last word counts for zone, work, priority and details. A task's work counts once, where the task is.
- Memory is bounded. Ended tasks are forgotten after `memory_us`, open ones that nothing is heard of for `silent_us` are
  dropped from the backlog and told; of either there are `limit` at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from domain.allocation.ended import NEVER, End, Ended, Key
from domain.allocation.held import Held, HeldStep
from domain.allocation.lifecycle import (
    AFTER_CANCELLED,
    AFTER_DONE,
    AGAIN,
    BACKWARDS,
    CREATED,
    DONE,
    IS_BACKWARDS,
    QUEUED,
    STEPS,
    UNLESS_TARDY,
)
from domain.allocation.open_task import Details, OpenTask, Step, details_of, of_state, open_frame, state_frame
from domain.allocation.tallies import Tallies
from domain.allocation.task_tables import (
    BACKLOG_SCHEMA,
    DROPPED_SCHEMA,
    OUTCOME_SCHEMA,
    STEP_SCHEMA,
    ZONE,
)
from domain.streaming.frames import frame_of, from_bytes, to_bytes
from domain.streaming.versions import demand_version

_DAY_US: Final = 86_400_000_000
_STATE_VERSION: Final = 1
_CODES: Final = {name: code for code, name in enumerate(STEPS)}
_NEEDED: Final = ("transition", "at_us", "_identity", "site", "zone", "task", "robot", "work_micro", "priority")
_NOTHING_DROPPED: Final = pl.DataFrame(schema=DROPPED_SCHEMA)


@dataclass(frozen=True, slots=True)
class BookConfig:
    """How long steps are held, ended tasks remembered, silent ones kept; how many of either."""

    hold_us: int = 600_000_000
    memory_us: int = _DAY_US
    silent_us: int = 7 * _DAY_US
    limit: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Booked:
    """What a call came to."""

    flows: pl.DataFrame
    """FLOW_SCHEMA."""
    refused: pl.DataFrame
    """Rows as they came, with a `code`, one of REFUSALS; in order of the time when their fate was known."""
    dropped: pl.DataFrame
    """DROPPED_SCHEMA, in order of time."""


class TaskBook:
    """Tasks of all sites."""

    def __init__(self, config: BookConfig | None = None) -> None:
        self._config = config or BookConfig()
        self._open: dict[Key, OpenTask] = {}  # in order of when they were last heard of
        self._ended = Ended(self._config.memory_us, self._config.limit)
        self._held = Held(self._config.hold_us)
        self._due = -NEVER
        self._take_up(pl.DataFrame(schema=STEP_SCHEMA))

    def _take_up(self, rows: pl.DataFrame) -> None:
        self._rows = rows
        self._details = details_of(rows)
        self._tallies = Tallies()
        self._refused: list[tuple[Any, ...]] = []
        self._dropped: list[tuple[Any, ...]] = []

    def advance(self, rows: pl.DataFrame, until_us: int) -> Booked:
        """Take in steps (STEP_SCHEMA and what else there is) of times before `until_us`, and no earlier than before."""
        self._take_up(rows)
        before = None
        for step in _steps(rows):
            at, same = step[0], step[:3]
            if at > self._due:
                self._pass(at)
            if same != before:
                self._take(step)
            before = same
        self._pass(until_us)
        booked = Booked(self._tallies.flows(), self._refusals(), self._given_up())
        self._take_up(rows.clear())
        return booked

    def _refusals(self) -> pl.DataFrame:
        schema = pl.Schema([*self._rows.schema.items(), ("code", pl.String())])
        if not self._refused:
            return self._rows.clear().with_columns(pl.lit(None, pl.String).alias("code"))
        return pl.DataFrame(self._refused, schema=schema, orient="row")

    def _given_up(self) -> pl.DataFrame:
        return pl.DataFrame(self._dropped, schema=DROPPED_SCHEMA, orient="row") if self._dropped else _NOTHING_DROPPED

    def _take(self, step: Step) -> None:
        at, to, _, number, site, _, name, robot, _, _ = step
        key = site, name
        task = self._open.pop(key, None)
        details = self._details.get(number) if self._details else None
        if task is None:
            self._first(key, step, details)
            return
        task.heard_us = at
        verdict = task.verdict(to, robot)
        if verdict >= UNLESS_TARDY and task.is_tardy(at, to, self._config.hold_us):
            self._fill_gap(task, step, details)
        elif verdict == BACKWARDS:
            self._hold(step, details)
        else:
            self._go_on(task, step, details)
            if key in self._held.keys and verdict != AGAIN:
                self._look_again(task)
        if task.state < DONE:
            self._open[key] = task
        else:
            self._end(key, task)

    def _first(self, key: Key, step: Step, details: Details | None) -> None:
        """A step of a task that is not open."""
        end = self._ended.get(key)
        if end is not None:
            self._after_end(end, step)
            return
        task = OpenTask.heard_of(step)
        if details is not None:
            self._fill(task, details)
        self._tallies.add("created", task.site, task.zone, task.work_micro)
        if task.state not in (CREATED, QUEUED):
            self._tallies.add("found", task.site, task.zone, task.work_micro)
        if task.state >= DONE:
            self._end(key, task)
            return
        self._open[key] = task
        if len(self._open) > self._config.limit:
            self._drop(next(iter(self._open.values())), step[0])

    def _after_end(self, end: End, step: Step) -> None:
        at, to, _, number, *_ = step
        tardy = end.passed >> to & 1 and at - end.at_us <= self._config.hold_us
        if not tardy and to != end.state:
            code = AFTER_DONE if end.state == DONE else AFTER_CANCELLED
            self._refused.append((*self._rows.row(number), code))

    def _go_on(self, task: OpenTask, step: Step, details: Details | None) -> None:
        at, to, _, _, _, zone, _, robot, work, priority = step
        if zone != task.zone or work != task.work_micro:
            self._tallies.move(task.site, (task.zone, task.work_micro), (zone, work))
            task.zone, task.work_micro = zone, work
        task.priority = priority
        task.take(at, to, robot)
        if details is not None:
            self._fill(task, details)

    def _fill_gap(self, task: OpenTask, step: Step, details: Details | None) -> None:
        task.passed &= ~(1 << step[1])
        if details is not None:
            self._fill(task, details)

    def _fill(self, task: OpenTask, details: Details) -> None:
        self._ended.spare(task.dependencies)
        task.fill(details)
        self._ended.want(task.dependencies)

    def _hold(self, step: Step, details: Details | None) -> None:
        self._held.add(HeldStep(step, details, self._rows.row(step[3])))

    def _look_again(self, task: OpenTask) -> None:
        """After a step, others that were held may be possible, one after the other."""
        for held in self._held.of(task.key):
            if task.state >= DONE:
                return
            at, to, *_, robot, _, _ = held.step
            verdict = task.verdict(to, robot)
            if verdict == BACKWARDS:
                continue
            self._held.release(held)
            if verdict == AGAIN:
                self._fill_gap(task, held.step, held.details)
                continue
            self._go_on(task, (max(at, task.since_us), *held.step[1:]), held.details)
            self._look_again(task)
            return

    def _end(self, key: Key, task: OpenTask) -> None:
        self._ended.spare(task.dependencies)
        self._ended.add(key, End(task.state, task.since_us, task.passed, task.robot))
        self._tallies.add("done" if task.state == DONE else "cancelled", task.site, task.zone, task.work_micro)

    def _pass(self, until_us: int) -> None:
        """Time passes: up to it, holds end, ended tasks are forgotten, silent ones dropped."""
        self._refused += [(*held.row, IS_BACKWARDS) for held in self._held.expired(until_us)]
        self._ended.advance(until_us)
        silent = self._config.silent_us
        while self._open and (first := next(iter(self._open.values()))).heard_us + silent < until_us:
            self._drop(first, first.heard_us + silent)
        soonest = until_us + min(silent, self._config.memory_us, self._config.hold_us)  # of what comes from now on
        spoken = next((task.heard_us for task in self._open.values()), until_us) + silent
        self._due = min(soonest, spoken, self._ended.due_us, self._held.due_us)

    def _drop(self, task: OpenTask, at_us: int) -> None:
        del self._open[task.key]
        self._ended.spare(task.dependencies)
        self._tallies.add("dropped", task.site, task.zone, task.work_micro)
        reason = "silent" if task.heard_us + self._config.silent_us <= at_us else "crowded"
        what = (task.site, task.zone, task.task, STEPS[task.state], task.robot, task.work_micro)
        self._dropped.append((*what, task.heard_us, at_us, reason))

    def open(self) -> pl.DataFrame:
        """Open tasks (OPEN_SCHEMA), without those that failed and were not queued again."""
        return open_frame(self._open.values())

    def done(self) -> pl.DataFrame:
        """Tasks that are done and that open ones depend on: DONE_SCHEMA."""
        return self._ended.wanted_done()

    def outcomes(self, tasks: pl.DataFrame) -> pl.DataFrame:
        """OUTCOME_SCHEMA of tasks (site, task) that failed, or that ended and are remembered; in their order."""
        found = []
        for key in tasks.select("site", "task").iter_rows():
            end, task = self._ended.get(key), self._open.get(key)
            if end is not None:
                found.append((*key, STEPS[end.state], end.robot, end.at_us))
            elif task is not None and STEPS[task.state] == "failed":
                found.append((*key, "failed", None, task.since_us))
        return frame_of(found, OUTCOME_SCHEMA)

    def backlog(self) -> pl.DataFrame:
        """Tasks and work by zone: BACKLOG_SCHEMA."""
        counts = Tallies()
        for task in self._open.values():
            counts.add("created", task.site, task.zone, task.work_micro)
        counted = counts.flows().select(*ZONE, tasks="created", work_micro="created_micro")
        return counted.match_to_schema(BACKLOG_SCHEMA)

    def snapshot(self) -> dict[str, Any]:
        """State as primitives, Arrow bytes and parts."""
        held = pl.DataFrame([held.row for held in self._held], schema=self._rows.schema, orient="row")
        return {
            "version": _STATE_VERSION,
            "open": to_bytes(state_frame(self._open.values())),
            "ended": self._ended.snapshot(),
            "held": to_bytes(held),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot; one of another version is refused."""
        demand_version(state["version"], _STATE_VERSION, "the task book")
        self._open = {task.key: task for task in of_state(from_bytes(state["open"]))}
        self._ended.restore(state["ended"])
        for task in self._open.values():
            self._ended.want(task.dependencies)
        held = from_bytes(state["held"])
        self._due, self._held = -NEVER, Held(self._config.hold_us)
        self._take_up(held)
        for step in _steps(held):
            self._hold(step, self._details.get(step[3]))
        self._take_up(held.clear())


def _steps(rows: pl.DataFrame) -> list[Step]:
    """Steps by time, code and identity."""
    columns = {name: rows[name].to_list() for name in _NEEDED}
    codes = [_CODES[name] for name in columns.pop("transition")]
    at, identity, *others = columns.values()
    return sorted(zip(at, codes, identity, range(rows.height), *others, strict=True))
