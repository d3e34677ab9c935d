"""Ledger, reconciliation and proposals as one: moves, counts, statements and decisions in, all that follows out.

Rules:

- A call brings rows of one or many whole windows, in order; how windows are dealt into calls changes nothing.
- A decision is judged by the proposals made before its window, and what it books is booked in its window.
- A statement of another system opens the book of a key that nothing was ever moved at; of any other key it is a count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import polars as pl

from domain.inventory.base_units import in_base
from domain.inventory.codes import DIMENSION, INEXACT
from domain.inventory.counts import COUNT_SCHEMA, ITEM_SCHEMA, PROPOSED_SCHEMA, REFUSED_COUNT_SCHEMA
from domain.inventory.ledger import Ledger
from domain.inventory.proposal_tables import DECISION_SCHEMA
from domain.inventory.proposals import Proposals
from domain.inventory.reconcile import ReconcileConfig, Reconciler
from domain.inventory.tables import KEY, MOVE_SCHEMA, POSTING_SCHEMA, Schema
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import WINDOW_START
from schemas.errors import RecoveryError
from schemas.ids import event_id

STATED_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    **dict.fromkeys(KEY, pl.String),
    "quantity": pl.Int64,
    "uom": pl.String,
    "as_of_us": pl.Int64,
    "time_us": pl.Int64,
    WINDOW_START: pl.Int64,
}
"""A count, or a statement of another system: `quantity` in thousandths of `uom`, null where it is no whole number."""

WINDOWED_DECISION_SCHEMA: Final[Schema] = {**DECISION_SCHEMA, WINDOW_START: pl.Int64}

OPENING_TYPE: Final = "inventory.opening.v1"
"""Names the kind of id that opening moves have."""

_STATE_VERSION: Final = 1
_SPAN_US: Final = 12 * 3_600_000_000
"""So much event time is worked off at once: the ledger's history must reach back from its end to what looks ask."""


