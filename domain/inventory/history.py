"""Postings of the last hours, for balances as of an earlier time.

They lie in chunks, one for each call that booked any, sorted by key within: a question goes straight to the postings of
its key. A chunk never changes, so its stored bytes are made once; it goes when all in it is older than the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.inventory.arrays import Bool, Int64, UInt8
from domain.streaming.frames import from_bytes, to_bytes

_PREFIX: Final = "history."


@dataclass(frozen=True, slots=True)
class Entries:
    """Postings: number of key, quantity and the pattern of its coefficients, when it was valid and when booked."""

    key: Int64
    quantity: Int64
    pattern: UInt8
    valid_us: Int64
    time_us: Int64

    def __getitem__(self, rows: Int64 | Bool) -> Entries:
        return Entries(self.key[rows], self.quantity[rows], self.pattern[rows], self.valid_us[rows], self.time_us[rows])


@dataclass(slots=True)
class _Chunk:
    entries: Entries
    newest_us: int
    stored: bytes | None = None

    def bytes(self) -> bytes:
        if self.stored is None:
            e = self.entries
            columns = {"key": e.key.astype(np.int32), "quantity": e.quantity, "pattern": e.pattern}
            self.stored = to_bytes(pl.DataFrame({**columns, "valid_us": e.valid_us, "time_us": e.time_us}))
        return self.stored


class History:
    """Postings not older than a bound that moves on."""

    def __init__(self) -> None:
        self._chunks: dict[int, _Chunk] = {}
        self.begun = 0
        """Chunks begun so far: each is named by its number, which is never given again."""

    def add(self, entries: Entries, kept_from_us: int) -> None:
        """Keep postings, sorted by key, that `rows` can be asked for; forget chunks older than `kept_from_us`."""
        for name in [name for name, chunk in self._chunks.items() if chunk.newest_us <= kept_from_us]:
            del self._chunks[name]
        newest = np.maximum(entries.valid_us, entries.time_us)
        needed = newest > kept_from_us
        if needed.any():
            kept = entries if needed.all() else entries[needed]
            self._chunks[self.begun] = _Chunk(kept, int(newest.max()))
            self.begun += 1

    def rows(self, keys: Int64) -> tuple[Int64, Entries]:
        """All kept postings of each key asked for: index of the question, and the posting."""
        asked = [np.empty(0, dtype=np.int64)]
        found = [_none()]
        for chunk in self._chunks.values():
            begin = np.searchsorted(chunk.entries.key, keys, side="left")
            count = np.searchsorted(chunk.entries.key, keys, side="right") - begin
            question = np.repeat(np.arange(len(keys)), count)
            if len(question):
                within = np.arange(len(question)) - np.repeat(np.cumsum(count) - count, count)
                asked.append(question)
                found.append(chunk.entries[begin[question] + within])
        columns = [[getattr(e, name) for e in found] for name in Entries.__slots__]
        return np.concatenate(asked), Entries(*(np.concatenate(c) for c in columns))

    def snapshot(self) -> dict[str, bytes]:
        """Chunks by name, never changed once given."""
        return {f"{_PREFIX}{name}": chunk.bytes() for name, chunk in self._chunks.items()}

    def restore(self, pieces: dict[str, bytes], begun: int) -> None:
        """Take up a snapshot."""
        self._chunks, self.begun = {}, begun
        for name in sorted(int(n.removeprefix(_PREFIX)) for n in pieces):
            data = pieces[f"{_PREFIX}{name}"]
            frame = from_bytes(data)
            key, quantity, pattern, valid, time = (frame[n].to_numpy() for n in frame.columns)
            entries = Entries(key.astype(np.int64), quantity, pattern, valid, time)
            self._chunks[name] = _Chunk(entries, int(np.maximum(valid, time).max()), data)


def _none() -> Entries:
    empty = np.empty(0, dtype=np.int64)
    return Entries(empty, empty, empty.astype(np.uint8), empty, empty)
