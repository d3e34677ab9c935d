"""Which ids were seen within the last minutes of event time, and with which payload.

Rows (id hash, payload hash, event time) lie in blocks in arrival order and are found through a direct-mapped
table: slot -> position of the newest row that has this slot. A row whose slot is free and unshared within its batch
is new, which is decided for all such rows at once; the few others are walked one by one in row order. A live row
that loses its slot to a newer one is found through a small dict from then on.

Old blocks are dropped whole. A slot that points before the first block is free, as all rows of a slot are older
than the one it points to, so nothing has to be cleaned: a lot costs what is new in it. The table is built
anew only when it becomes too dense, which ends once the rate of rows does not rise.

Rule, exact and independent of batch cuts: a row with event time `t`, read when the running maximum of event
time was `m`, is *known* when an earlier row with `t' >= m - horizon` has its id. Known with the same payload
is a duplicate, with another payload a conflict. Only new rows are remembered. Entries older than the horizon
may linger in memory; they are never matched.

Hashes are 64 bits of id plus 64 bits of payload: a false duplicate needs both to collide. A false conflict
needs an id collision inside the horizon (about one in 10^13 rows at a million live ids) and is visible in
quarantine.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.streaming.event_log import EventLog

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Verdict = npt.NDArray[np.uint8]

NEW: Final = 0
DUPLICATE: Final = 1
CONFLICT: Final = 2

_NEVER: Final = int(np.iinfo(np.int64).min)
"""Event time of a known row: it is not remembered and goes with its block."""
_BLOCK_BITS: Final = 14
_BLOCK_ROWS: Final = 1 << _BLOCK_BITS
_WITHIN: Final = _BLOCK_ROWS - 1
"""Blocks begin at multiples of their size: the lower bits of a position are its place in its block."""
_SLOTS_PER_ID: Final = 8
"""At least; one id in twelve or so meets an occupied slot."""
_LEAST_SLOTS: Final = 1 << 15
_POSITIONS: Final = 1 << 31
"""Positions that fit a slot; when they are used up, rows are numbered anew."""


class _Block:
    """Consecutive rows, and the ids of those that lost their slot to a newer row."""

    __slots__ = ("displaced", "ids", "newest", "payloads", "times")

    def __init__(self) -> None:
        self.ids: UInt64 = np.empty(_BLOCK_ROWS, dtype=np.uint64)
        self.payloads: UInt64 = np.empty(_BLOCK_ROWS, dtype=np.uint64)
        self.times: Int64 = np.empty(_BLOCK_ROWS, dtype=np.int64)
        self.newest = _NEVER
        self.displaced: list[int] = []


class RecentIds:
    """Ids of the last `horizon_us` microseconds of event time."""

    def __init__(self, horizon_us: int) -> None:
        self._horizon = horizon_us
        self._log = EventLog("time")
        self._blocks: list[_Block] = []
        self._first = self._end = _BLOCK_ROWS  # position 0, which an untouched slot points to, is before the first
        self._rebuild(0)

    def __len__(self) -> int:
        return self._end - self._first

    def judge(self, ids: UInt64, payloads: UInt64, times: Int64, running_max: Int64) -> Verdict:
        """Verdict per row (NEW, DUPLICATE, CONFLICT); new rows are remembered.

        All arrays have one entry per row in arrival order; `running_max` is the running maximum of event time
        before each row. Rows older than the horizon must not be passed: nothing can be said of them.
        """
        n = len(ids)
        verdict = np.full(n, NEW, dtype=np.uint8)
        if n == 0:
            return verdict
        self._drop(int(running_max[0]) - self._horizon)
        if (len(self) + n) * _SLOTS_PER_ID > len(self._table) or self._end + n > _POSITIONS:
            self._rebuild(n)
        first = self._end
        self._store(ids, payloads, times)
        slots = (ids >> self._shift).astype(np.int64)
        doubtful = self._claim(slots, first)
        if len(doubtful):
            oldest = (running_max - self._horizon)[doubtful]
            verdict[doubtful] = self._look_closer(first + doubtful, ids[doubtful], slots[doubtful], oldest)
        new = verdict == NEW
        self._log.append(pl.DataFrame({"id": ids[new], "payload": payloads[new], "time": times[new]}))
        return verdict

    def _claim(self, slots: Int64, first: int) -> Int64:
        """Give each free, unshared slot to its row; indices of the rows that need a closer look."""
        table = self._table
        before = table[slots]
        own = np.arange(first, first + len(slots), dtype=np.int32)
        table[slots] = own
        held = table[slots]
        lost = held != own
        doubt = lost | (before >= self._first)
        doubt[held[lost] - first] = True
        doubtful = np.flatnonzero(doubt)
        table[slots[doubtful]] = before[doubtful]
        return doubtful

    def _look_closer(self, positions: Int64, ids: UInt64, slots: Int64, oldest: Int64) -> list[int]:
        """Walk doubtful rows in row order: an earlier row of the same batch may be what makes one known."""
        table, blocks, first, verdicts = self._table, self._blocks, self._first, []
        rows = zip(positions.tolist(), ids.tolist(), slots.tolist(), oldest.tolist(), strict=True)
        for position, key, slot, bound in rows:
            holder = table.item(slot)
            verdict = NEW
            if holder >= first:
                block = blocks[(holder - first) >> _BLOCK_BITS]
                other = block.ids.item(holder & _WITHIN)
                known = holder if other == key else self._displaced.get(key)
                if known is not None:
                    verdict = self._compare(position, known, bound)
                if verdict == NEW and other != key:
                    self._displaced[other] = holder
                    block.displaced.append(other)
            if verdict == NEW:
                table[slot] = position
            verdicts.append(verdict)
        return verdicts

    def _compare(self, position: int, known: int, bound: int) -> int:
        """Verdict of a row of which an earlier one has the id; what is not new is never found again."""
        earlier, at = self._block(known), known & _WITHIN
        if earlier.times[at] < bound:
            return NEW
        block, own = self._block(position), position & _WITHIN
        block.times[own] = _NEVER
        return DUPLICATE if earlier.payloads[at] == block.payloads[own] else CONFLICT

    def _block(self, position: int) -> _Block:
        return self._blocks[(position - self._first) >> _BLOCK_BITS]

    def _store(self, ids: UInt64, payloads: UInt64, times: Int64) -> None:
        done = 0
        while done < len(ids):
            at = self._end & _WITHIN
            if at == 0:
                self._blocks.append(_Block())
            block, rows = self._blocks[-1], min(_BLOCK_ROWS - at, len(ids) - done)
            for column, values in ((block.ids, ids), (block.payloads, payloads), (block.times, times)):
                column[at : at + rows] = values[done : done + rows]
            block.newest = max(block.newest, int(times[done : done + rows].max()))
            self._end += rows
            done += rows

    def _drop(self, before: int) -> None:
        """Drop the first blocks, as far as all of their rows are older than that; the last, if it is full."""
        while len(self) >= _BLOCK_ROWS and self._blocks[0].newest < before:
            self._first += _BLOCK_ROWS
            for key in self._blocks.pop(0).displaced:
                if self._displaced.get(key, self._first) < self._first:
                    del self._displaced[key]

    def _rebuild(self, room: int) -> None:
        """Number rows from the start and fill a new table."""
        rows = len(self)
        self._first, self._end = _BLOCK_ROWS, _BLOCK_ROWS + rows
        bits = (max(_LEAST_SLOTS, _SLOTS_PER_ID * (rows + room)) - 1).bit_length()
        self._shift = np.uint64(64 - bits)
        self._displaced: dict[int, int] = {}
        self._table: Int32 = np.empty(0, dtype=np.int32)  # the old one goes before the new one comes
        self._table = np.zeros(1 << bits, dtype=np.int32)
        found = [self._enter(block, number) for number, block in reversed(list(enumerate(self._blocks)))]
        for block, positions in zip(self._blocks, reversed(found), strict=True):
            self._displaced.update(zip(block.displaced, positions, strict=True))

    def _enter(self, block: _Block, number: int) -> list[int]:
        """Give rows of a block the slots that no newer row has; positions of the others."""
        first = self._first + number * _BLOCK_ROWS
        kept = np.flatnonzero(block.times[: self._end - first] != _NEVER)
        ids, positions = block.ids[kept], (first + kept).astype(np.int32)
        slots = (ids >> self._shift).astype(np.int64)
        free = self._table[slots] < self._first
        self._table[slots[free]] = positions[free]  # of rows with one slot the last has it
        displaced = self._table[slots] != positions
        block.displaced = ids[displaced].tolist()
        return list(positions[displaced].tolist())

    def snapshot(self, running_max: int) -> list[Any]:
        """Entries in pieces, those that are too old for `running_max` not among them, or few."""
        self._log.forget(running_max - self._horizon)
        return self._log.snapshot()

    def restore(self, state: list[Any]) -> None:
        """Take up the entries of a snapshot."""
        for frame in self._log.restore(state):
            self._store(frame["id"].to_numpy(), frame["payload"].to_numpy(), frame["time"].to_numpy())
        self._rebuild(0)
