"""Entities by number, so that a window is a few short arrays and costs no group-by, join or sort of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from domain.throughput.counters import WINDOW_START, Bool
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

    @property
    def robots(self) -> Int64:
        """Robots that reported (rows)."""
        robots: Int64 = self.counts[COUNTS.index("robots")]
        return robots

    def equals(self, other: EntityWindow) -> bool:
        """Whether entities and counts are the same, window start aside."""
        return np.array_equal(self.codes, other.codes) and np.array_equal(self.counts, other.counts)


class Entities:
    """Numbers entities from 0 in order of appearance. A number is never given anew.

    A window has few rows, and a call of Polars costs more than they do: here all but the sorting of new keys is plain
    Python and numpy.
    """

    def __init__(self, keys: pl.DataFrame) -> None:
        """`keys`: `LEVEL_KEY` of the entities known at the outset, in order of their numbers."""
        self._keys = keys.select(LEVEL_KEY)
        self._numbers = {key: number for number, key in enumerate(self._keys.iter_rows())}
        self._room = 2 * keys.height + _ROOM
        self._look_up()

    def __len__(self) -> int:
        """Entities numbered so far."""
        return len(self._numbers)

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
        return pl.DataFrame([*keys, pl.Series(WINDOW_START, starts), *columns])

    def keys(self, codes: Int64) -> pl.DataFrame:
        """`LEVEL_KEY` of entities by number."""
        return self._keys[codes]

    def sites(self, windows: Sequence[EntityWindow]) -> Int64:
        """Place, in `rows` of windows, of the row of each row's site in its window; -1 where there is none."""
        places, first = [], 0
        for window in windows:
            place = np.full(len(self) + 1, -1)  # one more: what -1, no site, points to
            place[window.codes] = np.arange(first, first + len(window.codes))
            places.append(place[self._site[window.codes]])
            first += len(window.codes)
        return np.concatenate(places)

    def are_robots(self, window: EntityWindow) -> Bool:
        """Which rows of a window are of robots, not of zones or sites."""
        return self._is_robot[window.codes]

    def _codes(self, rows: pl.DataFrame) -> Int64:
        known = len(self)
        numbers = self._numbers
        keys = zip(*(rows[name].to_list() for name in LEVEL_KEY), strict=True)
        codes = [numbers.setdefault(key, len(numbers)) for key in keys]
        if len(self) > known:
            added = pl.DataFrame(list(numbers)[known:], schema=self._keys.schema, orient="row")
            self._keys = pl.concat([self._keys, added])
            self._look_up()
        return np.array(codes, dtype=np.int64)

    def _look_up(self) -> None:
        """Tables by number: place in the order of keys, whether a robot, and the number of the site, -1 if none."""
        order = self._keys.with_row_index(_CODE).sort(LEVEL_KEY)[_CODE].to_numpy()
        # Cheaper to sort rows by than three strings.
        self._ranks = np.empty(len(self), dtype=np.int64)
        self._ranks[order] = np.arange(len(self))
        self._is_robot = np.array([level == "robot" for level, _, _ in self._numbers], dtype=np.bool_)
        sites = {site: code for code, (level, site, _) in enumerate(self._numbers) if level == "site"}
        self._site = np.array([sites.get(site, -1) for site in self._keys["site"]], dtype=np.int64)
