"""Demand and stock as an estimate step drives them: windows of all their streams in, rows of outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from domain.inventory.looks import Timing
from domain.inventory.reconcile import ReconcileConfig
from domain.inventory.stockroom import Findings, Stockroom
from domain.streaming.partition import IDENTITY, Stream
from domain.streaming.revisions import Revisions
from domain.streaming.timeline import Release
from domain.streaming.windows import WINDOW_START
from flows.estimators import Rows
from flows.settings import Stock
from flows.stock.arrivals import arrivals, gathered
from flows.stock.refusals import refused
from flows.stock.signals import invariant_signals, leak_signals
from flows.stock.streams import CONTROL, COUNT, MOVE, SNAPSHOT
from flows.stock.tables import joined, table
from schemas.outputs import ADJUSTMENT, RECONCILIATION, SIGNAL, STOCK_MOVE, STOCK_POSITION

_MICRO = 1_000_000


class StockEstimator:
    """Everything that streams of demand and stock come to.

    At an end of input, windows that are not final are booked in a copy of the ledger: their moves and positions are
    told, and what could still turn out otherwise, signals and proposals, is not.
    """

    def __init__(self, settings: Stock, streams: Mapping[str, Stream]) -> None:
        self._settings = settings
        self._streams = streams
        self._kinds = {name: stream.contract.partition("@")[0] for name, stream in streams.items()}
        self._window_us = _us(settings.window_s)
        self._room = self._new_room()
        self._moves = Revisions(STOCK_MOVE.latest_by, self._window_us)
        self._positions = Revisions((WINDOW_START, "site", "sku", "location"), self._window_us)

    def _new_room(self) -> Stockroom:
        timing = Timing(window_us=self._window_us, grace_us=_us(self._settings.grace_s))
        return Stockroom(ReconcileConfig(timing), _us(self._settings.expires_s))

    def on_releases(self, releases: Sequence[Release]) -> list[Rows]:
        """Rows that follow from windows as they are released."""
        final = [release for release in releases if release.stage == "final"]
        present = [release for release in releases if release.stage == "on_time"]
        return [*(self._final(final) if final else []), *(self._present(present) if present else [])]

    def _final(self, releases: Sequence[Release]) -> list[Rows]:
        rows = gathered(releases, self._kinds)
        starts = sorted({release.window_start for release in releases})
        findings = self._room.advance(arrivals(rows), starts)
        return [
            *self._booked(findings, starts[-1] + self._window_us),
            *_found(findings),
            *self._refused(rows, findings),
        ]

    def _present(self, releases: Sequence[Release]) -> list[Rows]:
        room = self._new_room()
        room.restore(self._room.snapshot())
        rows = gathered(releases, self._kinds)
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

    def _refused(self, rows: Mapping[str, pl.DataFrame], findings: Findings) -> list[Rows]:
        told: list[Rows] = []
        moves, counts, decisions = (
            joined(frames) for frames in (findings.refused_moves, findings.refused_counts, findings.refused_decisions)
        )
        if moves is not None:
            if MOVE in rows:
                told += refused(rows[MOVE], moves, [IDENTITY], self._streams)
            if SNAPSHOT in rows:
                openings = moves.filter(reason="opening").select("code", event_id="document")
                told += refused(rows[SNAPSHOT], openings, ["event_id"], self._streams)
        for kind in (COUNT, SNAPSHOT):
            if counts is not None and kind in rows:
                told += refused(rows[kind], counts, ["event_id"], self._streams)
        if decisions is not None:
            told += refused(rows[CONTROL], decisions, ["event_id"], self._streams)
        return told

    def snapshot(self) -> bytes:
        """State as MessagePack."""
        return msgspec.msgpack.encode([self._room.snapshot(), self._moves.snapshot(), self._positions.snapshot()])

    def restore(self, data: bytes) -> None:
        """Take up a snapshot."""
        room, moves, positions = msgspec.msgpack.decode(data)
        self._room.restore(room)
        self._moves.restore(moves)
        self._positions.restore(positions)


def _found(findings: Findings) -> list[Rows]:
    """What somebody should know of, or decide upon."""
    told: list[Rows] = []
    looks, adjustments = joined(findings.looks), joined(findings.adjustments)
    invariants, leaks = joined(findings.invariants), joined(findings.leaks)
    if looks is not None:
        told.append(
            (RECONCILIATION.name, table(RECONCILIATION, looks, {"as_of_us": "as_of", "looked_us": "event_time"}))
        )
    if adjustments is not None:
        named = {"time_us": "event_time", "expires_us": "expires_at"}
        told.append((ADJUSTMENT.name, table(ADJUSTMENT, adjustments, named)))
    if invariants is not None:
        told.append((SIGNAL.name, invariant_signals(invariants)))
    if leaks is not None:
        told.append((SIGNAL.name, leak_signals(leaks)))
    return told


def _dated(revisions: Revisions, rows: pl.DataFrame, final_until: int | None) -> pl.DataFrame:
    return revisions.so_far(rows) if final_until is None else revisions.final(rows, final_until)


def _us(seconds: float) -> int:
    return round(seconds * _MICRO)
