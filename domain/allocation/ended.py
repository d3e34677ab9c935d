"""Ended tasks, remembered for a bounded time: as dependencies, and so that none comes to life again.

A done task that an open one depends on is remembered as long as that one is open. Times are microseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import polars as pl

from domain.allocation.lifecycle import DONE
from domain.allocation.tables import DONE_SCHEMA
from domain.streaming.event_log import EventLog

Key = tuple[str, str]
"""Site and task."""

_SCHEMA: Final = {
    "site": pl.String,
    "task": pl.String,
    "state": pl.Int64,
    "at_us": pl.Int64,
    "passed": pl.Int64,
    "robot": pl.String,
}
NEVER: Final = 1 << 62


class End(NamedTuple):
    """How a task ended."""

    state: int
    at_us: int
    passed: int
    """Steps never told, as bits."""
    robot: str | None
    """The robot that had it last."""


class Ended:
    """Ended tasks, in order of their end."""

    def __init__(self, memory_us: int, limit: int) -> None:
        """`limit`: how many are remembered at most, besides those depended on."""
        self._memory = memory_us
        self._limit = limit
        self._ends: dict[Key, End] = {}
        self._wanted: Counter[Key] = Counter()
        self._kept: dict[Key, End] = {}
        self._log = EventLog("at_us")
        self._fresh: list[tuple[Any, ...]] = []
        self._passed_us = -NEVER

    def get(self, key: Key) -> End | None:
        """How a task ended, if it did and is remembered."""
        return self._ends.get(key) or (self._kept.get(key) if self._kept else None)

    def add(self, key: Key, end: End) -> None:
        """A task ended, later than those before."""
        self._ends[key] = end
        self._fresh.append((*key, *end))
        if len(self._ends) > self._limit:
            self._forget(next(iter(self._ends)))

    def want(self, keys: Iterable[Key]) -> None:
        """An open task depends on these."""
        self._wanted.update(keys)

    def spare(self, keys: Iterable[Key]) -> None:
        """It does so no longer."""
        for key in keys:
            self._wanted[key] -= 1
            if self._wanted[key] <= 0:
                del self._wanted[key]
                self._kept.pop(key, None)

    def wanted_done(self) -> pl.DataFrame:
        """Tasks that are done and that open ones depend on: DONE_SCHEMA, sorted."""
        done = sorted(key for key in self._wanted if (end := self.get(key)) and end.state == DONE)
        return pl.DataFrame(done, schema=DONE_SCHEMA, orient="row")

    @property
    def due_us(self) -> int:
        """When the next one is forgotten."""
        first = next(iter(self._ends.values()), None)
        return NEVER if first is None else first.at_us + self._memory

    def advance(self, until_us: int) -> None:
        """Time passes; it never goes back."""
        self._passed_us = until_us
        while self.due_us < until_us:
            self._forget(next(iter(self._ends)))

    def _forget(self, key: Key) -> None:
        end = self._ends.pop(key)
        if end.state == DONE and key in self._wanted:
            self._kept[key] = end

    def snapshot(self) -> dict[str, Any]:
        """State as primitives and parts; who depends on what is not in it."""
        if self._fresh:
            self._log.append(pl.DataFrame(self._fresh, schema=_SCHEMA, orient="row"))
            self._fresh = []
        self._log.forget(self._passed_us - self._memory)
        kept = [(*key, *end) for key, end in self._kept.items()]
        return {"log": self._log.snapshot(), "kept": kept, "passed_us": self._passed_us}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot; `want` comes after it."""
        self._passed_us = state["passed_us"]
        frames = self._log.restore(state["log"])
        rows = [row for frame in frames for row in frame.iter_rows() if row[3] + self._memory >= self._passed_us]
        last: dict[Key, End] = {}
        for site, task, *end in reversed(rows):  # a name may have been forgotten for want of room, and used again
            if len(last) < self._limit:
                last.setdefault((site, task), End(*end))
        self._ends = dict(reversed(last.items()))
        self._kept = {(site, task): End(*end) for site, task, *end in state["kept"]}
        self._wanted, self._fresh = Counter(), []
