"""Plain files as a stream: one JSON-lines or Parquet file, or a folder whose files are read in order of name.

Every line is a row, blank ones too; an offset is a line (or Parquet row) number within its file. Order within
the partition is file name, then line. A folder may grow: with `follow`, a line of the last file counts once
its newline, or a further file, is there, and a Parquet file once its end is. A file is read to its end, wherever its
name sorts: one that turns up when later names have been read comes next, and so does a file of lines that has grown
since it was read. Both are found within a second.
A byte order mark at the beginning of a file is no part of its first line.

Rows arrive when their file was last written to, as it stands when they are read, but not before the run began.
"""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from domain.streaming.versions import demand_version
from flows.sources.file_kinds import is_whole
from flows.sources.file_reader import BEGINNING, FileReader, Lot, Place
from flows.valve import Valve, Valves
from schemas.batch import RawBatch
from schemas.errors import SourceError
from schemas.messages import Messages

_CHUNK = 4 << 20  # bytes per poll: some 16,000 events; more would cost memory, and caches, for what it saves on calls
_PARQUET_ROWS = 16_384
_WAIT = timedelta(milliseconds=200)
_LOOK_S = 1.0  # a look asks for the size of every file: after each one that ends, the time would grow by their square
_KNOWN_BY = 32  # bytes of a finished file's end that are kept: there may be thousands of files
_NO_MESSAGES = Messages.of([])

PARTITION = "files"
"""Key of a file source's one partition."""

Finished = tuple[str, int, int, bytes]
"""Name of a file behind which reading has gone on, and its place, as it may grow."""
Position = tuple[int, str, int, int, tuple[Finished, ...], bytes]
"""Version of its form; file name, byte position (JSON lines) and line number to go on from; finished files still there;
the end of what was read of the file, by which it is known again."""
VERSION = 1


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
        if not (options.path.is_file() or options.path.is_dir()):
            raise SourceError(
                f"source {options.name!r}: {options.path} is neither a file nor a folder, and cannot be read again",
                fix=f"write what comes from it into a folder, and let sources.{options.name}.path be that",
            )
        self._options = options
        self._valves = valves

    def list_parts(self) -> list[str]:
        """One partition: files of a folder follow each other in one event-time order."""
        return [PARTITION]

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> FilePartition:
        """Open where the snapshot left off. Raises RecoveryError where another version of Takt took it."""
        del step_id
        return FilePartition(self._options, self._valves.of(for_part), resume_state)


