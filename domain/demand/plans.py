"""What is known ahead: promotions that will run, and forecasts that an outsider gives.

Each fact has the time at which it became known, and holds for a bucket's estimate only when that lies before the
bucket's end: so it does not show in which call a fact came. Of several versions the latest known one holds, and of
those known at once the largest. A forecast must be known before its bucket begins; what comes later is no forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from domain.demand.calendar import Calendar

Key = tuple[str, str]
"""Site and SKU."""

PROMOTIONS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "promotion": pl.String,
    "site": pl.String,
    "sku": pl.String,
    "starts_us": pl.Int64,
    "ends_us": pl.Int64,
    "time_us": pl.Int64,
}
"""A promotion runs in [starts_us, ends_us) and became known at time_us; the same name again replaces it."""

FORECASTS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "sku": pl.String,
    "bucket_start": pl.Int64,
    "quantity": pl.Int64,
    "time_us": pl.Int64,
}
"""An outsider's forecast in thousandths of the base unit, of the bucket that `bucket_start` falls in."""


class Ahead(NamedTuple):
    """Of a series at the end of a bucket: the bucket itself and the buckets of the horizon, in order."""

    promoted: bool
    outside: float | None
    promoted_ahead: list[bool]
    outside_ahead: list[float | None]


class Plans:
    """Promotions and outside forecasts of all series."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._promotions: dict[Key, list[tuple[str, int, int, int]]] = {}
        self._forecasts: dict[Key, dict[int, list[tuple[int, int]]]] = {}

    def promote(self, rows: pl.DataFrame) -> None:
        """Take in `PROMOTIONS`."""
        columns = ("site", "sku", "promotion", "time_us", "ends_us", "starts_us")
        for site, sku, *promotion in rows.select(columns).iter_rows():
            name, known, ends, starts = promotion
            self._promotions.setdefault((site, sku), []).append((name, known, ends, starts))

    def forecast(self, rows: pl.DataFrame) -> None:
        """Take in `FORECASTS`."""
        starts = self._calendar.floor(rows["bucket_start"].to_numpy()).tolist()
        for (site, sku, quantity, known), start in zip(
            rows.select("site", "sku", "quantity", "time_us").iter_rows(), starts, strict=True
        ):
            self._forecasts.setdefault((site, sku), {}).setdefault(start, []).append((known, quantity))

    def ahead(self, key: Key, start: int, edges: Sequence[int]) -> Ahead | None:
        """What was known of a series when the bucket from `start` to `edges[0]` ended; None: nothing.

        `edges` are the ends of the bucket and of those of the horizon.
        """
        if key not in self._promotions and key not in self._forecasts:
            return None
        runs = self._running(key, edges[0])
        buckets = list(zip((start, *edges), edges, strict=False))
        promoted = [any(begins < end and ends > begin for ends, begins in runs) for begin, end in buckets]
        given = self._forecasts.get(key, {})
        outside = [_known(given.get(begin, ()), min(begin, edges[0])) for begin, _ in buckets]
        return Ahead(promoted[0], outside[0], promoted[1:], outside[1:])

    def _running(self, key: Key, now: int) -> list[tuple[int, int]]:
        newest: dict[str, tuple[int, int, int]] = {}
        for name, known, ends, starts in self._promotions.get(key, ()):
            if known < now:
                newest[name] = max(newest.get(name, (known, ends, starts)), (known, ends, starts))
        return [(ends, starts) for _, ends, starts in newest.values()]

    def forget(self, until_us: int) -> None:
        """Drop what is over by `until_us`, the start of the first open bucket."""
        for key in [key for key, versions in self._promotions.items() if all(v[2] <= until_us for v in versions)]:
            del self._promotions[key]
        for key, given in list(self._forecasts.items()):
            kept = {start: versions for start, versions in given.items() if start >= until_us}
            if kept:
                self._forecasts[key] = kept
            else:
                del self._forecasts[key]

    def snapshot(self) -> list[Any]:
        """State as primitives, in an order of its own."""
        promotions = [[*key, sorted(versions)] for key, versions in sorted(self._promotions.items())]
        forecasts = [
            [*key, [[start, sorted(versions)] for start, versions in sorted(given.items())]]
            for key, given in sorted(self._forecasts.items())
        ]
        return [promotions, forecasts]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        promotions, forecasts = state
        self._promotions = {(site, sku): [tuple(v) for v in versions] for site, sku, versions in promotions}
        self._forecasts = {
            (site, sku): {start: [tuple(v) for v in versions] for start, versions in given}
            for site, sku, given in forecasts
        }


def _known(versions: Sequence[tuple[int, int]], before: int) -> float | None:
    known = [version for version in versions if version[0] < before]
    return max(known)[1] / 1000 if known else None
