"""Plain files as a stream: one JSON-lines or Parquet file, or a folder whose files are read in order of name.

Every line is a row, blank ones too; an offset is a line (or Parquet row) number within its file. Order within
the partition is file name, then line. A folder may grow: with `follow`, a line of the last file counts once
its newline is there. A file is read once, to its end, wherever its name sorts: one that turns up when later
names have been read comes next. What is appended to a file behind which reading has gone on is not read.
A byte order mark at the beginning of a file is no part of its first line.

Rows arrive when their file was last written to, as it stands when they are read, but not before the run began.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.sources.file_kinds import BYTE_ORDER_MARK, other_kind
from flows.valve import Valve, Valves
from schemas.adapters.json_rows import as_json
from schemas.batch import RawBatch
from schemas.errors import SourceError
from schemas.messages import Messages

_CHUNK = 4 << 20  # bytes per poll: some 16,000 events, enough to make a columnar batch worth its overhead
_LONGEST_LINE = 256 << 20
_PARQUET_ROWS = 16_384
_KNOWN_BY = 512  # bytes; the end of what was read, in every snapshot
_WAIT = timedelta(milliseconds=200)

PARTITION = "files"
"""Key of a file source's one partition."""

Position = tuple[str, int, int, tuple[str, ...], bytes]
"""File name, byte position (JSON lines) and line number to go on from; names of finished files still there; the end of
what was read of the file, by which it is known again."""


@dataclass(frozen=True, slots=True)
class FileSourceOptions:
    """Which files, for which source, and when the run began, before which no row arrives."""

    name: str
    path: Path
    follow: bool
    begun_us: int


class FileSource(FixedPartitionedSource[RawBatch, Position]):
    """All files of one source, as one partition."""

    def __init__(self, options: FileSourceOptions, valves: Valves) -> None:
        if not options.path.exists():
            raise SourceError(
                f"source {options.name!r}: {options.path} does not exist",
                fix=f"create it, or correct sources.{options.name}.path",
            )
        self._options = options
        self._valves = valves

    def list_parts(self) -> list[str]:
        """One partition: files of a folder follow each other in one event-time order."""
        return [PARTITION]

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> FilePartition:
        """Open where the snapshot left off."""
        del step_id
        return FilePartition(self._options, self._valves.of(for_part), resume_state)


