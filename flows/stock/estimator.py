"""Demand and stock as an estimate step drives them: windows of all their streams in, rows of outputs out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl

from domain.demand.calendar import Calendar
from domain.inventory.looks import Timing
from domain.inventory.orders import Orders, papers_of
from domain.inventory.reconcile import ReconcileConfig
from domain.inventory.review import review
from domain.inventory.stockroom import Findings, Stockroom
from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import Stream
from domain.streaming.revisions import Revisions
from domain.streaming.timeline import Release
from domain.streaming.windows import WINDOW_START
from flows.carried import sourced
from flows.estimators import Rows
from flows.settings import Stock
from flows.stock.arrivals import arrivals, gathered
from flows.stock.demand import DemandSide
from flows.stock.once import Once
from flows.stock.refusals import refused_rows
from flows.stock.results import estimated, found, ordered, proposed, reviewed
from flows.stock.streams import CONTROL, SETPOINT
from flows.stock.tables import joined, table
from schemas.outputs import STOCK_MOVE, STOCK_POSITION

_MICRO: Final = 1_000_000


class StockEstimator:
    """Everything that streams of demand and stock come to.

    Windows are worked off bucket by bucket: when a calendar bucket ends, its demand is estimated, and held against the
    stock as it is then.

    At an end of input, windows that are not final are booked in a copy of the ledger: their moves and positions are
    told, and what could still turn out otherwise, estimates, signals and proposals, is not.
    """

    def __init__(self, settings: Stock, streams: Mapping[str, Stream], *, answers_all: bool = True) -> None:
        """`answers_all`: nobody else answers for what decisions are about, so those of unknown things are refused."""
        self._settings = settings
        self._answers_all = answers_all
        self._streams = streams
        self._kinds = {name: stream.contract.partition("@")[0] for name, stream in streams.items()}
        self._window_us = _us(settings.window_s)
        self._calendar = Calendar(settings.bucket, settings.time_zone)
        self._room = self._new_room()
        self._demand = DemandSide(settings)
        self._once = self._new_once()
        self._orders = Orders(_us(settings.order_hold_s))
        self._moves = Revisions(STOCK_MOVE.latest_by, self._window_us)
        self._positions = Revisions((WINDOW_START, "site", "sku", "location"), self._window_us)
        self._stragglers: list[pl.DataFrame] = []
        """Rows that came after their window, for the next one."""

    def on_straggler(self, place: str, rows: pl.DataFrame) -> bool:
        """Rows of a stream that books are kept for the next window; others would make another day's demand wrong."""
        books = self._streams[place.partition("/")[0]].books
        if books:
            self._stragglers.append(sourced(place, rows))
        return books

    def _new_room(self) -> Stockroom:
        timing = Timing(window_us=self._window_us, grace_us=_us(self._settings.grace_s))
        return Stockroom(ReconcileConfig(timing), _us(self._settings.expires_s))

    def _new_once(self) -> Once:
        return Once(_us(self._settings.dedupe_s), self._streams)

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """Rows that follow from windows as they are released."""
        final = [release for release in releases if release.stage == "final"]
        present = [release for release in releases if release.stage == "on_time"]
        return [*(self._final(final) if final else []), *(self._present(present) if present else [])]

    def _final(self, releases: Sequence[Release]) -> list[Rows]:
        rows, told = self._once.sift(self._answered(gathered(releases, self._stragglers, self._kinds)))
        self._stragglers = []
        starts = np.unique([release.window_start for release in releases])
        buckets = self._calendar.floor(starts)
        edges = [0, *(np.flatnonzero(np.diff(buckets)) + 1).tolist(), len(starts)]
        for begin, end in itertools.pairwise(edges):
            told += self._within_bucket(rows, starts[begin:end].tolist())
        return told

    def _answered(self, rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        if self._answers_all or CONTROL not in rows:
            return rows
        mine = rows[CONTROL].filter(pl.col("about").ne_missing(SETPOINT))
        others = {kind: frame for kind, frame in rows.items() if kind != CONTROL}
        return others | ({CONTROL: mine} if mine.height else {})

    def _within_bucket(self, rows: Mapping[str, pl.DataFrame], starts: list[int]) -> list[Rows]:
        until = starts[-1] + self._window_us
        within = pl.col(WINDOW_START).is_between(starts[0], until, closed="left")
        part = {kind: some for kind, frame in rows.items() if (some := frame.filter(within)).height}
        told = self._closed(starts[0])
        unfit = self._demand.take(part)
        came = arrivals(part)
        decisions = came.decisions
        if decisions.height:
            about_orders = self._orders.known(decisions["proposal"])
            came, decisions = replace(came, decisions=decisions.filter(~about_orders)), decisions.filter(about_orders)
        findings = self._room.advance(came, starts)
        papers = papers_of(joined(findings.postings) if self._orders.waits else None)
        fates, refused = self._orders.advance(decisions, papers, until)
        findings.refused_decisions.append(refused)
        told += [*self._booked(findings, until), *found(findings, self._room.base_units), *ordered(fates)]
        told += refused_rows(part, findings, unfit, self._streams)
        return [*told, *self._closed(until)]

    def _closed(self, until_us: int) -> list[Rows]:
        """What follows from buckets that end by then."""
        closed = self._demand.advance(until_us)
        told = estimated(closed)
        if self._demand.items.height == 0 or closed.estimates.height == 0:
            return told
        stock = self._room.ledger.stock()
        for (end,), estimates in closed.estimates.group_by("bucket_end", maintain_order=True):
            told += ordered(self._orders.wait(end_us := int(str(end))))
            awaited, held = self._orders.awaited(), self._orders.held()
            done = review(estimates, self._demand.items, stock, self._settings.bucket, awaited, held)
            told += [*reviewed(done), *ordered(self._orders.propose(proposed(done, estimates), end_us))]
        return told

    def _present(self, releases: Sequence[Release]) -> list[Rows]:
        room = self._new_room()
        room.restore(self._room.snapshot())
        once = self._new_once()
        once.restore(self._once.snapshot())
        rows, _ = once.sift(self._answered(gathered(releases, self._stragglers, self._kinds)))
        findings = room.advance(arrivals(rows), sorted({release.window_start for release in releases}))
        return self._booked(findings, None)

    def _booked(self, findings: Findings, final_until: int | None) -> list[Rows]:
        told: list[Rows] = []
        moves, positions = joined(findings.postings), joined(findings.balances)
        if moves is not None:
            named = moves.rename({"valid_us": "event_time", "time_us": "booked_time", "record_us": "record_time"})
            dated = _dated(self._moves, named, final_until)
            told.append((STOCK_MOVE.name, table(STOCK_MOVE, dated)))
        if positions is not None:
            started = positions.with_columns((pl.col("window_end") - self._window_us).alias(WINDOW_START))
            dated = _dated(self._positions, started.drop("window_end"), final_until)
            told.append((STOCK_POSITION.name, table(STOCK_POSITION, dated)))
        return [rows for rows in told if rows[1].height]

    def snapshot(self) -> list[object]:
        """State as primitives, bytes and parts."""
        told = [self._moves.snapshot(), self._positions.snapshot()]
        stragglers = [to_bytes(rows) for rows in self._stragglers]
        return [
            self._room.snapshot(),
            self._demand.snapshot(),
            *told,
            stragglers,
            self._once.snapshot(),
            self._orders.snapshot(),
        ]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        room, demand, moves, positions, stragglers, once, orders = state
        self._stragglers = [from_bytes(rows) for rows in stragglers]
        self._room.restore(room)
        self._demand.restore(demand)
        self._moves.restore(moves)
        self._positions.restore(positions)
        self._once.restore(once)
        self._orders.restore(orders)


def _dated(revisions: Revisions, rows: pl.DataFrame, final_until: int | None) -> pl.DataFrame:
    return revisions.so_far(rows) if final_until is None else revisions.final(rows, final_until)


def _us(seconds: float) -> int:
    return round(seconds * _MICRO)
