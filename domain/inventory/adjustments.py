"""Adjustments that were booked lately, whoever made them: reconciliation must neither repeat nor misread them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import polars as pl

from domain.inventory.tables import KEY

Key = tuple[str, str, str]

ADJUST: Final = "adjust"


class Booked(NamedTuple):
    """An adjustment of on hand: when it holds from, when it was booked, and how much (milli)."""

    valid_us: int
    time_us: int
    quantity: int


class Knowledge(NamedTuple):
    """What was known when a count was judged: all that holds up to `as_of_us` and was booked before `looked_us`."""

    as_of_us: int
    looked_us: int

    def covers(self, entry: Booked) -> bool:
        """Whether an adjustment was in the book."""
        return entry.valid_us <= self.as_of_us and entry.time_us < self.looked_us


class Adjustments:
    """Adjustments by key, as long as they may matter."""

    def __init__(self) -> None:
        self._by_key: dict[Key, list[Booked]] = {}

    def add(self, postings: pl.DataFrame) -> None:
        """Take in what the ledger posted (POSTING_SCHEMA); other reasons are passed over."""
        if not (postings["reason"] == ADJUST).any():
            return
        rows = postings.filter(pl.col("reason") == ADJUST).select(*KEY, "valid_us", "time_us", "on_hand")
        for site, sku, location, valid_us, time_us, quantity in rows.iter_rows():
            self._by_key.setdefault((site, sku, location), []).append(Booked(valid_us, time_us, quantity))

    def since(self, key: Key, before: Knowledge, now: Knowledge) -> int:
        """Sum of what is in the book now and was not before."""
        return sum(e.quantity for e in self._entries(key) if now.covers(e) and not before.covers(e))

    def after(self, key: Key, now: Knowledge) -> int:
        """Sum of what was booked by now and holds only from later than the count."""
        return sum(e.quantity for e in self._entries(key) if e.time_us < now.looked_us and e.valid_us > now.as_of_us)

    def within(self, key: Key, from_us: int, until_us: int, looked_us: int) -> list[int]:
        """Quantities that hold from a time in (from, until] and were booked before the look."""
        return [e.quantity for e in self._entries(key) if from_us < e.valid_us <= until_us and e.time_us < looked_us]

    def forget(self, until_us: int, last_count: Callable[[Key], Knowledge | None]) -> None:
        """Drop what holds from `until_us` or earlier and was known at the last count of its key, if it had one."""
        for key, entries in list(self._by_key.items()):
            last = last_count(key)
            kept = [e for e in entries if e.valid_us > until_us or (last is not None and not last.covers(e))]
            if kept:
                self._by_key[key] = kept
            else:
                del self._by_key[key]

    def _entries(self, key: Key) -> list[Booked]:
        return self._by_key.get(key, [])

    def state(self) -> list[list[object]]:
        """Primitives that `take_up` makes the same of."""
        return [[*key, *entry] for key, entries in self._by_key.items() for entry in entries]

    def take_up(self, state: list[list[object]]) -> None:
        """Go on from a `state`."""
        self._by_key = {}
        for site, sku, location, *entry in state:
            key = (str(site), str(sku), str(location))
            self._by_key.setdefault(key, []).append(Booked(*(int(str(value)) for value in entry)))
