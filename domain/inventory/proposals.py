"""Adjustments are proposed, decided upon once, and can be undone: nothing in the book is ever edited.

Rules:

- A proposal's id is a digest of all it says, so a decision binds to exactly that. A later proposal for the same key
  takes the place of one that is open: the old one expires, and decisions about it are refused as about a changed one.
- It is decided once, taken back once and remembered for a while, as all proposals are (`settlement`).
- Acceptance makes an `adjust` move. Accepting the reversal id of an accepted proposal makes the opposite move.
- Things happen in order of their time; a proposal is there for decisions from its own time on, until it expires.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import polars as pl

from domain.inventory.counts import PROPOSED_SCHEMA
from domain.inventory.proposal_tables import (
    ADJUST_MOVE_SCHEMA,
    ADJUSTMENT_SCHEMA,
    BY_TIME,
    DECISION_SCHEMA,
    REFUSED_DECISION_SCHEMA,
    Said,
)
from domain.inventory.settlement import DAY_US, MEMORY_US, Proposal, Settlement, Status
from domain.streaming.frames import frame_of
from domain.streaming.versions import demand_version
from schemas.ids import event_id

PROPOSAL_TYPE: Final = "inventory.adjustment.v1"
REVERSAL_TYPE: Final = "inventory.adjustment.reversal.v1"
MOVE_TYPE: Final = "inventory.adjustment.move.v1"
"""Name the kinds of ids."""

_STATE_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Decided:
    """What a call came to, in ADJUSTMENT_SCHEMA, ADJUST_MOVE_SCHEMA and REFUSED_DECISION_SCHEMA, in order of time."""

    adjustments: pl.DataFrame
    moves: pl.DataFrame
    refused: pl.DataFrame


@dataclass(slots=True, kw_only=True, eq=False)
class _Adjustment(Proposal):
    """A proposal and what became of it."""

    site: str
    sku: str
    location: str
    quantity: int
    event_id: str
    kind: str
    reason: str
    evidence: str
    expires_us: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.site, self.sku, self.location


@dataclass(frozen=True, slots=True)
class _Decision:
    event_id: str
    proposal: str
    decision: str
    by: str | None
    comment: str | None
    time_us: int

    @property
    def said(self) -> Said:
        return Said(self.event_id, self.by, self.comment)


@dataclass(slots=True)
class _Output:
    adjustments: list[tuple[Any, ...]]
    moves: list[tuple[Any, ...]]
    refused: list[tuple[Any, ...]]


class Proposals:
    """Proposed adjustments of one stream, and their fates."""

    def __init__(self, expires_after_us: int = 7 * DAY_US, memory_us: int = MEMORY_US) -> None:
        self._expires_after = expires_after_us
        self._settlement = Settlement[_Adjustment](memory_us)
        # Insertion order is order of expiry: every proposal is given the same time.
        self._open: dict[tuple[str, str, str], _Adjustment] = {}

    def advance(self, proposed: pl.DataFrame, decisions: pl.DataFrame, until_us: int) -> Decided:
        """Take in proposals (PROPOSED_SCHEMA) and decisions (DECISION_SCHEMA) of times up to `until_us`."""
        output = _Output([], [], [])
        for event in _in_order(proposed, decisions):
            self._pass(event.time_us if isinstance(event, _Decision) else event[-1], output)
            if isinstance(event, _Decision):
                self._decide(event, output)
            else:
                self._propose(event, output)
        self._pass(until_us, output)
        return Decided(
            adjustments=frame_of(output.adjustments, ADJUSTMENT_SCHEMA),
            moves=frame_of(output.moves, ADJUST_MOVE_SCHEMA),
            refused=frame_of(output.refused, REFUSED_DECISION_SCHEMA),
        )

    def _propose(self, row: tuple[Any, ...], output: _Output) -> None:
        *said, time_us = row
        expires_us = time_us + self._expires_after
        name = event_id(PROPOSAL_TYPE, [*said, expires_us])
        if name in self._settlement:
            return
        site, sku, location, count, kind, quantity, reason, evidence = said
        new = _Adjustment(
            proposal=name, reversal=event_id(REVERSAL_TYPE, [name]), site=site, sku=sku, location=location,
            quantity=quantity, event_id=count, kind=kind, reason=reason, evidence=evidence, expires_us=expires_us,
        )  # fmt: skip
        before = self._open.pop(new.key, None)
        if before:
            before.replaced = True
            self._settle(before, "expired", time_us, output, Said(name))
        self._settlement.add(new)
        self._open[new.key] = new
        self._settle(new, "proposed", time_us, output)

    def _decide(self, decision: _Decision, output: _Output) -> None:
        proposal, status, code = self._settlement.answer(decision.proposal, decision.decision)
        if code:
            output.refused.append((*_fields(decision), code))
        if proposal is None or status is None:
            return
        if status != "reversed":
            del self._open[proposal.key]
        self._settle(proposal, status, decision.time_us, output, decision.said)
        if status == "accepted":
            output.moves.append(_move(proposal, proposal.proposal, proposal.quantity, decision.time_us, None))
        elif status == "reversed":
            corrects = _move_id(proposal.proposal)
            output.moves.append(_move(proposal, proposal.reversal, -proposal.quantity, decision.time_us, corrects))

    def _settle(self, one: _Adjustment, status: Status, time_us: int, output: _Output, said: Said = BY_TIME) -> None:
        self._settlement.settle(one, status, time_us)
        what = (*one.key, one.quantity, one.event_id, one.kind, one.reason, one.evidence, one.expires_us)
        output.adjustments.append((one.proposal, one.reversal, status, time_us, *what, *said))

    def _pass(self, until_us: int, output: _Output) -> None:
        """Time passes: proposals expire, and what was settled long ago is forgotten."""
        while self._open and (first := next(iter(self._open.values()))).expires_us <= until_us:
            del self._open[first.key]
            self._settle(first, "expired", first.expires_us, output)
        self._settlement.forget(until_us)

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        return msgspec.msgpack.encode({"version": _STATE_VERSION, "proposals": self._settlement.state()})

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "proposals")
        proposals = [_Adjustment(**fields) for fields in state["proposals"]]
        self._settlement.restore(proposals)
        self._open = {one.key: one for one in proposals if one.status == "proposed"}


def _in_order(proposed: pl.DataFrame, decisions: pl.DataFrame) -> Iterator[tuple[Any, ...] | _Decision]:
    """Proposals before decisions of the same time."""
    if not proposed.height + decisions.height:
        return
    rows = [(row[-1], 0, row[:-1], row) for row in proposed.select(PROPOSED_SCHEMA.keys()).iter_rows()]
    asked = [_Decision(*row) for row in decisions.select(DECISION_SCHEMA.keys()).iter_rows()]
    events = rows + [(d.time_us, 1, (d.event_id,), d) for d in asked]
    for *_, event in sorted(events, key=lambda e: e[:3]):
        yield event


def _move(proposal: _Adjustment, document: str, quantity: int, time_us: int, corrects: str | None) -> tuple[Any, ...]:
    return (_move_id(document), *proposal.key, quantity, "adjust", document, "1", corrects, time_us, time_us)


def _move_id(document: str) -> str:
    return event_id(MOVE_TYPE, [document])


def _fields(decision: _Decision) -> tuple[Any, ...]:
    return decision.event_id, decision.proposal, decision.decision, decision.by, decision.comment, decision.time_us
