"""Which ids were seen within the last minutes of event time, and with which payload.

The memory is three int64/uint64 arrays (id hash, payload hash, event time) in arrival order, found through a
direct-mapped table: slot -> position. A row whose slot is free and unshared within its batch is new, which is
decided for all such rows at once; the few others are walked one by one in row order. A slot holds one
position, so ids that meet in an occupied slot live in a small overflow dict.

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

_FREE = -1
_SHARED = -2
_NEVER = np.iinfo(np.int64).min  # event time of a known row: it is not remembered and goes at the next rebuild
_SLOTS_PER_ID = 8  # one id in twenty or so meets an occupied slot
_MIN_CAPACITY = 1 << 12


class RecentIds:
    """Ids of the last `horizon_us` microseconds of event time."""

    def __init__(self, horizon_us: int) -> None:
        self._horizon = horizon_us
        self._count = 0
        self._log = EventLog("time")
        self._table: Int32 = np.empty(0, dtype=np.int32)
        self._reserve(_MIN_CAPACITY)

    def __len__(self) -> int:
        return self._count

    def judge(self, ids: UInt64, payloads: UInt64, times: Int64, running_max: Int64) -> Verdict:
        """Verdict per row (NEW, DUPLICATE, CONFLICT); new rows are remembered.

        All arrays have one entry per row in arrival order; `running_max` is the running maximum of event time
        before each row. Rows older than the horizon must not be passed: nothing can be said of them.
        """
        n = len(ids)
        verdict = np.full(n, NEW, dtype=np.uint8)
        if n == 0:
            return verdict
        self._make_room(n, int(running_max[0]))
        slots = (ids >> self._shift).astype(np.int64)
        first = self._count
        before = self._table[slots]
        doubtful = self._claim(slots, before, first)
        self._ids[first : first + n] = ids
        self._payloads[first : first + n] = payloads
        self._times[first : first + n] = times
        self._count = first + n
        if len(doubtful):
            oldest = (running_max - self._horizon)[doubtful]
            verdict[doubtful] = self._look_closer(first + doubtful, slots[doubtful], oldest)
            self._times[first + np.flatnonzero(verdict)] = _NEVER
        new = verdict == NEW
        self._log.append(pl.DataFrame({"id": ids[new], "payload": payloads[new], "time": times[new]}))
        return verdict

    def _claim(self, slots: Int64, before: Int32, first: int) -> Int64:
        """Give each free, unshared slot to its row; indices of the rows that need a closer look."""
        table = self._table
        own = np.arange(first, first + len(slots), dtype=np.int32)
        table[slots] = own
        table[slots[table[slots] != own]] = _SHARED
        doubtful = np.flatnonzero((table[slots] == _SHARED) | (before != _FREE))
        table[slots[doubtful]] = before[doubtful]
        return doubtful

    def _look_closer(self, positions: Int64, slots: Int64, oldest: Int64) -> list[int]:
        """Walk doubtful rows in row order: an earlier row of the same batch may be what makes one known."""
        table, overflow = self._table, self._overflow
        ids, payloads, times = self._ids, self._payloads, self._times
        keys = ids[positions].tolist()
        verdicts = []
        for position, slot, key, bound in zip(positions.tolist(), slots.tolist(), keys, oldest.tolist(), strict=True):
            holder = int(table[slot])
            mine = holder == _FREE or int(ids[holder]) == key
            known = holder if mine else overflow.get(key, _FREE)
            if known != _FREE and times[known] >= bound:
                verdicts.append(DUPLICATE if payloads[known] == payloads[position] else CONFLICT)
                continue
            if mine:
                table[slot] = position
            else:
                overflow[key] = position
            verdicts.append(NEW)
        return verdicts

    def _make_room(self, n: int, running_max: int) -> None:
        if self._count + n <= len(self._ids):
            return
        self._log.forget(running_max - self._horizon)
        live = np.flatnonzero(self._times[: self._count] >= running_max - self._horizon)
        ids, payloads, times = self._ids[live], self._payloads[live], self._times[live]
        self._load(ids, payloads, times, room=n)

    def _load(self, ids: UInt64, payloads: UInt64, times: Int64, *, room: int) -> None:
        # As much room again as is live, so that the next rebuild is far away and its cost per row small.
        self._reserve(max(_MIN_CAPACITY, 2 * len(ids) + room))
        n = len(ids)
        self._ids[:n], self._payloads[:n], self._times[:n] = ids, payloads, times
        self._count = n
        slots = (ids >> self._shift).astype(np.int64)
        own = np.arange(n, dtype=np.int32)
        self._table[slots] = own
        for position in np.flatnonzero(self._table[slots] != own).tolist():
            self._overflow[int(ids[position])] = position

    def _reserve(self, capacity: int) -> None:
        self._ids: UInt64 = np.empty(capacity, dtype=np.uint64)
        self._payloads: UInt64 = np.empty(capacity, dtype=np.uint64)
        self._times: Int64 = np.empty(capacity, dtype=np.int64)
        bits = (capacity * _SLOTS_PER_ID - 1).bit_length()
        if len(self._table) != 1 << bits:
            self._table = np.empty(1 << bits, dtype=np.int32)
        self._table.fill(_FREE)
        self._shift = np.uint64(64 - bits)
        self._overflow: dict[int, int] = {}

    def snapshot(self, running_max: int) -> list[Any]:
        """Entries in pieces, those that are too old for `running_max` not among them, or few."""
        self._log.forget(running_max - self._horizon)
        return self._log.snapshot()

    def restore(self, state: list[Any]) -> None:
        """Take up the entries of a snapshot."""
        frames = self._log.restore(state)
        if frames:
            frame = pl.concat(frames)
            self._load(frame["id"].to_numpy(), frame["payload"].to_numpy(), frame["time"].to_numpy(), room=0)
