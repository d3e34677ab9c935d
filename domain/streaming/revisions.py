"""Numbered results: revision 0 when a window is due, revision 1 if late rows changed it until it was final."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.windows import WINDOW_START

_KNOWN = "_known"
_WAS = "_was"


class Revisions:
    """Remembers what was emitted for windows that are not final, to emit again only what changed."""

    def __init__(self, key: Sequence[str], window_us: int) -> None:
        self._key = list(key)
        self._window = window_us
        self._emitted: pl.DataFrame | None = None

    def on_time(self, results: pl.DataFrame) -> pl.DataFrame:
        """Rows to emit for windows that are due: all of them, as revision 0."""
        if results.height:
            self._emitted = results if self._emitted is None else pl.concat([self._emitted, results])
        return self._numbered(results, 0, final=False)

    def final(self, results: pl.DataFrame, until: int) -> pl.DataFrame:
        """Rows to emit for final windows, all that end by `until`: those that changed, or were never emitted."""
        if self._emitted is None:
            return self._numbered(results, 0, final=True)
        was = self._emitted.with_columns(pl.lit(value=True).alias(_KNOWN))
        both = results.join(was, on=self._key, how="left", suffix=_WAS, nulls_equal=True)
        values = [c for c in results.columns if c not in self._key]
        differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(c + _WAS)) for c in values)
        known = pl.col(_KNOWN).is_not_null()
        changed = self._numbered(both.filter(known & differs).select(results.columns), 1, final=True)
        fresh = self._numbered(both.filter(~known).select(results.columns), 0, final=True)
        self._emitted = self._emitted.filter(pl.col(WINDOW_START) + self._window > until)
        return pl.concat([fresh, changed]).sort(self._key)

    def _numbered(self, rows: pl.DataFrame, revision: int, *, final: bool) -> pl.DataFrame:
        start = pl.col(WINDOW_START)
        return rows.with_columns(
            start.cast(pl.Datetime("us", "UTC")),
            (start + self._window).cast(pl.Datetime("us", "UTC")).alias("window_end"),
            pl.lit(revision, pl.Int64).alias("revision"),
            pl.lit(final).alias("final"),
        )

    def snapshot(self) -> bytes | None:
        """State as Arrow bytes, or None when nothing was emitted yet."""
        return None if self._emitted is None else to_bytes(self._emitted)

    def restore(self, data: bytes | None) -> None:
        """Take up a snapshot."""
        self._emitted = None if data is None else from_bytes(data)
