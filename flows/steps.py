"""The two stateful operators: one per source partition, one per stream. Thin shells around the pure logic."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import polars as pl
from bytewax.operators import StatefulBatchLogic

from domain.streaming.partition import PartitionLogic
from domain.streaming.revisions import Revisions
from domain.streaming.timeline import Release, Timeline
from domain.streaming.windows import Closed
from flows.estimators import Estimator, Rows
from flows.feed import Feed
from flows.kinds import Kind, Published
from flows.progress_items import Ended, Idle, Progress
from flows.signals import breaker_signals, straggler_signal
from flows.state import StepState
from flows.valve import Valve
from quality.breaker import Breaker
from schemas.batch import GatedBatch, RawBatch
from schemas.outputs import SIGNAL

Item = Rows | Progress


class PartitionStep(StatefulBatchLogic[GatedBatch, Item, bytes]):
    """Breaker, dedupe, lateness and windows of one source partition."""

    def __init__(
        self,
        logic: PartitionLogic,
        kind: Kind,
        breaker: Breaker,
        valve: Callable[[RawBatch], Valve],
        stored: StepState,
        *,
        idle_polls: int,
    ) -> None:
        self._logic = logic
        self._stored = stored
        self._kind = kind
        self._revisions = Revisions(kind.published.key if kind.published else (), logic.bounds.window_us)
        self._breaker = breaker
        self._valve = valve
        self._idle_polls = idle_polls
        self._silent = 0
        self._read = 0

    def on_batch(self, values: list[GatedBatch]) -> tuple[Iterable[Item], bool]:
        """Work off the batches of one poll."""
        items: list[Item] = []
        for batch in values:
            items += self._on_gated(batch) if len(batch.raw) else self._on_silence()
        return items, StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[Iterable[Item], bool]:
        """End of a bounded input: what is new or changed in windows that are not final."""
        present = self._logic.on_end()
        items: list[Item] = []
        if self._kind.published is not None:
            items += self._rows(self._kind.published, self._revisions.so_far(self._kind.published.finish(present)))
        if self._kind.estimated:
            items.append(Ended(present))
        return items, StatefulBatchLogic.RETAIN

    def _on_gated(self, batch: GatedBatch) -> list[Item]:
        self._silent = 0
        newest_us = self._logic.newest_us
        outcome = self._logic.on_batch(batch)
        items: list[Item] = [*outcome.outputs, *self._closed(outcome.closed)]
        events = self._breaker.observe(batch)
        if events:
            items.append((SIGNAL.name, breaker_signals(batch, events, newest_us)))
        valve = self._valve(batch.raw)
        self._read += len(batch.raw)
        if self._breaker.open_on is None:
            valve.open()
        elif self._read >= self._breaker.rule.block_rows:
            # Not before this start has read a whole block, on which a breaker that was left open may close.
            valve.shut(f"rule {self._breaker.open_on} fails too often")
        return items

    def _on_silence(self) -> list[Item]:
        self._silent += 1
        if self._silent != self._idle_polls or not self._kind.estimated:
            return []
        return [Idle(self._logic.on_end())]

    def _closed(self, closed: list[Closed]) -> list[Item]:
        items: list[Item] = []
        for part in closed:
            if self._kind.published is not None:
                items += self._publish(part, self._kind.published)
            if self._kind.estimated:
                items.append(part)
        return items

    def _publish(self, part: Closed, published: Published) -> list[Item]:
        return [
            *self._rows(published, self._revisions.so_far(published.finish(part.on_time))),
            *self._rows(published, self._revisions.final(published.finish(part.final), part.final_until)),
        ]

    def _rows(self, published: Published, rows: pl.DataFrame) -> list[Item]:
        if rows.height == 0:
            return []
        contract = pl.lit(self._logic.contract).alias("contract")
        return [(published.output.name, rows.with_columns(contract).select(published.output.schema.keys()))]

    def snapshot(self) -> bytes:
        """State as bytes."""
        return self._stored.encode([self._logic.snapshot(), self._revisions.snapshot(), self._breaker.snapshot()])

    def restore(self, data: bytes) -> None:
        """Take up a snapshot."""
        logic, revisions, breaker = self._stored.decode(data)
        self._logic.restore(logic)
        self._revisions.restore(revisions)
        self._breaker.restore(breaker)


class EstimateStep(StatefulBatchLogic[tuple[str, Progress], Item, bytes]):
    """Merges the partitions of a stream, or of several, in event-time order and learns from the merged windows."""

    def __init__(
        self, timeline: Timeline, estimator: Estimator, stored: StepState, feed: Feed | None = None, within: str = ""
    ) -> None:
        """`feed`: what another step gets to know of the outcome; `within` names a step that streams share."""
        self._timeline = timeline
        self._stored = stored
        self._estimator = estimator
        self._feed = feed
        self._within = within

    def on_batch(self, values: list[tuple[str, Progress]]) -> tuple[Iterable[Item], bool]:
        """Take what partitions closed, or that they fell silent or ended."""
        items: list[Item] = []
        waiting: list[Release] = []
        for partition, item in values:
            releases, stragglers = self._merged(partition, item)
            waiting += releases
            silent = self._feed is not None and self._timeline.silent
            if stragglers or silent:
                # What an estimator makes of a straggler, and who hears of silence, takes what came before as known.
                items += self._learn(waiting)
                waiting = []
            for part in stragglers:
                booked = self._estimator.on_straggler(partition, part)
                items.append((SIGNAL.name, straggler_signal(partition, part, booked=booked, within=self._within)))
            if self._feed and silent:
                items.append(Idle(self._feed.nothing()))
        # All at once: to learn costs much whatever the number of windows.
        return [*items, *self._learn(waiting)], StatefulBatchLogic.RETAIN

    def _merged(self, partition: str, item: Progress) -> tuple[list[Release], list[pl.DataFrame]]:
        if isinstance(item, Idle):
            return self._timeline.idle(partition, item.present)
        if isinstance(item, Ended):
            return self._timeline.ended(partition, item.present)
        return self._timeline.advance(partition, item)

    def on_eof(self) -> tuple[Iterable[Item], bool]:
        """End of all bounded input: what is new or changed."""
        items = self._learn(self._timeline.end())
        if self._feed:
            items.append(Ended(self._feed.nothing()))
        return items, StatefulBatchLogic.RETAIN

    def _learn(self, releases: list[Release]) -> list[Item]:
        if not releases:
            return []
        told = self._estimator.on_releases(releases)
        final = [release.window_start for release in releases if release.stage == "final"]
        if self._feed and final:
            # As far as windows were released, not as far as the timeline is: what ends between is told with the next.
            return [*told, self._feed.closed(told, final[-1] + self._timeline.window_us)]
        return [*told]

    def snapshot(self) -> bytes:
        """State as bytes."""
        return self._stored.encode([self._timeline.snapshot(), self._estimator.snapshot()])

    def restore(self, data: bytes) -> None:
        """Take up a snapshot."""
        timeline, estimator = self._stored.decode(data)
        self._timeline.restore(timeline)
        self._estimator.restore(estimator)
