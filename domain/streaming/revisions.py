"""Numbered results: a window is told when something is known of it, and as the next revision each time it changed.

It may be told on time, at ends of the input, and when it is final. What was told last is remembered until then, and
what does not differ from it is not told again.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.windows import WINDOW_START

_REVISION = "revision"
_WAS = "_was"


class Revisions:
    """Remembers what was told last of windows that are not final, to tell only what is new or changed."""

    def __init__(self, key: Sequence[str], window_us: int) -> None:
        self._key = list(key)
        self._window = window_us
        self._told: pl.DataFrame | None = None

    def so_far(self, results: pl.DataFrame) -> pl.DataFrame:
        """Rows to tell of windows that can still change."""
        news = self._news(results)
        if self._told is None:
            self._told = news
        elif news.height:
            kept = self._told if _all_first(news) else self._told.join(news, on=self._key, how="anti", nulls_equal=True)
            self._told = pl.concat([kept, news])
        return self._dated(news, final=False)

    def final(self, results: pl.DataFrame, until: int) -> pl.DataFrame:
        """Rows to tell of final windows, all that end by `until`, which are then forgotten."""
        news = self._news(results)
        if self._told is not None:
            self._told = self._told.filter(pl.col(WINDOW_START) + self._window > until)
        return self._dated(news, final=True)

    def _news(self, results: pl.DataFrame) -> pl.DataFrame:
        """Results that were never told or differ from what was told last, in their order, with their revision."""
        if self._told is None or self._told.is_empty():
            return results.with_columns(pl.lit(0, pl.Int64).alias(_REVISION))
        both = results.join(self._told, on=self._key, how="left", suffix=_WAS, nulls_equal=True, maintain_order="left")
        values = [name for name in results.columns if name not in self._key]
        differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name + _WAS)) for name in values)
        before = pl.col(_REVISION)
        news = both.filter(before.is_null() | differs)
        return news.select(*results.columns, (before + 1).fill_null(0))

    def _dated(self, news: pl.DataFrame, *, final: bool) -> pl.DataFrame:
        start = pl.col(WINDOW_START)
        return news.with_columns(
            start.cast(pl.Datetime("us", "UTC")),
            (start + self._window).cast(pl.Datetime("us", "UTC")).alias("window_end"),
            pl.lit(final).alias("final"),
        )

    def snapshot(self) -> bytes | None:
        """State as Arrow bytes, or None when nothing was told yet."""
        return None if self._told is None else to_bytes(self._told)

    def restore(self, data: bytes | None) -> None:
        """Take up a snapshot."""
        self._told = None if data is None else from_bytes(data)


def _all_first(news: pl.DataFrame) -> bool:
    return bool((news[_REVISION] == 0).all())
