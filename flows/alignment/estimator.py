"""Capacity and demand as an estimate step drives them: windows of all their streams in, rows of outputs out.

Only final windows count: what was decided cannot be revised, so rows that may still come must be in before. At the end
of input, windows that are not final decide nothing; they wait for a run that goes on.

What is due at whole multiples of the interval is done when the last window before has been learned. A stretch without
any window has two such times: its first, which finds that nothing is heard any more, and its last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import Stream
from domain.streaming.timeline import Release
from flows.alignment.arrivals import Window, window
from flows.alignment.desk import Desk
from flows.alignment.sections import Alignment
from flows.carried import refused, sourced
from flows.estimators import Rows
from flows.setting_sections import Time
from flows.stock.streams import CONTROL

_NEVER: Final = -1


class AlignmentEstimator:
    """Everything that robots, tasks and their demand come to."""

    def __init__(self, settings: Alignment, time: Time, streams: Mapping[str, Stream]) -> None:
        self._streams = streams
        self._kinds = {name: stream.contract.partition("@")[0] for name, stream in streams.items()}
        self._window_us = round(time.window_s * 1e6)
        self._interval_us = round(settings.interval_s * 1e6)
        self._desk = Desk(settings, self._window_us, answered=CONTROL in self._kinds.values())
        self._reviewed = _NEVER
        """Up to when all reviews are made."""
        self._stragglers: list[pl.DataFrame] = []
        """Rows that came after their window, for the next one."""

    def on_straggler(self, place: str, rows: pl.DataFrame) -> bool:
        """Rows of a stream that books are kept for the next window; of others, what was decided stands."""
        stream = self._streams.get(place.partition("/")[0])
        books = stream is not None and stream.books
        if books:
            self._stragglers.append(sourced(place, rows))
        return books

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """Rows that follow from final windows as they are released."""
        return [rows for release in releases if release.stage == "final" for rows in self._released(release)]

    def _released(self, release: Release) -> Iterator[Rows]:
        start, end = release.window_start, release.window_start + self._window_us
        if self._reviewed == _NEVER:
            self._reviewed = start
        yield from self._reviews(start)
        stragglers, self._stragglers = self._placed(start), []
        yield from self._learned(window(start, release.partials, stragglers, self._kinds), end)
        if end == self._floor(end):
            yield from self._reviews(end)
        else:
            yield from self._desk.recover(end)
            self._reviewed = end

    def _placed(self, start: int) -> list[pl.DataFrame]:
        """Stragglers at the start of a window: nothing is taken in before what was taken in already."""
        time = pl.Datetime("us", "UTC")
        return [rows.with_columns(pl.lit(start).cast(time).alias("event_time")) for rows in self._stragglers]

    def _learned(self, brought: Window, end: int) -> Iterator[Rows]:
        learned = self._desk.learn(brought, end)
        yield from learned.told
        for rows, by in learned.refused:
            yield from refused(rows, rows, by, self._streams)

    def _reviews(self, until: int) -> Iterator[Rows]:
        # The interval may be another than it was when the last one was made.
        due = range(self._floor(self._reviewed) + self._interval_us, until + 1, self._interval_us)
        for at in sorted({*due[:1], *due[-1:]}):
            yield from self._desk.review(at)
        self._reviewed = until

    def _floor(self, time_us: int) -> int:
        return time_us - time_us % self._interval_us

    def snapshot(self) -> list[object]:
        """State as primitives and bytes."""
        return [self._desk.snapshot(), self._reviewed, [to_bytes(rows) for rows in self._stragglers]]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        desk, self._reviewed, stragglers = state
        self._desk.restore(desk)
        self._stragglers = [from_bytes(rows) for rows in stragglers]
