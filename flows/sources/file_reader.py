"""One file, JSON lines or Parquet, read on from a place in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import polars as pl

from flows.sources.file_kinds import BYTE_ORDER_MARK, other_kind
from schemas.adapters.json_rows import as_json
from schemas.errors import SourceError
from schemas.messages import Messages

_LONGEST_LINE: Final = 256 << 20
_KNOWN_BY: Final = 512  # bytes; the end of what was read, in every snapshot


class Place(NamedTuple):
    """How far a file is read: bytes (of JSON lines), lines or Parquet rows; and the end of what was read."""

    byte: int = 0
    line: int = 0
    tail: bytes = b""


BEGINNING: Final = Place()


class Lot(NamedTuple):
    """Messages that follow each other, the number of the first of them, and when their file was last written to."""

    messages: Messages
    first: int
    written_us: int


class FileReader:
    """Reads a file lot by lot.

    Raises SourceError where it cannot be read, holds something else than messages, or not what was read of it before.
    """

    def __init__(self, source: str, path: Path, place: Place = BEGINNING, *, resumed: bool = False) -> None:
        """`resumed`: the place is from an earlier start, so it must be seen whether the file is still the same."""
        self.path = path
        self.place = place
        self._about = f"source {source!r}: {path}"
        self._known = not resumed

    def read(self, size: int, rows: int, done: Callable[[], bool]) -> Lot | None:
        """The next lines of some `size` in bytes, or Parquet `rows`; None where there are none.

        `done` tells whether the file's writer has done with it: until then a line without newline does not count.
        """
        first = self.place.line
        with self._reading():
            self._demand_same()
            messages = self._parquet(rows) if self._is_parquet else self._lines(size, done)
            if len(messages) == 0:
                self._demand_whole()
                return None
            written_us = self.path.stat().st_mtime_ns // 1000
        self.place = self.place._replace(line=first + len(messages))
        return Lot(messages, first, written_us)

    @property
    def has_more(self) -> bool:
        """Whether anything of the file is not read yet."""
        with self._reading():
            return self._left() > 0

    @property
    def _is_parquet(self) -> bool:
        return self.path.suffix == ".parquet"

    def _left(self) -> int:
        """Bytes, or Parquet rows, that are not read yet; below zero for a file that was longer once."""
        if self._is_parquet:
            return int(pl.scan_parquet(self.path, glob=False).select(pl.len()).collect().item()) - self.place.line
        return self.path.stat().st_size - self.place.byte

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise SourceError(
                f"{self._about} was read up to line {self.place.line} and is gone: whether it had grown since cannot "
                "be known",
                fix="put it back, then start again: a file may be taken away when a later one is being read",
            ) from error
        except OSError as error:
            raise SourceError(
                f"{self._about} cannot be read: {error.strerror or error}",
                fix="check the file and its rights, then start again: reading goes on where it stopped",
            ) from error
        except pl.exceptions.PolarsError as error:
            raise SourceError(
                f"{self._about} is not a readable Parquet file: {error}",
                fix="write it again, or take it out of the folder",
            ) from error

    def _demand_whole(self) -> None:
        if self._left() < 0:
            raise SourceError(
                f"{self._about} was read up to line {self.place.line} and has become shorter since",
                fix="put the whole file back, or give what replaced it another name: files may only grow",
            )

    def _demand_same(self) -> None:
        """What is read of a file must be behind what was read of it before; Parquet files are written once."""
        if (self._known and self._is_parquet) or self._left() < 0:
            return
        if self.place.tail and self._end_of_read() != self.place.tail:
            raise SourceError(
                f"{self._about} was read up to line {self.place.line}, and does not hold what was read: it was written "
                "anew, or is another file",
                fix="put the file back, or give what replaced it another name: files may be moved, and only grow",
            )
        self._known = True

    def _end_of_read(self) -> bytes:
        if self._is_parquet:
            return self._parquet_rows(self.place.line - 1, 1)[0][-_KNOWN_BY:]
        with self.path.open("rb") as file:
            file.seek(self.place.byte - len(self.place.tail))
            return file.read(len(self.place.tail))

    def _parquet(self, count: int) -> Messages:
        rows = self._parquet_rows(self.place.line, count)
        if rows:
            self.place = self.place._replace(tail=rows[-1][-_KNOWN_BY:])
        return Messages.of(rows)

    def _parquet_rows(self, first: int, count: int) -> list[bytes]:
        return as_json(pl.scan_parquet(self.path, glob=False).slice(first, count).collect())

    def _lines(self, size: int, done: Callable[[], bool]) -> Messages:
        byte, line, tail = self.place
        with self.path.open("rb") as file:
            file.seek(byte)
            end = self._end_of_line(file)
            file.seek(byte + len(end))
            data = self._whole_lines(file, size, done)
        read = end + data
        tail = (tail + read if len(read) < _KNOWN_BY else read)[-_KNOWN_BY:]
        self.place = Place(byte + len(read), line, tail)
        if byte == 0:
            self._demand_lines(data)
            data = data.removeprefix(BYTE_ORDER_MARK)
        return Messages.lines(data)

    def _end_of_line(self, file: BinaryIO) -> bytes:
        """Newline of a line that was read without it, when the file seemed to end there: no line begins with it."""
        if self.place.tail[-1:] in {b"", b"\n"}:
            return b""
        begins = file.read(2)
        return next((end for end in (b"\n", b"\r\n") if begins.startswith(end)), b"")

    def _demand_lines(self, begins: bytes) -> None:
        other = other_kind(begins)
        if other:
            raise SourceError(
                f"{self._about} is {other[0]}, not JSON lines",
                fix=f"{other[1]}, or make messages of it with `takt ingest`; or take it out of the folder",
            )

    def _whole_lines(self, file: BinaryIO, size: int, done: Callable[[], bool]) -> bytes:
        data = file.read(size)
        if not data:
            return data
        end = data.rfind(b"\n") + 1
        last = False
        while end == 0:
            more = file.read(size)
            if not more:
                if last:
                    return data
                if not done():
                    return b""
                last = True  # what was appended before its writer had done came after the first look, maybe
                continue
            end = more.rfind(b"\n") + 1
            end = len(data) + end if end else 0
            data += more
            if end == 0 and len(data) > _LONGEST_LINE:
                raise SourceError(
                    f"{self._about} line {self.place.line + 1} is over {_LONGEST_LINE:,} bytes",
                    fix="this is not a file of JSON lines; use `takt ingest` with a query that reads its format",
                )
        return data[:end]