_NO_COUNTS: Final = pl.DataFrame(schema=COUNT_SCHEMA)
_NO_ITEMS: Final = pl.DataFrame(schema=ITEM_SCHEMA)
_NO_POSTINGS: Final = pl.DataFrame(schema=POSTING_SCHEMA)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows of whole windows: MOVE_SCHEMA, STATED_SCHEMA twice, ITEM_SCHEMA with window_start, decisions likewise."""

    moves: pl.DataFrame
    counts: pl.DataFrame
    statements: pl.DataFrame
    items: pl.DataFrame
    decisions: pl.DataFrame

    def between(self, start: int, end: int) -> Arrivals:
        """Rows of windows that start in [start, end)."""
        within = pl.col(WINDOW_START).is_between(start, end, closed="left")
        frames = (self.moves, self.counts, self.statements, self.items, self.decisions)
        return Arrivals(*(frame.filter(within) for frame in frames))


@dataclass(slots=True)
class Findings:
    """All that came of a call, as lists of frames: see `ledger.Posted`, `reconcile.Reconciled`, `proposals.Decided`."""

    postings: list[pl.DataFrame] = field(default_factory=list)
    balances: list[pl.DataFrame] = field(default_factory=list)
    invariants: list[pl.DataFrame] = field(default_factory=list)
    looks: list[pl.DataFrame] = field(default_factory=list)
    leaks: list[pl.DataFrame] = field(default_factory=list)
    adjustments: list[pl.DataFrame] = field(default_factory=list)
    refused_moves: list[pl.DataFrame] = field(default_factory=list)
    refused_counts: list[pl.DataFrame] = field(default_factory=list)
    refused_decisions: list[pl.DataFrame] = field(default_factory=list)


class Stockroom:
    """Stock of all keys of a flow."""

    def __init__(self, config: ReconcileConfig, expires_after_us: int) -> None:
        timing = config.timing
        self._window = timing.window_us
        self.ledger = Ledger(timing.window_us, timing.memory_us + _SPAN_US + timing.window_us)
        self._reconciler = Reconciler(config)
        self._proposals = Proposals(expires_after_us)
        self._until = BEGINNING
        self._units: dict[str, str] = {}
        """Base units of SKUs that were counted and never moved."""

    def advance(self, arrivals: Arrivals, starts: Sequence[int]) -> Findings:
        """Work off the windows with these starts, rising."""
        findings = Findings()
        for start, end in self._spans(arrivals, starts):
            self._span(arrivals.between(start, end), start, end, findings)
        return findings

    def _spans(self, arrivals: Arrivals, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Stretches of windows: one with decisions or statements can only be first, none is longer than is allowed."""
        marked = {*arrivals.decisions[WINDOW_START], *arrivals.statements[WINDOW_START]}
        begin: int | None = None
        for start, following in itertools.pairwise([*starts, None]):
            if start is None:
                return
            begin = start if begin is None else begin
            cut = following is None or following in marked or following + self._window - begin > _SPAN_US
            if cut:
                yield begin, start + self._window
                begin = None

    def _span(self, rows: Arrivals, start: int, end: int, findings: Findings) -> None:
        if start > self._until or rows.decisions.height:
            # Looks that fell due meanwhile ask for a past that the ledger forgets as it moves on.
            self._reconcile(_NO_COUNTS, _NO_ITEMS, _NO_POSTINGS, start, findings)
        self._until = end
        booked = self._decided(rows, start, findings) if rows.decisions.height else []
        stated, openings = self._stated(rows, start) if rows.statements.height else (rows.counts, None)
        parts = [rows.moves, *booked, *([openings] if openings is not None else [])]
        posted = self.ledger.post(pl.concat(parts) if len(parts) > 1 else rows.moves)
        findings.postings.append(posted.postings)
        findings.balances.append(posted.balances)
        findings.invariants.append(posted.findings)
        findings.refused_moves.append(posted.refused)
        counts = self._counts(stated, findings)
        self._reconcile(counts, rows.items, posted.postings, end, findings)

    def _decided(self, rows: Arrivals, start: int, findings: Findings) -> list[pl.DataFrame]:
        """Moves that follow from the decisions of the window at `start`."""
        decisions = rows.decisions.select(DECISION_SCHEMA.keys())
        decided = self._proposals.advance(pl.DataFrame(schema=PROPOSED_SCHEMA), decisions, start)
        findings.adjustments.append(decided.adjustments)
        findings.refused_decisions.append(decided.refused)
        if decided.moves.height == 0:
            return []
        skus = decided.moves["sku"]
        units = self.ledger.base_units(skus).fill_null(skus.replace_strict(self._units, default=None))
        return [_as_moves(decided.moves.with_columns(units.alias("uom")), start)]

    def _reconcile(
        self, counts: pl.DataFrame, items: pl.DataFrame, postings: pl.DataFrame, until: int, findings: Findings
    ) -> None:
        done = self._reconciler.advance(counts, items.select(ITEM_SCHEMA.keys()), postings, until, self.ledger)
        findings.looks.append(done.looks)
        findings.leaks.append(done.leaks)
        findings.refused_counts.append(done.refused)
        decided = self._proposals.advance(done.proposed, pl.DataFrame(schema=DECISION_SCHEMA), until)
        findings.adjustments.append(decided.adjustments)

    def _stated(self, rows: Arrivals, start: int) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """What is counted in the first window, statements of known keys among it, and moves that open the others."""
        statements = rows.statements.sort("time_us", "event_id")
        before = self.ledger.known(statements.select(*KEY, booked_us=pl.lit(start - 1)))["known"]
        first_moved = rows.moves.group_by(KEY).agg(moved_us=pl.col("time_us").min())
        moved = statements.join(first_moved, on=KEY, how="left", maintain_order="left")["moved_us"]
        first = statements.select(pl.struct(KEY).is_first_distinct()).to_series()
        known = before | (moved <= statements["time_us"]).fill_null(value=False) | ~first
        opening = statements.filter(~known)
        counted = pl.concat([rows.counts, statements.filter(known)])
        if opening.height == 0:
            return counted, None
        ids = [event_id(OPENING_TYPE, [name]) for name in opening["event_id"]]
        moves = opening.select(
            pl.Series("event_id", ids),
            *KEY,
            "quantity",
            "uom",
            pl.lit("opening").alias("reason"),
            pl.col("event_id").alias("document"),
            pl.lit("1").alias("line"),
            pl.lit(None, pl.String).alias("corrects"),
            pl.col("as_of_us").alias("valid_us"),
            "time_us",
        )
        return counted, _as_moves(moves, start)

    def _counts(self, stated: pl.DataFrame, findings: Findings) -> pl.DataFrame:
        """Counts in the base unit; what has no such quantity, or is of another dimension, is refused."""
        if stated.height == 0:
            return pl.DataFrame(schema=COUNT_SCHEMA)
        quantity, base = in_base(stated["quantity"], stated["uom"])
        held = self._held(stated["sku"], base)
        code = pl.when(base != held).then(pl.lit(DIMENSION)).when(quantity.is_null()).then(pl.lit(INEXACT))
        rows = stated.with_columns(quantity, code.alias("code"))
        findings.refused_counts.append(rows.filter(pl.col("code").is_not_null()).select(REFUSED_COUNT_SCHEMA.keys()))
        return rows.filter(pl.col("code").is_null()).select(COUNT_SCHEMA.keys())

    def _held(self, skus: pl.Series, units: pl.Series) -> pl.Series:
        """The base unit that each SKU is held to: that of its moves, or else of its first count."""
        known = self.ledger.base_units(skus)
        return pl.Series(
            [
                unit if unit is not None else self._units.setdefault(sku, own)
                for sku, unit, own in zip(skus, known, units, strict=True)
            ],
            dtype=pl.String,
        )

    def snapshot(self) -> bytes:
        """State as MessagePack."""
        state = {
            "version": _STATE_VERSION,
            "ledger": self.ledger.snapshot(),
            "reconciler": self._reconciler.snapshot(),
            "proposals": self._proposals.snapshot(),
            "units": self._units,
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        if state["version"] != _STATE_VERSION:
            raise RecoveryError(
                f"state of the stockroom has version {state['version']}, this is {_STATE_VERSION}",
                fix="finish the run with the version of Takt that began it, or start a new run",
            )
        self.ledger.restore(state["ledger"])
        self._reconciler.restore(state["reconciler"])
        self._proposals.restore(state["proposals"])
        self._units = state["units"]


def _as_moves(moves: pl.DataFrame, window_start: int) -> pl.DataFrame:
    """Moves of our own making, as rows of a window; their id tells them apart."""
    return moves.with_columns(
        pl.lit(None, pl.String).alias("to_site"),
        pl.lit(None, pl.String).alias("to_location"),
        pl.col("time_us").alias("record_us"),
        pl.col("event_id").hash().alias("_identity"),
        pl.lit(window_start).alias(WINDOW_START),
    ).select(MOVE_SCHEMA.keys())
