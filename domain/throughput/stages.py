"""Learning from windows that come more than once: on time, while late rows may still follow, and final.

Windows come whole, and final ones in order. *On time* a window is estimated from what was learned from final
windows and, by a look ahead that is not kept, from the newest on-time windows before it. Only *final* windows are
learned from. A row is published again when any of its values differ from what was published last, be it by its
own late rows or by those of an earlier window. All is a function of the sequence of windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, Self, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from domain.streaming.frames import from_bytes, micros, to_bytes
from domain.streaming.revisions import Revisions
from domain.streaming.timeline import Stage
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING
from domain.throughput.counters import WINDOW_START
from schemas.outputs import Output

_STATE_VERSION: Final = 5


class Window(Protocol):
    """Rows of one window in the learner's own form; equal sets of rows are equal windows."""

    def equals(self, other: Self, /) -> bool:
        """Whether the rows are the same; both are of one start."""
        ...


W = TypeVar("W", bound=Window)
N = TypeVar("N")


class Learner(Protocol[W, N]):
    """What is known after some windows. Learning is pure: it gives a new learner and leaves the old one alone.

    What costs much whatever the number of rows is done for many windows at once: before learning in `windows`,
    after it in `estimate`.
    """

    def windows(self, rows: pl.DataFrame) -> dict[int, W]:
        """Windows of rows by their start, in that order; good for all learners that came of this one."""
        ...

    def rows(self, windows: Sequence[W]) -> pl.DataFrame:
        """Rows of windows, one or more, in order: the inverse of `windows`."""
        ...

    def learn(self, window: W) -> Self:
        """What is known after one more window, later than those before."""
        ...

    def note(self, window: W) -> N:
        """What `estimate` needs to know of the window last learned."""
        ...

    def estimate(self, notes: Sequence[N]) -> pl.DataFrame:
        """Rows to publish for windows, one or more, in their order, with `window_start` (Int64 us), without stage.

        Those of a window depend on its own note alone, to the last bit.
        """
        ...

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        ...

    def restored(self, state: dict[str, bytes]) -> Self:
        """Learner of the same parameters with a snapshot's state."""
        ...


L = TypeVar("L", bound=Learner[Any, Any])


class Stages(Generic[L]):
    """Drives a learner through on-time and final windows; gives rows of an output.

    `rows` everywhere hold `window_start` as Int64 microseconds. `output.key` without the stage's columns
    identifies a row within its window.
    """

    def __init__(self, learner: L, output: Output, window_us: int) -> None:
        self._learned = learner
        self._ahead: tuple[int, L] = (BEGINNING, learner)
        self._output = output
        self._window_us = window_us
        self._pending: dict[int, Any] = {}
        key = [name for name in output.key if name not in (WINDOW_START, "window_end", "revision")]
        self._revisions = Revisions((WINDOW_START, *key), window_us)

    @property
    def learned(self) -> L:
        """What was learned from final windows."""
        return self._learned

    def run(self, order: Iterable[tuple[Stage, int]], rows: Mapping[Stage, pl.DataFrame]) -> pl.DataFrame:
        """Rows to publish, in order, for windows at a stage (named by their start) as they come.

        `rows` are those of the windows by stage; no window comes twice at one stage of a run. Runs may be cut
        anywhere: what is published does not depend on it.

        A window comes on time when the watermark has passed it, and at an end of input every window that is not
        final does. Input may go on: a window that comes on time again takes the place of what came before.

        A window is final when its allowed lateness is over. It is learned, and its rows are published again,
        or for the first time. An on-time window that is passed over never becomes final and is not learned.
        """
        windows = {stage: self._learned.windows(frame) for stage, frame in rows.items()}
        notes: dict[Stage, dict[int, Any]] = {"on_time": {}, "final": {}}
        places: dict[Stage, list[int]] = {"on_time": [], "final": []}
        for place, (stage, start) in enumerate(order):
            learner = (self._on_time if stage == "on_time" else self._final)(start, windows[stage][start])
            notes[stage][start] = learner.note(windows[stage][start])
            places[stage].append(place)
        return self._published(notes, places)

    def on_time(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`run` of windows that come on time, in order by start."""
        return self.run([("on_time", start) for start in rows[WINDOW_START].unique().sort()], {"on_time": rows})

    def final(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`run` of windows that are all final, in order by start."""
        return self.run([("final", start) for start in rows[WINDOW_START].unique().sort()], {"final": rows})

    def _on_time(self, start: int, window: Window) -> L:
        known = self._look_ahead(start).learn(window)
        behind = next(reversed(self._pending), BEGINNING) > start
        self._pending[start] = window
        if behind:
            self._pending = dict(sorted(self._pending.items()))
        self._ahead = (start, known)
        return known

    def _look_ahead(self, start: int) -> L:
        """What is known before a window: what was learned, and on-time windows, from the last one looked at on."""
        since, learner = self._ahead if self._ahead[0] < start else (BEGINNING, self._learned)
        for pending, window in self._pending.items():
            if since < pending < start:
                learner = learner.learn(window)
        return learner

    def _final(self, start: int, window: Window) -> L:
        passed = [pending for pending in self._pending if pending <= start]
        before = [self._pending.pop(pending) for pending in passed]
        self._learned = self._learned.learn(window)
        if self._ahead[0] < start or passed != [start] or not before[0].equals(window):
            self._ahead = (BEGINNING, self._learned)
        return self._learned

    def _published(self, notes: Mapping[Stage, Mapping[int, Any]], places: Mapping[Stage, list[int]]) -> pl.DataFrame:
        frames: list[pl.DataFrame] = []
        order: list[npt.NDArray[np.int64]] = []
        # On time goes first: the finals of this run are held against what this run publishes on time, too.
        for stage in ("on_time", "final"):
            if not notes[stage]:
                continue
            starts = list(notes[stage])
            rows = self._learned.estimate(list(notes[stage].values()))
            if stage == "on_time":
                rows = self._revisions.so_far(rows)
            else:
                rows = self._revisions.final(rows, starts[-1] + self._window_us)
            frames.append(rows[list(self._output.schema)])
            order.append(np.asarray(places[stage])[np.searchsorted(starts, micros(rows[WINDOW_START]))])
        if not frames:
            return pl.DataFrame(schema=self._output.schema)
        told, place = frames[0] if len(frames) == 1 else pl.concat(frames), np.concatenate(order)
        return told if (place[1:] >= place[:-1]).all() else told[np.argsort(place, kind="stable")]

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        pending = list(self._pending.values())
        state = {
            "version": _STATE_VERSION,
            "learned": self._learned.snapshot(),
            "pending": to_bytes(self._learned.rows(pending)) if pending else None,
            "revisions": self._revisions.snapshot(),
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, f"the {self._output.name} estimator")
        self._learned = self._learned.restored(state["learned"])
        pending = state["pending"]
        self._pending = {} if pending is None else self._learned.windows(from_bytes(pending))
        self._revisions.restore(state["revisions"])
        self._ahead = (BEGINNING, self._learned)
