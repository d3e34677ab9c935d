"""Entities by number, so that a window is a few short arrays and costs no group-by, join or sort of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from domain.throughput.counters import WINDOW_START
from domain.throughput.levels import LEVEL_KEY, LEVEL_SCHEMA
from domain.throughput.rate import Float64, Int64

COUNTS: Final = tuple(name for name in LEVEL_SCHEMA if name not in (*LEVEL_KEY, WINDOW_START))
"""Rows of `EntityWindow.counts`."""
_HOUR_US: Final = 3_600_000_000
_ROOM: Final = 1024
_CODE: Final = "code"


@dataclass(frozen=True, slots=True)
class EntityWindow:
    """`LEVEL_SCHEMA` rows of one window in order of their key."""

    start: int
    codes: Int64
    """Entities (rows)."""
    counts: Int64
    """`COUNTS` (columns, rows)."""
    hours: Float64
    """Available and busy hours (2, rows), which follow from the counts."""

    @property
    def tasks(self) -> Int64:
        """Tasks finished (rows)."""
        tasks: Int64 = self.counts[COUNTS.index("tasks")]
        return tasks

    def equals(self, other: EntityWindow) -> bool:
        """Whether entities and counts are the same, window start aside."""
        return np.array_equal(self.codes, other.codes) and np.array_equal(self.counts, other.counts)


class Entities:
    """Numbers entities from 0 in order of appearance. A number is never given anew."""

    def __init__(self, keys: pl.DataFrame) -> None:
        """`keys`: `LEVEL_KEY` of the entities known at the outset, in order of their numbers."""
        self._keys = _numbered(keys.select(LEVEL_KEY), 0)
        self._ranks = _ranks(self._keys)
        self._room = 2 * keys.height + _ROOM

    def __len__(self) -> int:
        """Entities numbered so far."""
        return self._keys.height

    @property
    def crowded(self) -> bool:
        """Whether so many were added that it pays to number afresh those that are still of interest."""
        return len(self) > self._room

    def windows(self, rows: pl.DataFrame) -> dict[int, EntityWindow]:
        """Windows in order by start, of `LEVEL_SCHEMA` rows in any order; new entities get numbers."""
        codes, starts = self._codes(rows), rows[WINDOW_START].to_numpy()
        order = np.lexsort((self._ranks[codes], starts))
        codes, starts = codes[order], starts[order]
        cuts = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), rows.height] if rows.height else []
        counts = np.stack([rows[name].to_numpy()[order] for name in COUNTS])
        hours = counts[[COUNTS.index("available_us"), COUNTS.index("busy_us")]] / _HOUR_US
        return {
            int(starts[a]): EntityWindow(int(starts[a]), codes[a:b], counts[:, a:b], hours[:, a:b])
            for a, b in pairwise(cuts)
        }

    def rows(self, windows: Sequence[EntityWindow]) -> pl.DataFrame:
        """`LEVEL_SCHEMA` rows of windows, one or more, in the order of the windows."""
        keys = self.keys(np.concatenate([window.codes for window in windows]))
        starts = np.repeat([window.start for window in windows], [len(window.codes) for window in windows])
        counts = np.concatenate([window.counts for window in windows], axis=1)
        columns = [pl.Series(name, values) for name, values in zip(COUNTS, counts, strict=True)]
        return keys.with_columns(pl.Series(WINDOW_START, starts), *columns).select(LEVEL_SCHEMA.keys())

    def keys(self, codes: Int64) -> pl.DataFrame:
        """`LEVEL_KEY` of entities by number."""
        return self._keys.select(pl.col(LEVEL_KEY).gather(codes))

    def _codes(self, rows: pl.DataFrame) -> Int64:
        found = self._find(rows)
        if found[_CODE].null_count():
            new = found.filter(pl.col(_CODE).is_null()).select(LEVEL_KEY).unique(maintain_order=True)
            self._keys = pl.concat([self._keys, _numbered(new, len(self))])
            self._ranks = _ranks(self._keys)
            found = self._find(rows)
        return found[_CODE].to_numpy()

    def _find(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(LEVEL_KEY).join(self._keys, on=LEVEL_KEY, how="left", maintain_order="left")


def _numbered(keys: pl.DataFrame, first: int) -> pl.DataFrame:
    return keys.with_columns(pl.Series(_CODE, np.arange(first, first + keys.height)))


def _ranks(keys: pl.DataFrame) -> Int64:
    """Place of each entity in the order of keys: cheaper to sort rows by than three strings."""
    ranks = np.empty(keys.height, dtype=np.int64)
    ranks[keys.sort(LEVEL_KEY)[_CODE].to_numpy()] = np.arange(keys.height)
    return ranks
