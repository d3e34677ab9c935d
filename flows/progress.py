"""How far a run has come through its files, read off the snapshots that its sources give to the engine anyway.

Nothing on the hot path looks at it: a snapshot is taken once per epoch, and the files are only measured anew when one
appears that was not there before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import polars as pl
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.sources.files import Position
from schemas.batch import RawBatch

Told = Callable[[str, int, int], None]
"""Takes the name of a source, bytes read of its files, and bytes of all of them."""

_EVERY_S = 0.5


class Extent:
    """Sizes of the files of a source: one file, or those of a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[str, int] = {}

    def at(self, position: Position) -> tuple[int, int]:
        """Bytes read up to a position, and bytes in all. Raises OSError or PolarsError for files it cannot look at."""
        name, byte, line, finished = position
        if name not in self._sizes:
            files = self._path.iterdir() if self._path.is_dir() else [self._path]
            self._sizes = {f.name: f.stat().st_size for f in files if not f.name.startswith(".") and f.is_file()}
        if name.endswith(".parquet"):
            path = self._path / name if self._path.is_dir() else self._path
            byte = self._sizes[name] * line // max(1, _rows(path, self._sizes[name]))
        before = sum(self._sizes.get(done, 0) for done in finished)
        total = sum(self._sizes.values())
        return min(before + byte, total), total


@cache
def _rows(path: Path, _: int) -> int:
    """Rows of a Parquet file of a certain size."""
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


class Watched(FixedPartitionedSource[RawBatch, Position]):
    """A file source that also tells how far it has come, twice a second at most; reads and resumes as without."""

    def __init__(self, name: str, path: Path, source: FixedPartitionedSource[RawBatch, Position], told: Told) -> None:
        self._source = source
        self._extent = Extent(path)
        self._name = name
        self._told = told
        self._next = 0.0

    def list_parts(self) -> list[str]:
        """As the source has them."""
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> WatchedPart:
        """The source's own, watched."""
        return WatchedPart(self._source.build_part(step_id, for_part, resume_state), self.tell)

    def tell(self, position: Position) -> None:
        """Tell how far a position is; files that vanish or are no Parquet are for the source to report."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY_S
            with suppress(OSError, KeyError, pl.exceptions.PolarsError):
                self._told(self._name, *self._extent.at(position))


class WatchedPart(StatefulSourcePartition[RawBatch, Position]):
    """Passes everything on, and shows each snapshot."""

    def __init__(self, part: StatefulSourcePartition[RawBatch, Position], tell: Callable[[Position], None]) -> None:
        self._part = part
        self._tell = tell

    def next_batch(self) -> Iterable[RawBatch]:
        """The part's own."""
        return self._part.next_batch()

    def next_awake(self) -> datetime | None:
        """As the part wants it."""
        return self._part.next_awake()

    def snapshot(self) -> Position:
        """The part's own."""
        position = self._part.snapshot()
        self._tell(position)
        return position

    def close(self) -> None:
        """Let the part go."""
        self._part.close()
