"""How far a run has come through inputs that end: twice a second at most, the partitions are asked where they are.

Files are only measured anew when one appears that was not there before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import polars as pl
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.sources.files import Position
from schemas.batch import RawBatch

Unit = Literal["bytes", "messages"]

Told = Callable[[str, int, int, Unit], None]
"""Takes the name of a source, how much of it is read, how much there is to read, and what both are counted in."""

S = TypeVar("S")
Here_co = TypeVar("Here_co", covariant=True)
Measure = Callable[[str, S], tuple[int, int]]
"""How much of a partition is read at a position in it, and how much there is.

It may raise OSError, KeyError or PolarsError: what is wrong with an input is for its source to report.
"""

_EVERY_S = 0.5


class Extent:
    """Sizes of the files of a source: one file, or those of a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[str, int] = {}

    def at(self, position: Position) -> tuple[int, int]:
        """Bytes read up to a position, and bytes in all. Raises OSError or PolarsError for files it cannot look at."""
        _, name, byte, line, finished, _ = position
        if name not in self._sizes:
            files = self._path.iterdir() if self._path.is_dir() else [self._path]
            self._sizes = {f.name: f.stat().st_size for f in files if not f.name.startswith(".") and f.is_file()}
        if name.endswith(".parquet"):
            path = self._path / name if self._path.is_dir() else self._path
            byte = self._sizes[name] * line // max(1, _rows(path, self._sizes[name]))
        before = sum(self._sizes.get(done, 0) for done, *_ in finished)
        total = sum(self._sizes.values())
        return min(before + byte, total), total


@cache
def _rows(path: Path, _: int) -> int:
    """Rows of a Parquet file of a certain size."""
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


class Placed(Protocol[Here_co]):
    """A partition that knows where it is."""

    @property
    def position(self) -> Here_co:
        """Where it would go on."""

    def next_batch(self) -> list[RawBatch]:
        """As of any partition."""

    def next_awake(self) -> datetime | None:
        """As of any partition."""

    def snapshot(self) -> Here_co:
        """As of any partition."""

    def close(self) -> None:
        """As of any partition."""


class _Source(Protocol[S]):
    def list_parts(self) -> list[str]: ...
    def build_part(self, step_id: str, for_part: str, resume_state: S | None) -> Placed[S]: ...


class Watched(FixedPartitionedSource[RawBatch, S]):
    """A source that also tells how far it has come; reads and resumes as without."""

    def __init__(self, name: str, source: _Source[S], measure: Measure[S], unit: Unit, told: Told) -> None:
        self._source = source
        self._measure = measure
        self._name = name
        self._unit: Unit = unit
        self._told = told
        self._parts: dict[str, Placed[S]] = {}
        self._next = 0.0

    def list_parts(self) -> list[str]:
        """As the source has them."""
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: S | None) -> WatchedPart[S]:
        """The source's own, watched."""
        self._parts[for_part] = self._source.build_part(step_id, for_part, resume_state)
        return WatchedPart(self._parts[for_part], self.tell)

    def tell(self, *, ended: bool = False) -> None:
        """Tell where all partitions are, if that was not done just now or one has `ended`."""
        now = time.monotonic()
        if now < self._next and not ended:
            return
        self._next = now + _EVERY_S
        with suppress(OSError, KeyError, pl.exceptions.PolarsError):
            # A copy: other workers may still be building theirs.
            reached = [self._measure(name, part.position) for name, part in [*self._parts.items()]]
            self._told(self._name, sum(read for read, _ in reached), sum(total for _, total in reached), self._unit)


class WatchedPart(StatefulSourcePartition[RawBatch, S]):
    """Passes everything on, and tells."""

    def __init__(self, part: Placed[S], tell: Callable[..., None]) -> None:
        self._part = part
        self._tell = tell

    def next_batch(self) -> Iterable[RawBatch]:
        """The part's own."""
        try:
            batches = self._part.next_batch()
        except StopIteration:
            self._tell(ended=True)
            raise
        self._tell()
        return batches

    def next_awake(self) -> datetime | None:
        """As the part wants it."""
        return self._part.next_awake()

    def snapshot(self) -> S:
        """The part's own."""
        return self._part.snapshot()

    def close(self) -> None:
        """Let the part go."""
        self._part.close()
