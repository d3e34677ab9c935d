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
from typing import Any, Final

import polars as pl

from domain.inventory.base_units import beyond, in_base
from domain.inventory.codes import DIMENSION, INEXACT, OVERFLOW
from domain.inventory.counts import COUNT_SCHEMA, ITEM_SCHEMA, PROPOSED_SCHEMA, REFUSED_COUNT_SCHEMA
from domain.inventory.ledger import HEAD as LEDGER_HEAD
from domain.inventory.ledger import Ledger
from domain.inventory.openings import opening_moves, opens
from domain.inventory.proposal_tables import DECISION_SCHEMA
from domain.inventory.proposals import Proposals
from domain.inventory.reconcile import ReconcileConfig, Reconciler
from domain.inventory.tables import KEY, MOVE_SCHEMA, POSTING_SCHEMA, Schema
from domain.streaming.frames import frame_of
from domain.streaming.parts import Part
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import WINDOW_START
from schemas.errors import RecoveryError

STATED_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "kind": pl.String,
    **dict.fromkeys(KEY, pl.String),
    "quantity": pl.Int64,
    "uom": pl.String,
    "as_of_us": pl.Int64,
    "time_us": pl.Int64,
    WINDOW_START: pl.Int64,
}
"""A count, or a statement of another system: `quantity` in thousandths of `uom`, null where it is no whole number."""