class FilePartition(StatefulSourcePartition[RawBatch, Position]):
    """Reads one batch per poll."""

    def __init__(self, options: FileSourceOptions, valve: Valve, resume: Position | None) -> None:
        self._options = options
        self._valve = valve
        self._file, self._byte, self._line, finished, self._tail = resume or ("", 0, 0, (), b"")
        if self._file and not options.path.is_dir():
            self._file = options.path.name  # it may have been moved
        self._finished = set(finished)
        self._known = resume is None
        """Whether the file is sure to be the one that was read before the start."""
        self._next_awake: datetime | None = None
        self._last_data = time.monotonic()
        self._heard_of = False

    def next_batch(self) -> list[RawBatch]:
        """The next lines; an empty batch after each second of silence, so that idleness can be seen."""
        if self._valve.reason is not None and not self._options.follow:
            return self._stop()
        if not self._valve.may_read():
            return self._wait()
        while name := self._current():
            batch = self._read(name)
            following = None if batch is not None else self._following()
            if following is not None:
                # Once more: what was appended before the next file was there came after the first look, maybe.
                batch = self._read(name)
            if batch is not None:
                self._last_data = time.monotonic()
                self._next_awake = None
                self._heard_of = True
                return [batch]
            if following is None:
                break
            self._finish(name, following)
        if not self._options.follow:
            return self._end()
        if time.monotonic() - self._last_data < 1.0:
            return self._wait()
        self._next_awake = datetime.now(UTC) + _WAIT
        self._last_data = time.monotonic()
        return [self._batch(self._file, Messages.of([]))]

    def _stop(self) -> list[RawBatch]:
        """The breaker is open on a bounded input: end it, once everything read is told."""
        if not self._more():
            raise StopIteration
        self._valve.give_up(f"source {self._options.name!r}, {self._file} line {self._line + 1}")
        return self._wait()

    def _end(self) -> list[RawBatch]:
        if self._heard_of:
            raise StopIteration
        # Whoever merges streams waits for every partition of which it has not heard that it ended.
        self._heard_of = True
        return [self._batch(self._file, Messages.of([]))]

    def _wait(self) -> list[RawBatch]:
        self._next_awake = datetime.now(UTC) + _WAIT
        return []

    def next_awake(self) -> datetime | None:
        """When to look for more; at once while there is data."""
        return self._next_awake

    def snapshot(self) -> Position:
        """Where to go on."""
        self._valve.epoch_closed()
        return self.position

    @property
    def position(self) -> Position:
        """Where to go on."""
        return (self._file, self._byte, self._line, tuple(sorted(self._finished)), self._tail)

    def _names(self) -> list[str]:
        path = self._options.path
        names = [path.name]
        if path.is_dir():
            with os.scandir(path) as entries:
                names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_file())
        self._demand_text(names)
        return names

    def _demand_text(self, names: list[str]) -> None:
        """A name is told with every row, and rows are UTF-8."""
        try:
            "/".join(names).encode()
        except UnicodeEncodeError as error:
            wrong = next(name for name in names if name != name.encode(errors="replace").decode())
            raise SourceError(
                f"source {self._options.name!r}: a file is named {wrong!a}, which is not UTF-8",
                fix="give it another name, or take it out of the folder",
            ) from error

    def _current(self) -> str | None:
        if self._file:
            return self._file
        self._file = next(iter(self._names()), "")
        return self._file or None

    def _following(self) -> str | None:
        return next((n for n in self._names() if n != self._file and n not in self._finished), None)

    def _finish(self, name: str, following: str) -> None:
        self._finished = (self._finished | {name}) & set(self._names())
        self._file, self._byte, self._line, self._tail = following, 0, 0, b""

    def _more(self) -> bool:
        """Whether there is anything left to read."""
        name = self._current()
        if name is None:
            return False
        path = self._path(name)
        with self._reading(path):
            return self._left(path) > 0 or self._following() is not None

    def _left(self, path: Path) -> int:
        """Bytes, or Parquet rows, that are not read yet; below zero for a file that was longer once."""
        if path.suffix == ".parquet":
            return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()) - self._line
        return path.stat().st_size - self._byte

    def _path(self, name: str) -> Path:
        return self._options.path / name if self._options.path.is_dir() else self._options.path

    def _read(self, name: str) -> RawBatch | None:
        path = self._path(name)
        with self._reading(path):
            self._demand_same(path)
            messages = self._parquet(path) if path.suffix == ".parquet" else self._lines(path)
            if len(messages) == 0:
                self._demand_whole(path)
                return None
            written_us = path.stat().st_mtime_ns // 1000
        batch = self._batch(name, messages, self._line, written_us)
        self._line += len(messages)
        return batch

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"source {self._options.name!r}: {path} cannot be read: {error.strerror or error}",
                fix="check the file and its rights, then start again: reading goes on where it stopped",
            ) from error
        except pl.exceptions.PolarsError as error:
            raise SourceError(
                f"source {self._options.name!r}: {path} is not a readable Parquet file: {error}",
                fix="write it again, or take it out of the folder",
            ) from error

    def _demand_whole(self, path: Path) -> None:
        if self._left(path) < 0:
            raise SourceError(
                f"source {self._options.name!r}: {path} was read up to line {self._line} and has become shorter since",
                fix="put the whole file back, or give what replaced it another name: files may only grow",
            )

    def _demand_same(self, path: Path) -> None:
        """What is read of a file at a start must be behind what was read of it before."""
        if self._known or self._left(path) < 0:
            return
        if self._tail and self._end_of_read(path) != self._tail:
            raise SourceError(
                f"source {self._options.name!r}: {path} was read up to line {self._line}, and does not hold what was "
                "read: it was written anew, or is another file",
                fix="put the file back, or give what replaced it another name: files may be moved, and only grow",
            )
        self._known = True

    def _end_of_read(self, path: Path) -> bytes:
        if path.suffix == ".parquet":
            return self._parquet_rows(path, self._line - 1, 1)[0][-_KNOWN_BY:]
        with path.open("rb") as file:
            file.seek(self._byte - len(self._tail))
            return file.read(len(self._tail))

    def _lines(self, path: Path) -> Messages:
        with path.open("rb") as file:
            file.seek(self._byte)
            data = self._whole_lines(file, path)
        first = self._byte == 0
        self._byte += len(data)
        self._tail = (self._tail + data if len(data) < _KNOWN_BY else data)[-_KNOWN_BY:]
        if first:
            self._demand_lines(data, path)
            data = data.removeprefix(BYTE_ORDER_MARK)
        return Messages.lines(data)

    def _demand_lines(self, begins: bytes, path: Path) -> None:
        other = other_kind(begins)
        if other:
            raise SourceError(
                f"source {self._options.name!r}: {path} is {other[0]}, not JSON lines",
                fix=f"{other[1]}, or make messages of it with `takt ingest`; or take it out of the folder",
            )

    def _whole_lines(self, file: BinaryIO, path: Path) -> bytes:
        data = file.read(_CHUNK)
        end = data.rfind(b"\n") + 1
        done = not self._options.follow
        while end == 0:
            more = file.read(_CHUNK)
            if not more:
                if done:
                    return data
                # The last line has no newline: its writer is not done with it before there is a next file.
                if self._following() is None:
                    return b""
                done = True
                continue
            end = more.rfind(b"\n") + 1
            end = len(data) + end if end else 0
            data += more
            if end == 0 and len(data) > _LONGEST_LINE:
                raise SourceError(
                    f"source {self._options.name!r}: {path} line {self._line + 1} is over {_LONGEST_LINE:,} bytes",
                    fix="this is not a file of JSON lines; use `takt ingest` with a query that reads its format",
                )
        return data[:end]

    def _parquet(self, path: Path) -> Messages:
        rows = self._parquet_rows(path, self._line, _PARQUET_ROWS)
        self._tail = rows[-1][-_KNOWN_BY:] if rows else self._tail
        return Messages.of(rows)

    def _parquet_rows(self, path: Path, first: int, count: int) -> list[bytes]:
        return as_json(pl.scan_parquet(path, glob=False).slice(first, count).collect())

    def _batch(self, file: str, messages: Messages, first: int = 0, written_us: int = 0) -> RawBatch:
        n = len(messages)
        return RawBatch(
            source=self._options.name,
            partition=file,
            messages=messages,
            offsets=np.arange(first, first + n, dtype=np.int64),
            arrival_us=np.full(n, max(self._options.begun_us, written_us), dtype=np.int64),
        )
