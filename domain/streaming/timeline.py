"""Partials of many partitions, of one stream or several, merged in event-time order.

Each partition says how far it has come (`Closed.on_time_until`, `final_until`) and gives its partial results.
`Timeline` releases a window on time when every partition has passed its end, and as final when every partition
has passed its end plus allowed lateness; releases are ordered by exactly that time, finals first. So what
comes out, and in which order, does not depend on how the partitions' batches interleave.

A partition that falls silent, and a stream that has ended while others go on, hold nobody back. What they have of
windows that are not final in them *stands*: it is released with the others' rows. A partition that comes back
with other rows for a window that is final gets them back as stragglers, once: of whole rows those that were not there,
of sums all, the first time that they have grown.

At the end of all input every window that is not final is given once more as far as it is known (`Timeline.end`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import OFFSET, PARTITION
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import WINDOW_START, Closed

Stage = Literal["on_time", "final"]
"""What is known of a window while it can still change, and when it cannot."""

_STATE_VERSION = 6


@dataclass(frozen=True, slots=True)
class Release:
    """All partitions' partials of one window at one stage, by partition."""

    stage: Stage
    window_start: int
    partials: dict[str, pl.DataFrame]


@dataclass(slots=True)
class _Progress:
    on_time: int = BEGINNING
    final: int = BEGINNING
    idle: bool = False
    ended: bool = False
    """A resumed run says it again, or goes on."""
    standing: dict[int, pl.DataFrame] = field(default_factory=dict)
    """What a silent or ended partition has of windows; of final ones, what they were released with or handed back."""
    grown: set[int] = field(default_factory=set)
    """Windows of which sums were handed back, and that are not final in the partition."""

    def returns(self, start: int, stood: pl.DataFrame | None, part: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """What is to be handed back of a window that is final: nothing, or one frame."""
        if _same(stood, part):
            return
        if OFFSET in part.columns:
            yield part if stood is None else part.join(stood, on=[PARTITION, OFFSET], how="anti", maintain_order="left")
        elif start not in self.grown:
            self.grown.add(start)
            yield part


@dataclass(slots=True)
class _Store:
    frames: dict[int, dict[str, pl.DataFrame]] = field(default_factory=dict)
    """Partials by window and partition."""
    released: int = BEGINNING

    def put(self, partition: str, start: int, part: pl.DataFrame) -> bool:
        """Keep a partition's partial of a window, unless that was released before."""
        if start < self.released:
            return False
        self.frames.setdefault(start, {})[partition] = part
        return True


class Timeline:
    """Merges partitions that share a window length. In names like `stream/partition` the stream is told."""

    def __init__(
        self,
        partitions: Iterable[str],
        window_us: int,
        lateness_us: int,
        *,
        to_the_last: bool = False,
        ahead: Iterable[str] = (),
    ) -> None:
        """`to_the_last`: windows are final as far as others came than partitions that have ended.

        What comes of these in a later run for such windows are stragglers, so it is for who can do with them.
        Partitions `ahead` are beyond the time of the others by design: they are waited for, and nothing is final by
        them alone.
        """
        self.window_us = window_us
        self._to_the_last = to_the_last
        self._lateness = lateness_us
        self._progress = {name: _Progress() for name in partitions}
        self._ahead = frozenset(ahead)
        self._stores: dict[Stage, _Store] = {"on_time": _Store(), "final": _Store()}
        self._unheard: set[str] = set()
        """Partitions that kept nobody back, as they had ended before a restart, and were not heard of since. That they
        have ended is said again one by one: until it is of all, some seem to go on, and the silent are passed over."""

    def advance(self, partition: str, closed: Closed) -> tuple[list[Release], list[pl.DataFrame]]:
        """Take a partition's partials; what is released now, and partials that came after their release.

        Stragglers exist only where a partition was declared idle, or its stream had ended, and came back.
        """
        progress = self._of(partition)
        self._unheard.discard(partition)
        progress.idle = False
        progress.on_time = max(progress.on_time, closed.on_time_until)
        progress.final = max(progress.final, closed.final_until)
        for start, part in _by_window(closed.on_time):
            self._stores["on_time"].put(partition, start, part)
        stragglers: list[pl.DataFrame] = []
        for start, part in _by_window(closed.final):
            stood = progress.standing.pop(start, None)
            if not self._stores["final"].put(partition, start, part):
                stragglers += progress.returns(start, stood, part)
            progress.grown.discard(start)
        return self._release(), stragglers

    def idle(self, partition: str, present: pl.DataFrame) -> tuple[list[Release], list[pl.DataFrame]]:
        """The partition is silent: it no longer holds the others back until it speaks again.

        `present` are its partials of all windows that are not final in it. What is released, and stragglers.
        """
        self._of(partition).idle = True
        stragglers = self._stand(partition, present)
        return self._release(), stragglers

    def ended(self, partition: str, present: pl.DataFrame) -> tuple[list[Release], list[pl.DataFrame]]:
        """The partition has ended; once its whole stream has, it no longer holds other streams back. As for `idle`.

        Whether it was silent before makes no difference, as after a restart that is not known any more.
        """
        progress = self._of(partition)
        progress.ended, progress.idle = True, False
        stragglers = self._stand(partition, present)
        return self._release(), stragglers

    def end(self) -> list[Release]:
        """End of all input: every window that is not final, as far as it is known, on time even if it was before.

        Input may go on: nothing becomes final by its end, and a window that was not due comes on time when it is.
        """
        final = self._stores["final"]
        known = {start: dict(parts) for start, parts in final.frames.items()}
        for partition, progress in self._progress.items():
            for start, part in progress.standing.items():
                if start >= final.released:
                    known.setdefault(start, {})[partition] = part
        self._bring_up_to_date(known)
        return [Release("on_time", start, parts) for start, parts in sorted(known.items())]

    @property
    def silent(self) -> bool:
        """Whether every partition is silent or has ended."""
        return all(progress.idle or progress.ended for progress in self._progress.values())

    def _of(self, partition: str) -> _Progress:
        return self._progress.setdefault(partition, _Progress())

    def _stand(self, partition: str, present: pl.DataFrame) -> list[pl.DataFrame]:
        """Keep what the partition has of windows; what comes after their release and was not handed back before."""
        self._unheard.discard(partition)
        progress, released = self._of(partition), self._stores["final"].released
        before, progress.standing = progress.standing, dict(_by_window(present))
        late = ((start, part) for start, part in progress.standing.items() if start < released)
        return [back for start, part in late for back in progress.returns(start, before.get(start), part)]

    def _bring_up_to_date(self, known: Mapping[int, Mapping[str, pl.DataFrame]]) -> None:
        """Replace what partitions gave on time of windows that wait for others: no less may come than was told."""
        if self._lateness == 0:  # nothing comes on time
            return
        on_time = self._stores["on_time"]
        for start, parts in known.items():
            given = {
                name: part for name, part in parts.items() if self._progress[name].on_time >= start + self.window_us
            }
            if given and start >= on_time.released:
                on_time.frames.setdefault(start, {}).update(given)

    def _frontier(self, stage: Stage) -> int:
        """Up to where all who are waited for have come; once all streams have ended, as far as any of them came."""
        streams: dict[str, list[_Progress]] = {}
        for name, progress in self._progress.items():
            if name not in self._ahead:
                streams.setdefault(name.rpartition("/")[0], []).append(progress)
        ahead = (p for name, p in self._progress.items() if name in self._ahead and not (p.idle or p.ended))
        return min([self._common(streams, stage), *(_reached(p, stage) for p in ahead)])

    def _common(self, streams: Mapping[str, list[_Progress]], stage: Stage) -> int:
        going = [parts for parts in streams.values() if not all(p.ended for p in parts)]
        waited = [_reached(p, stage) for parts in going for p in parts if not (p.idle or self._passed(p))]
        if waited:
            return min(waited)
        if going:
            return BEGINNING
        # Whichever of several streams ends last, the outcome is the same.
        furthest = max if self._to_the_last else min
        return max((furthest(_reached(p, stage) for p in parts) for parts in streams.values()), default=BEGINNING)

    def _passed(self, progress: _Progress) -> bool:
        """Whether a partition has ended and keeps nobody back for that."""
        return progress.ended and self._to_the_last

    def _release(self) -> list[Release]:
        if self._unheard:
            return []
        due: list[tuple[int, int, Stage, int]] = []
        stages: tuple[tuple[int, Stage, int], ...] = ((0, "final", self._lateness), (1, "on_time", 0))
        until = {stage: self._frontier(stage) for _, stage, _ in stages}
        for order, stage, wait in stages:
            starts = (start for start in self._waiting(stage) if start + self.window_us <= until[stage])
            due += [(start + self.window_us + wait, order, stage, start) for start in starts]
        releases = [self._pop(stage, start) for _, _, stage, start in sorted(due)]
        for stage, store in self._stores.items():
            store.released = max(store.released, until[stage])
        return releases

    def _waiting(self, stage: Stage) -> set[int]:
        """Windows of which something is there to be released at a stage."""
        store = self._stores[stage]
        standing = {start for p in self._standing(stage).values() for start in p if start >= store.released}
        return store.frames.keys() | standing

    def _standing(self, stage: Stage) -> dict[str, dict[int, pl.DataFrame]]:
        """What stands for partitions that are passed over. Without lateness nothing comes on time."""
        if stage == "on_time" and self._lateness == 0:
            return {}
        return {name: p.standing for name, p in self._progress.items() if p.standing and (p.idle or p.ended)}

    def _pop(self, stage: Stage, start: int) -> Release:
        stood = {name: parts[start] for name, parts in self._standing(stage).items() if start in parts}
        return Release(stage, start, stood | self._stores[stage].frames.pop(start, {}))

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        frames = {
            stage: {start: {name: to_bytes(part) for name, part in parts.items()} for start, parts in s.frames.items()}
            for stage, s in self._stores.items()
        }
        state = {
            "version": _STATE_VERSION,
            "progress": {
                name: [
                    p.on_time,
                    p.final,
                    p.ended,
                    {s: to_bytes(part) for s, part in p.standing.items()},
                    sorted(p.grown),
                ]
                for name, p in self._progress.items()
            },
            "released": {stage: store.released for stage, store in self._stores.items()},
            "frames": frames,
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused.

        Partitions that are new start from the beginning; those that are there no more hold nobody back. Those that were
        silent are waited for until they are so again: what came to them since is as far behind as what came to others.
        """
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "merged windows")
        ended = {name for name, (_, _, ended, _, _) in state["progress"].items() if ended}
        there = {*self._progress}
        self._unheard = ended & there if self._to_the_last else set()
        for name, (on_time, final, _, standing, grown) in state["progress"].items():
            stood = {start: from_bytes(part) for start, part in standing.items()}
            gone = name not in there
            self._progress[name] = _Progress(on_time, final, gone, gone, standing=stood, grown=set(grown))
        for stage, store in self._stores.items():
            store.released = state["released"][stage]
            store.frames = {
                start: {name: from_bytes(part) for name, part in parts.items()}
                for start, parts in state["frames"][stage].items()
            }


def _reached(progress: _Progress, stage: Stage) -> int:
    return progress.final if stage == "final" else progress.on_time


def _same(one: pl.DataFrame | None, other: pl.DataFrame) -> bool:
    """Whether two partials hold the same rows, in any order."""
    return one is not None and one.sort(one.columns).equals(other.sort(other.columns))


def _by_window(frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Slices of one sorted copy: a split into frames of their own costs far more where windows are many."""
    frame = frame.sort(WINDOW_START, maintain_order=True)
    starts = frame[WINDOW_START].to_numpy()
    cuts = np.flatnonzero(np.diff(starts, prepend=BEGINNING - 1)).tolist()
    for begin, end in zip(cuts, [*cuts[1:], frame.height], strict=False):
        yield int(starts[begin]), frame.slice(begin, end - begin)
