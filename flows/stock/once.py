"""Rows that reach the step through several partitions or sources: an event counts once, whichever way it came.

A partition tells duplicates and conflicts among its own rows alone. Here the rows of all partitions and sources of a
kind meet in event time, and are held to the same rule. Rules:

- Rows are in order of time, those of one time in order of identity, and copies in order of their source and partition:
  which of them is first, and counts, does not depend on how they came.
- The same identity with the same content is a duplicate, with other content a conflict. So is a move whose event id
  another move had before: of its two identities, the other is its document's line.
- Identities are remembered as long as a partition remembers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from domain.streaming.partition import IDENTITY, Stream
from domain.streaming.recent_ids import CONFLICT, DUPLICATE, NEW, RecentIds, Verdict
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import TIME
from flows.carried import conflicting, repeated
from flows.estimators import Rows
from flows.stock.streams import MOVE
from schemas.batch import CONTENT

_EVENT_IDS: Final = f"{MOVE}/event_id"
"""Names the second memory of moves."""


class Once:
    """What was seen of each kind within the dedupe horizon."""

    def __init__(self, dedupe_us: int, streams: Mapping[str, Stream]) -> None:
        self._dedupe = dedupe_us
        self._streams = streams
        self._seen: dict[str, RecentIds] = {}
        self._newest_us = BEGINNING

    def sift(self, rows: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], list[Rows]]:
        """Rows by kind (`arrivals.gathered`) without those that were there before, and what becomes of these."""
        kept: dict[str, pl.DataFrame] = {}
        told: list[Rows] = []
        for kind, frame in rows.items():
            verdict = self._verdicts(kind, frame)
            if verdict.any():
                told += repeated(frame.filter(pl.Series(verdict == DUPLICATE)), self._streams)
                told += conflicting(frame.filter(pl.Series(verdict == CONFLICT)), self._streams)
                frame = frame.filter(pl.Series(verdict == NEW))  # noqa: PLW2901 - what is left of it
            if frame.height:
                kept[kind] = frame
        return kept, told

    def _verdicts(self, kind: str, rows: pl.DataFrame) -> Verdict:
        verdict = self._judged(kind, rows[IDENTITY], rows)
        if kind == MOVE:
            new = verdict == NEW
            fresh = rows.filter(pl.Series(new))
            again = self._judged(_EVENT_IDS, fresh["event_id"].hash(), fresh)
            verdict[new] = np.where(again == NEW, NEW, CONFLICT)
        return verdict

    def _judged(self, memory: str, ids: pl.Series, rows: pl.DataFrame) -> Verdict:
        times = rows[TIME].to_physical().to_numpy()
        seen = self._seen.setdefault(memory, RecentIds(self._dedupe))
        self._newest_us = max(self._newest_us, int(times.max(initial=BEGINNING)))
        return seen.judge(ids.to_numpy(), rows[CONTENT].to_numpy(), times, times)

    def snapshot(self) -> list[Any]:
        """State as primitives and parts."""
        return [self._newest_us, {name: seen.snapshot(self._newest_us) for name, seen in self._seen.items()}]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        self._newest_us, memories = state
        self._seen = {name: RecentIds(self._dedupe) for name in memories}
        for name, pieces in memories.items():
            self._seen[name].restore(pieces)
