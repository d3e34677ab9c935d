"""Partials of many partitions, merged in event-time order.

Each partition says how far it has come (`Closed.on_time_until`, `final_until`) and gives its partial results.
`Timeline` releases a window on time when every partition has passed its end, and as final when every partition
has passed its end plus allowed lateness; releases are ordered by exactly that time, finals first. So what
comes out, and in which order, does not depend on how the partitions' batches interleave.

At an end of input every window that is not final is given once more as far as it is known (`Timeline.end`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import WINDOW_START, Closed
from schemas.errors import RecoveryError

Stage = Literal["on_time", "final"]
"""What is known of a window while it can still change, and when it cannot."""

_STATE_VERSION = 2


@dataclass(frozen=True, slots=True)
class Release:
    """All partitions' partials of one window at one stage."""

    stage: Stage
    window_start: int
    partials: list[pl.DataFrame]


@dataclass(slots=True)
class _Progress:
    on_time: int = BEGINNING
    final: int = BEGINNING
    idle: bool = False


@dataclass(slots=True)
class _Store:
    frames: dict[int, dict[str, pl.DataFrame]] = field(default_factory=dict)
    """Partials by window and partition."""
    released: int = BEGINNING

    def put(self, partition: str, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Keep a partition's partials by window; those of windows released before are handed back."""
        stragglers = []
        for start, part in _by_window(frame):
            if start < self.released:
                stragglers.append(part)
            else:
                self.frames.setdefault(start, {})[partition] = part
        return stragglers


class Timeline:
    """Merges the partitions of one stream."""

    def __init__(self, partitions: Iterable[str], window_us: int, lateness_us: int) -> None:
        self._window = window_us
        self._lateness = lateness_us
        self._progress = {name: _Progress() for name in partitions}
        self._stores: dict[Stage, _Store] = {"on_time": _Store(), "final": _Store()}

    def advance(self, partition: str, closed: Closed) -> tuple[list[Release], list[pl.DataFrame]]:
        """Take a partition's partials; what is released now, and partials that came after their release.

        Stragglers exist only where a partition was declared idle and came back.
        """
        progress = self._progress.setdefault(partition, _Progress())
        progress.idle = False
        progress.on_time = max(progress.on_time, closed.on_time_until)
        progress.final = max(progress.final, closed.final_until)
        self._stores["on_time"].put(partition, closed.on_time)
        stragglers = self._stores["final"].put(partition, closed.final)
        return self._release(), stragglers

    def idle(self, partition: str) -> list[Release]:
        """The partition is silent: it no longer holds the others back until it speaks again."""
        self._progress.setdefault(partition, _Progress()).idle = True
        return self._release()

    def end(self, present: Mapping[str, pl.DataFrame]) -> list[Release]:
        """End of input: every window that is not final, on time whether it was before or not, as far as it is known.

        `present` are the partials, by partition, of all windows that are not final in it. Input may go on: nothing
        becomes final by its end, and a window that was not due comes on time when it is.
        """
        final = self._stores["final"]
        known = {start: dict(parts) for start, parts in final.frames.items()}
        for partition, frame in present.items():
            self._progress.setdefault(partition, _Progress())
            for start, part in _by_window(frame):
                if start >= final.released:
                    known.setdefault(start, {})[partition] = part
        self._bring_up_to_date(known)
        return [Release("on_time", start, list(parts.values())) for start, parts in sorted(known.items())]

    def _bring_up_to_date(self, known: Mapping[int, Mapping[str, pl.DataFrame]]) -> None:
        """Replace what partitions gave on time of windows that wait for others: no less may come than was told."""
        if self._lateness == 0:  # nothing comes on time
            return
        on_time = self._stores["on_time"]
        for start, parts in known.items():
            given = {name: part for name, part in parts.items() if self._progress[name].on_time >= start + self._window}
            if given and start >= on_time.released:
                on_time.frames.setdefault(start, {}).update(given)

    def _release(self) -> list[Release]:
        active = [p for p in self._progress.values() if not p.idle]
        if not active:
            return []
        on_time = min(p.on_time for p in active)
        final = min(p.final for p in active)
        due: list[tuple[int, int, Stage, int]] = []
        stages: tuple[tuple[int, Stage, int, int], ...] = (
            (0, "final", final, self._lateness),
            (1, "on_time", on_time, 0),
        )
        for order, stage, until, wait in stages:
            starts = (start for start in self._stores[stage].frames if start + self._window <= until)
            due += [(start + self._window + wait, order, stage, start) for start in starts]
        releases = [self._pop(stage, start) for _, _, stage, start in sorted(due)]
        self._stores["final"].released = max(self._stores["final"].released, final)
        self._stores["on_time"].released = max(self._stores["on_time"].released, on_time)
        return releases

    def _pop(self, stage: Stage, start: int) -> Release:
        return Release(stage, start, list(self._stores[stage].frames.pop(start).values()))

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        frames = {
            stage: {
                start: {name: to_bytes(part) for name, part in parts.items()} for start, parts in store.frames.items()
            }
            for stage, store in self._stores.items()
        }
        state = {
            "version": _STATE_VERSION,
            "progress": {n: [p.on_time, p.final, p.idle] for n, p in self._progress.items()},
            "released": {stage: store.released for stage, store in self._stores.items()},
            "frames": frames,
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused. Partitions that are new start from the beginning."""
        state = msgspec.msgpack.decode(data)
        if state["version"] != _STATE_VERSION:
            raise RecoveryError(
                f"state of merged windows has version {state['version']}, this is {_STATE_VERSION}",
                fix="finish the run with the version of Takt that began it, or start a new run",
            )
        for name, (on_time, final, idle) in state["progress"].items():
            self._progress[name] = _Progress(on_time, final, idle)
        for stage, store in self._stores.items():
            store.released = state["released"][stage]
            store.frames = {
                start: {name: from_bytes(part) for name, part in parts.items()}
                for start, parts in state["frames"][stage].items()
            }


def _by_window(frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Slices of one sorted copy: a split into frames of their own costs far more where windows are many."""
    frame = frame.sort(WINDOW_START, maintain_order=True)
    starts = frame[WINDOW_START].to_numpy()
    cuts = np.flatnonzero(np.diff(starts, prepend=BEGINNING - 1)).tolist()
    for begin, end in zip(cuts, [*cuts[1:], frame.height], strict=False):
        yield int(starts[begin]), frame.slice(begin, end - begin)
