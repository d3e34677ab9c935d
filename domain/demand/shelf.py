"""Where series are kept: at work as objects, else as packed bytes, and exactly the same either way.

Two things put a series away. It *rests* when it has had no row for so many buckets: that is a rule of the model,
for it is not estimated until it has one. It is *packed* when more are at work than memory is meant for: that is a
matter of memory alone, for it is taken up again for every bucket, and nothing shows but the time it takes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from domain.demand.conformal import ConformalLevels
from domain.demand.model import DemandModel
from domain.demand.plans import Key
from domain.demand.series import Series

_BATCH = 4_096


class Record:
    """A series at work: its row in the arrays of levels, category, buckets without a row, first bucket not learned."""

    __slots__ = ("category", "idle", "next_us", "row", "series")

    def __init__(self, series: Series, row: int) -> None:
        self.series = series
        self.row = row
        self.category = ""
        self.idle = 0
        self.next_us = 0


class Shelf:
    """Records by key. `awake` names all series that are estimated, at work or packed."""

    def __init__(self, model: DemandModel, max_live: int) -> None:
        if max_live < 1:
            raise ValueError(f"max_live must be 1 or more: {max_live}")
        self._model = model
        self._max_live = max_live
        self._live: dict[Key, Record] = {}
        self._packed: dict[Key, bytes] = {}
        self._awake_packed: set[Key] = set()
        self._free: list[int] = []
        self._capacity = 0
        self.levels = ConformalLevels(model.level, model.horizon, scale=model.scale)

    @property
    def live(self) -> int:
        """Series held as objects."""
        return len(self._live)

    @property
    def awake(self) -> int:
        """Series that are estimated."""
        return len(self._live) + len(self._awake_packed)

    def wake(self, key: Key, category: str | None) -> Record | None:
        """A row has come: the record of a series that rested, None of any other; one that is not known begins.

        `category` is put to the series unless it is None.
        """
        woken = None
        if key in self._awake_packed:
            self._awake_packed.remove(key)
            self._live[key] = self._unpacked(self._packed.pop(key))
        elif key not in self._live:
            data = self._packed.pop(key, None)
            record = self._unpacked(data) if data else Record(Series(self._model), self._row())
            self._live[key] = record
            woken = record if data else None
        if category is not None:
            self._live[key].category = category
        return woken

    def batches(self) -> Iterator[list[tuple[Key, Record]]]:
        """All series that are awake, some at a time; those that memory has no room for are packed again after."""
        if self._live:
            yield list(self._live.items())
        waiting = sorted(self._awake_packed)
        for begin in range(0, len(waiting), _BATCH):
            keys = waiting[begin : begin + _BATCH]
            batch = [(key, self._unpacked(self._packed.pop(key))) for key in keys]
            yield batch  # and hold them until the caller is done
            for key, record in batch:
                rests, room = record.idle >= self._model.rest_after, len(self._live) < self._max_live
                if rests or room:
                    self._awake_packed.remove(key)
                if room and not rests:
                    self._live[key] = record
                else:
                    self._put_away(key, record)

    def tidy(self) -> None:
        """After a bucket: put to rest what has been idle for long, and pack the idlest of what is too many."""
        rest_after = self._model.rest_after
        for key in [key for key, record in self._live.items() if record.idle >= rest_after]:
            self._put_away(key, self._live.pop(key))
        over = len(self._live) - self._max_live
        if over > 0:
            idlest = heapq.nlargest(over, self._live, key=lambda key: (self._live[key].idle, key))
            for key in idlest:
                self._awake_packed.add(key)
                self._put_away(key, self._live.pop(key))

    def snapshot(self) -> list[Any]:
        """Site, SKU, whether awake, packed state of every series, sorted."""
        packed = {**self._packed, **{key: self._pack(record) for key, record in self._live.items()}}
        return [[*key, key in self._live or key in self._awake_packed, data] for key, data in sorted(packed.items())]

    def restore(self, state: Iterable[list[Any]]) -> None:
        """Take up a snapshot: everything is packed until its next bucket."""
        for site, sku, awake, data in state:
            self._packed[site, sku] = data
            if awake:
                self._awake_packed.add((site, sku))

    def _row(self) -> int:
        if not self._free:
            grown = max(64, 2 * self._capacity)
            self.levels.grow(grown)
            self._free = list(range(grown - 1, self._capacity - 1, -1))
            self._capacity = grown
        return self._free.pop()

    def _pack(self, record: Record) -> bytes:
        levels = self.levels.pack(record.row)
        return _ENCODER.encode([record.idle, record.next_us, record.category, levels, record.series.snapshot()])

    def _put_away(self, key: Key, record: Record) -> None:
        self._packed[key] = self._pack(record)
        self.levels.clear(record.row)
        self._free.append(record.row)

    def _unpacked(self, data: bytes) -> Record:
        idle, next_us, category, levels, state = _DECODER.decode(data)
        series = Series(self._model)
        series.restore(state)
        record = Record(series, self._row())
        record.idle, record.next_us, record.category = idle, next_us, category
        self.levels.unpack(record.row, levels)
        return record


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()