WINDOWED_DECISION_SCHEMA: Final[Schema] = {**DECISION_SCHEMA, WINDOW_START: pl.Int64}

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

    @property
    def empty(self) -> bool:
        """Whether there is no row."""
        return not any(frame.height for frame in (self.moves, self.counts, self.statements, self.items, self.decisions))

    def between(self, start: int, end: int) -> Arrivals:
        """Rows of windows that start in [start, end)."""
        within = pl.col(WINDOW_START).is_between(start, end, closed="left")
        frames = (self.moves, self.counts, self.statements, self.items, self.decisions)
        return Arrivals(*(frame.filter(within) if frame.height else frame for frame in frames))


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
        self._untouched = True
        """Nothing ever came, so nothing can come of the passing of time."""
        self._parts: dict[str, Part] = {}
        self._units: dict[str, str] = {}
        """Base units of SKUs that were counted and never moved."""

    def advance(self, arrivals: Arrivals, starts: Sequence[int]) -> Findings:
        """Work off the windows with these starts, rising."""
        findings = Findings()
        if self._untouched and arrivals.empty:
            return findings  # where there is demand alone, the rest would take two fifths of the time
        self._untouched = False
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
        counted, openings = rows.counts, list[pl.DataFrame]()
        if rows.statements.height:
            counted, openings = self._stated(rows, booked, start)
        known = self.ledger.base_units(counted["sku"])
        parts = [rows.moves, *booked, *openings]
        posted = self.ledger.post(pl.concat(parts) if len(parts) > 1 else rows.moves)
        findings.postings.append(posted.postings)
        findings.balances.append(posted.balances)
        findings.invariants.append(posted.findings)
        findings.refused_moves.append(posted.refused)
        counts = self._counts(counted, known, posted.postings, findings)
        self._reconcile(counts, rows.items, posted.postings, end, findings)

    def _decided(self, rows: Arrivals, start: int, findings: Findings) -> list[pl.DataFrame]:
        """Moves that follow from the decisions of the window at `start`."""
        decisions = rows.decisions.select(DECISION_SCHEMA.keys())
        decided = self._proposals.advance(frame_of((), PROPOSED_SCHEMA), decisions, start)
        findings.adjustments.append(decided.adjustments)
        findings.refused_decisions.append(decided.refused)
        if decided.moves.height == 0:
            return []
        units = self.base_units(decided.moves["sku"])
        return [_as_moves(decided.moves.with_columns(units.alias("uom")), start)]

    def _reconcile(
        self, counts: pl.DataFrame, items: pl.DataFrame, postings: pl.DataFrame, until: int, findings: Findings
    ) -> None:
        done = self._reconciler.advance(counts, items.select(ITEM_SCHEMA.keys()), postings, until, self.ledger)
        findings.looks.append(done.looks)
        findings.leaks.append(done.leaks)
        findings.refused_counts.append(done.refused)
        decided = self._proposals.advance(done.proposed, frame_of((), DECISION_SCHEMA), until)
        findings.adjustments.append(decided.adjustments)

    def _stated(
        self, rows: Arrivals, booked: Sequence[pl.DataFrame], start: int
    ) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        """What is counted, statements of known keys among it, and moves that open the others' books."""
        statements = rows.statements.sort("time_us", "event_id")
        first = rows.moves.filter(pl.col(WINDOW_START) == start)
        opening = opens(statements, pl.concat([first, *booked]), self.ledger, start)
        counted = pl.concat([rows.counts, statements.filter(~opening)])
        moves = opening_moves(statements.filter(opening))
        return counted, [_as_moves(moves, start)] if moves.height else []

    def _counts(
        self, stated: pl.DataFrame, known: pl.Series, postings: pl.DataFrame, findings: Findings
    ) -> pl.DataFrame:
        """Counts in the base unit; what has no such quantity, or is of another dimension, is refused.

        `known` are base units of their SKUs before this stretch of windows, `postings` what was booked in it.
        """
        if stated.height == 0:
            return _NO_COUNTS
        quantity, own = in_base(stated["quantity"], stated["uom"])
        asked = stated.select(*KEY, booked_us=pl.col(WINDOW_START) + self._window - 1)
        place = self.ledger.known(asked)["location_known"]
        large = beyond(stated["quantity"], stated["uom"]).alias("large")
        rows = stated.with_columns(quantity, large, own=own, known=known, fine=place & quantity.is_not_null())
        # Which count binds its SKU must not depend on the calls: in order of time, windows of later ones last.
        rows = rows.sort(WINDOW_START, "time_us", "event_id", "kind")
        held = self._held(rows, postings)
        code = pl.when(rows["own"] != held).then(pl.lit(DIMENSION)).when(pl.col("large")).then(pl.lit(OVERFLOW))
        rows = rows.with_columns(code.when(pl.col("quantity").is_null()).then(pl.lit(INEXACT)).alias("code"))
        findings.refused_counts.append(rows.filter(pl.col("code").is_not_null()).select(REFUSED_COUNT_SCHEMA.keys()))
        return rows.filter(pl.col("code").is_null()).select(COUNT_SCHEMA.keys())

    def _held(self, counts: pl.DataFrame, postings: pl.DataFrame) -> pl.Series:
        """The base unit that each SKU is held to: that of its moves so far, or else of its first count."""
        moved = postings.group_by("sku").agg(pl.col(WINDOW_START).min().alias("since"), pl.col("uom").first())
        rows = counts.select("sku", "own", "known", "fine", WINDOW_START)
        rows = rows.join(moved, on="sku", how="left", maintain_order="left")
        by_now = pl.when(pl.col("since") <= pl.col(WINDOW_START)).then("uom")
        rows = rows.select("sku", "own", "fine", held=pl.coalesce("known", by_now))
        return pl.Series([self._bound(*row) for row in rows.iter_rows()], dtype=pl.String)

    def _bound(self, sku: str, own: str, fine: bool, held: str | None) -> str:
        """The unit of a count's SKU; a count that is refused binds nobody."""
        if held is not None:
            return held
        return self._units.setdefault(sku, own) if fine else self._units.get(sku, own)

    def base_units(self, skus: pl.Series) -> pl.Series:
        """Base unit that each SKU is held to, by its moves or else by its first count; null for an unknown one."""
        return self.ledger.base_units(skus).fill_null(skus.replace_strict(self._units, default=None))

    def snapshot(self) -> dict[str, Any]:
        """State as primitives, bytes and parts."""
        pieces = self.ledger.snapshot_parts()
        head = pieces.pop(LEDGER_HEAD)
        self._parts = {name: self._parts.get(name) or Part(data) for name, data in pieces.items()}
        return {
            "version": _STATE_VERSION,
            "head": head,
            "parts": self._parts,
            "reconciler": self._reconciler.snapshot(),
            "proposals": self._proposals.snapshot(),
            "units": self._units,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot; one of another version is refused."""
        if state["version"] != _STATE_VERSION:
            raise RecoveryError(
                f"state of the stockroom has version {state['version']}, this is {_STATE_VERSION}",
                fix="finish the run with the version of Takt that began it, or start a new run",
            )
        self._untouched = False
        self._parts = dict(state["parts"])
        self.ledger.restore_parts({LEDGER_HEAD: state["head"], **{n: p.read() for n, p in self._parts.items()}})
        self._reconciler.restore(state["reconciler"])
        self._proposals.restore(state["proposals"])
        self._units = dict(state["units"])


def _as_moves(moves: pl.DataFrame, window_start: int) -> pl.DataFrame:
    """Moves of our own making, as rows of a window; their id tells them apart."""
    return moves.with_columns(
        pl.lit(None, pl.String).alias("to_site"),
        pl.lit(None, pl.String).alias("to_location"),
        pl.col("time_us").alias("record_us"),
        pl.col("event_id").hash().alias("_identity"),
        pl.lit(window_start).alias(WINDOW_START),
    ).select(MOVE_SCHEMA.keys())