class FilePartition(StatefulSourcePartition[RawBatch, Position]):
    """Reads one batch per poll."""

    def __init__(self, options: FileSourceOptions, valve: Valve, resume: Position | None) -> None:
        self._options = options
        self._is_folder = options.path.is_dir()
        self._valve = valve
        if resume is not None:
            demand_version(resume[0], VERSION, f"source {options.name!r}")
        _, name, byte, line, finished, tail = resume or (VERSION, "", 0, 0, (), b"")
        self._reader = self._reading(name, Place(byte, line, tail), resumed=True) if name else None
        self._finished = {done[0]: Place(*done[1:]) for done in finished}
        self._ahead: deque[str] = deque()
        self._looked = time.monotonic()
        self._next_awake: datetime | None = None
        self._last_data = time.monotonic()
        self._heard_of = False

    def next_batch(self) -> list[RawBatch]:
        """The next lines; an empty batch after each second of silence, so that idleness can be seen."""
        if self._valve.reason is not None and not self._options.follow:
            return self._stop()
        if not self._valve.may_read():
            return self._wait()
        while reader := self._current():
            lot = self._read(reader)
            following = None if lot is not None else self._following()
            if following is not None:
                # Once more: what was appended before the next file was there came after the first look, maybe.
                lot = self._read(reader)
            if lot is not None:
                self._last_data = time.monotonic()
                self._next_awake = None
                self._heard_of = True
                return [self._batch(*lot)]
            if following is None:
                break
            self._finish(reader, following)
        if not self._options.follow:
            return self._end()
        if time.monotonic() - self._last_data < 1.0:
            return self._wait()
        self._next_awake = datetime.now(UTC) + _WAIT
        self._last_data = time.monotonic()
        return [self._batch()]

    def _stop(self) -> list[RawBatch]:
        """The breaker is open on a bounded input: end it, once everything read is told."""
        reader = self._current()
        if reader is None or not (reader.has_more or self._following()):
            raise StopIteration
        self._valve.give_up(f"source {self._options.name!r}, {reader.path.name} line {reader.place.line + 1}")
        return self._wait()

    def _end(self) -> list[RawBatch]:
        if self._heard_of:
            raise StopIteration
        # Whoever merges streams waits for every partition of which it has not heard that it ended.
        self._heard_of = True
        return [self._batch()]

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
        byte, line, tail = self._reader.place if self._reader else BEGINNING
        finished = tuple((name, *place) for name, place in sorted(self._finished.items()))
        return (VERSION, self._name, byte, line, finished, tail)

    @property
    def _name(self) -> str:
        """Name of the file that is being read, empty before the first."""
        return self._reader.path.name if self._reader else ""

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

    def _current(self) -> FileReader | None:
        first = None if self._reader else self._following()
        if first is not None:
            self._begin(first)
        return self._reader

    def _begin(self, name: str) -> None:
        self._ahead.remove(name)
        known = self._finished.pop(name, None)
        self._reader = self._reading(name, known or BEGINNING, resumed=known is not None)

    def _reading(self, name: str, place: Place = BEGINNING, *, resumed: bool = False) -> FileReader:
        # A single file may have been moved.
        path = self._options.path / name if self._is_folder else self._options.path
        return FileReader(self._options.name, path, place, resumed=resumed)

    def _following(self) -> str | None:
        """The next file to read, if there is one; files are looked for when none is known, and once a second."""
        if not self._ahead or time.monotonic() - self._looked >= _LOOK_S:
            self._look()
        while self._ahead and not self._is_there(self._ahead[0]):
            import structlog  # noqa: PLC0415 - few runs have anything to log, and it takes long to load

            log = structlog.get_logger()
            log.warning("source.file_gone", source=self._options.name, file=self._ahead.popleft())
        return self._ahead[0] if self._ahead else None

    def _is_there(self, name: str) -> bool:
        return not self._is_folder or (self._options.path / name).exists()

    def _look(self) -> None:
        """See which files there are, and which of them were not read yet, or have grown since."""
        if not self._is_folder:
            self._ahead = deque([] if self._reader else [self._options.path.name])
            return
        there, news = set(), []
        try:
            with os.scandir(self._options.path) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and entry.is_file():
                        there.add(entry.name)
                        if entry.name != self._name and self._has_news(entry):
                            news.append(entry.name)
        except OSError as error:
            raise SourceError(
                f"source {self._options.name!r}: {error.filename or self._options.path} cannot be looked at: "
                f"{error.strerror}",
                fix="put it back, or give its rights back, then start again: reading goes on where it stopped",
            ) from error
        self._demand_text(news)
        self._ahead = deque(sorted(news))
        self._finished = {name: place for name, place in self._finished.items() if name in there}
        self._looked = time.monotonic()

    def _has_news(self, entry: os.DirEntry[str]) -> bool:
        """Whether a file was not read yet, or is not as long as it was then. Parquet files are written once."""
        place = self._finished.get(entry.name)
        parquet = entry.name.endswith(".parquet")
        try:
            if place is None:
                return not (parquet and self._options.follow) or is_whole(entry)
            return not parquet and entry.stat().st_size != place.byte
        except FileNotFoundError:
            return False

    def _finish(self, reader: FileReader, following: str) -> None:
        self._finished[reader.path.name] = reader.place._replace(tail=reader.place.tail[-_KNOWN_BY:])
        self._begin(following)

    def _read(self, reader: FileReader) -> Lot | None:
        return reader.read(_CHUNK, _PARQUET_ROWS, lambda: not self._options.follow or self._following() is not None)

    def _batch(self, messages: Messages = _NO_MESSAGES, first: int = 0, written_us: int = 0) -> RawBatch:
        n = len(messages)
        return RawBatch(
            source=self._options.name,
            partition=self._name,
            messages=messages,
            offsets=np.arange(first, first + n, dtype=np.int64),
            arrival_us=np.full(n, max(self._options.begun_us, written_us), dtype=np.int64),
        )
