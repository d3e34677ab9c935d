"""Partials of many partitions, merged in event-time order.

Each partition says how far it has come (`Closed.on_time_until`, `final_until`) and gives its partial results.
`Timeline` releases a window on time when every partition has passed its end, and as final when every partition
has passed its end plus allowed lateness; releases are ordered by exactly that time, finals first. So what
comes out, and in which order, does not depend on how the partitions' batches interleave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import WINDOW_START, Closed

Stage = Literal["on_time", "final"]

_STATE_VERSION = 1
_ENDED = 2**62


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
    frames: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    released: int = BEGINNING

    def put(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Keep partials by window; those of windows released before are handed back."""
        stragglers = []
        for start, part in _by_window(frame):
            if start < self.released:
                stragglers.append(part)
            else:
                self.frames.setdefault(start, []).append(part)
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
        self._stores["on_time"].put(closed.on_time)
        stragglers = self._stores["final"].put(closed.final)
        return self._release(), stragglers

    def idle(self, partition: str) -> list[Release]:
        """The partition is silent: it no longer holds the others back until it speaks again."""
        self._progress.setdefault(partition, _Progress()).idle = True
        return self._release()

    def end(self) -> list[Release]:
        """End of input: everything that is known is released on time; nothing more becomes final.

        Should the input go on, then what a partition that was behind adds to a window released here comes with the
        window's final result.
        """
        return self._release(ended=True)

    def _release(self, *, ended: bool = False) -> list[Release]:
        active = [p for p in self._progress.values() if not p.idle]
        if not active:
            return []
        on_time = _ENDED if ended else min(p.on_time for p in active)
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
        if ended:
            # No further than the last window with rows: input may go on, and with it partitions that are behind.
            on_time = max((r.window_start + self._window for r in releases if r.stage == "on_time"), default=final)
        self._stores["final"].released = max(self._stores["final"].released, final)
        self._stores["on_time"].released = max(self._stores["on_time"].released, on_time)
        return releases

    def _pop(self, stage: Stage, start: int) -> Release:
        return Release(stage, start, self._stores[stage].frames.pop(start))

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        frames = {
            stage: [[start, *(to_bytes(f) for f in parts)] for start, parts in store.frames.items()]
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
        """Take up a snapshot. Partitions that are new since then start from the beginning."""
        state = msgspec.msgpack.decode(data)
        for name, (on_time, final, idle) in state["progress"].items():
            self._progress[name] = _Progress(on_time, final, idle)
        for stage, store in self._stores.items():
            store.released = state["released"][stage]
            store.frames = {start: [from_bytes(f) for f in parts] for start, *parts in state["frames"][stage]}


def _by_window(frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Slices of one sorted copy: a split into frames of their own costs far more where windows are many."""
    frame = frame.sort(WINDOW_START, maintain_order=True)
    starts = frame[WINDOW_START].to_numpy()
    cuts = np.flatnonzero(np.diff(starts, prepend=BEGINNING - 1)).tolist()
    for begin, end in zip(cuts, [*cuts[1:], frame.height], strict=False):
        yield int(starts[begin]), frame.slice(begin, end - begin)
