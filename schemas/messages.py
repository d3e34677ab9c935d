"""Messages of a batch as they came, in one buffer: nothing is made of them until somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, overload

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

_NEWLINE: Final = ord("\n")


class Messages(Sequence[bytes]):
    r"""Messages one behind the other, each followed by a newline, as a file of JSON lines has them.

    `data[starts[i]:ends[i]]` is message `i`; a message may itself hold newlines.

    >>> Messages.lines(b"one\ntwo\n")[1]
    b'two'
    >>> Messages.of([b"a\nb", b""]).take([0, 1])
    [b'a\nb', b'']
    """

    __slots__ = ("data", "ends", "starts")

    def __init__(self, data: bytes, ends: Int64) -> None:
        """`ends` are the indices of the newlines that end the messages in `data`, the last byte of it among them."""
        self.data = data
        self.ends = ends
        self.starts = np.empty_like(ends)
        self.starts[:1] = 0
        self.starts[1:] = ends[:-1] + 1

    @classmethod
    def lines(cls, data: bytes) -> Messages:
        """The lines of a text; the newline of the last one may be missing."""
        if data and data[-1] != _NEWLINE:
            data += b"\n"
        return cls(data, np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE))

    @classmethod
    def of(cls, messages: Sequence[bytes]) -> Messages:
        """Messages that are on their own so far."""
        ends = np.cumsum([len(message) + 1 for message in messages], dtype=np.int64) - 1
        return cls(b"\n".join((*messages, b"")), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        """One message, or a list of some."""
        if isinstance(at, slice):
            return self.take(range(*at.indices(len(self))))
        return self.data[self.starts[at] : self.ends[at]]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.take(range(len(self))))

    def take(self, rows: Sequence[int] | Int64) -> list[bytes]:
        """Messages at some indices."""
        data, starts, ends = self.data, self.starts[rows].tolist(), self.ends[rows].tolist()
        return [data[start:end] for start, end in zip(starts, ends, strict=True)]

    def text(self, rows: Int64) -> bytes:
        """Messages at some rising indices in one buffer, each with its newline."""
        if len(rows) == len(self):
            return self.data
        if len(rows) == 0:
            return b""
        last = np.append(np.flatnonzero(np.diff(rows) != 1), len(rows) - 1)
        first = np.append(0, last[:-1] + 1)
        view = memoryview(self.data)
        runs = zip(self.starts[rows[first]].tolist(), self.ends[rows[last]].tolist(), strict=True)
        return b"".join([view[start : end + 1] for start, end in runs])
