"""Adjustments are proposed, decided upon once, and can be undone: nothing in the book is ever edited.

Rules:

- A proposal's id is a digest of all it says, so a decision binds to exactly that. A later proposal for the same key
  takes the place of one that is open: the old one expires, and decisions about it are refused as about a changed one.
- A proposal is accepted, rejected or expired, once. The same decision again does nothing; another one is refused.
- Acceptance makes an `adjust` move. Accepting the reversal id of an accepted proposal makes the opposite move, once.
- Things happen in order of their time; a proposal is there for decisions from its own time on, until it expires.
- What was settled is remembered for `memory_us`; decisions about older proposals are refused as about unknown ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import msgspec
import polars as pl

from domain.inventory.counts import PROPOSED_SCHEMA
from domain.inventory.proposal_tables import (
    ADJUST_MOVE_SCHEMA,
    ADJUSTMENT_SCHEMA,
    BY_TIME,
    CHANGED,
    DECIDED,
    DECISION_SCHEMA,
    EXPIRED,
    NO_DECISION,
    NOT_ACCEPTED,
    REFUSED_DECISION_SCHEMA,
    UNKNOWN,
    Said,
)
from domain.streaming.versions import demand_version
from schemas.ids import event_id

Status = Literal["proposed", "accepted", "rejected", "expired", "reversed"]

PROPOSAL_TYPE: Final = "inventory.adjustment.v1"
REVERSAL_TYPE: Final = "inventory.adjustment.reversal.v1"
MOVE_TYPE: Final = "inventory.adjustment.move.v1"
"""Name the kinds of ids."""

_DAY_US: Final = 86_400_000_000
_STATE_VERSION: Final = 2
_STATUS: Final[dict[str, Status]] = {"accepted": "accepted", "rejected": "rejected", "expired": "expired"}


@dataclass(frozen=True, slots=True)
class Decided:
    """What a call came to, in ADJUSTMENT_SCHEMA, ADJUST_MOVE_SCHEMA and REFUSED_DECISION_SCHEMA, in order of time."""

    adjustments: pl.DataFrame
    moves: pl.DataFrame
    refused: pl.DataFrame


@dataclass(slots=True)
class _Proposal:
    """A proposal and what became of it."""

    proposal: str
    reversal: str
    site: str
    sku: str
    location: str
    quantity: int
    event_id: str
    kind: str
    reason: str
    evidence: str
    expires_us: int
    status: Status = "proposed"
    settled_us: int = 0
    """When its status last changed."""
    replaced: bool = False
    """A later one took its place."""

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

    def __init__(self, expires_after_us: int = 7 * _DAY_US, memory_us: int = 90 * _DAY_US) -> None:
        self._expires_after = expires_after_us
        self._memory = memory_us
        self._known: dict[str, _Proposal] = {}
        self._reversals: dict[str, _Proposal] = {}
        # Insertion order is order of expiry: every proposal is given the same time.
        self._open: dict[tuple[str, str, str], _Proposal] = {}
        self._past: deque[tuple[int, _Proposal]] = deque()

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
            adjustments=pl.DataFrame(output.adjustments, schema=ADJUSTMENT_SCHEMA, orient="row"),
            moves=pl.DataFrame(output.moves, schema=ADJUST_MOVE_SCHEMA, orient="row"),
            refused=pl.DataFrame(output.refused, schema=REFUSED_DECISION_SCHEMA, orient="row"),
        )

    def _propose(self, row: tuple[Any, ...], output: _Output) -> None:
        *key, count, kind, quantity, reason, evidence, time_us = row
        expires_us = time_us + self._expires_after
        name = event_id(PROPOSAL_TYPE, [*key, count, kind, quantity, reason, evidence, expires_us])
        if name in self._known:
            return
        reversal = event_id(REVERSAL_TYPE, [name])
        site, sku, location = key
        new = _Proposal(name, reversal, site, sku, location, quantity, count, kind, reason, evidence, expires_us)
        before = self._open.pop(new.key, None)
        if before:
            before.replaced = True
            self._settle(before, "expired", time_us, output, Said(name))
        self._known[name] = self._reversals[reversal] = self._open[new.key] = new
        self._settle(new, "proposed", time_us, output)

    def _decide(self, decision: _Decision, output: _Output) -> None:
        proposal = self._known.get(decision.proposal)
        reversal = self._reversals.get(decision.proposal)
        if proposal:
            code = self._judged(proposal, decision, output)
        elif reversal:
            code = self._undone(reversal, decision, output)
        else:
            code = UNKNOWN
        if code:
            output.refused.append((*_fields(decision), code))

    def _judged(self, proposal: _Proposal, decision: _Decision, output: _Output) -> str | None:
        wanted = _STATUS.get(decision.decision)
        if wanted is None:
            return NO_DECISION
        if proposal.status != "proposed":
            return _against(proposal, wanted)
        del self._open[proposal.key]
        self._settle(proposal, wanted, decision.time_us, output, decision.said)
        if wanted == "accepted":
            output.moves.append(_move(proposal, proposal.proposal, proposal.quantity, decision.time_us, None))
        return None

    def _undone(self, proposal: _Proposal, decision: _Decision, output: _Output) -> str | None:
        if decision.decision != "accepted":
            return NO_DECISION
        if proposal.status == "reversed":
            return None
        if proposal.status != "accepted":
            return NOT_ACCEPTED
        corrects = _move_id(proposal.proposal)
        self._settle(proposal, "reversed", decision.time_us, output, decision.said)
        output.moves.append(_move(proposal, proposal.reversal, -proposal.quantity, decision.time_us, corrects))
        return None

    def _settle(self, proposal: _Proposal, status: Status, time_us: int, output: _Output, said: Said = BY_TIME) -> None:
        p = proposal
        p.status, p.settled_us = status, time_us
        if status != "proposed":
            self._past.append((time_us, p))
        what = (*p.key, p.quantity, p.event_id, p.kind, p.reason, p.evidence, p.expires_us)
        output.adjustments.append((p.proposal, p.reversal, status, time_us, *what, *said))

    def _pass(self, until_us: int, output: _Output) -> None:
        """Time passes: proposals expire, and what was settled long ago is forgotten."""
        while self._open and (first := next(iter(self._open.values()))).expires_us <= until_us:
            del self._open[first.key]
            self._settle(first, "expired", first.expires_us, output)
        while self._past and self._past[0][0] <= until_us - self._memory:
            settled_us, old = self._past.popleft()
            if settled_us == old.settled_us:  # not reversed later
                del self._known[old.proposal], self._reversals[old.reversal]

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        state = {"version": _STATE_VERSION, "proposals": [asdict(p) for p in self._known.values()]}
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "proposals")
        proposals = [_Proposal(**fields) for fields in state["proposals"]]
        self._known = {p.proposal: p for p in proposals}
        self._reversals = {p.reversal: p for p in proposals}
        self._open = {p.key: p for p in proposals if p.status == "proposed"}
        past = [(p.settled_us, p) for p in proposals if p.status != "proposed"]
        self._past = deque(sorted(past, key=lambda entry: entry[0]))


def _in_order(proposed: pl.DataFrame, decisions: pl.DataFrame) -> Iterator[tuple[Any, ...] | _Decision]:
    """Proposals before decisions of the same time."""
    rows = [(row[-1], 0, row[:-1], row) for row in proposed.select(PROPOSED_SCHEMA.keys()).iter_rows()]
    asked = [_Decision(*row) for row in decisions.select(DECISION_SCHEMA.keys()).iter_rows()]
    events = rows + [(d.time_us, 1, (d.event_id,), d) for d in asked]
    for *_, event in sorted(events, key=lambda e: e[:3]):
        yield event


def _against(proposal: _Proposal, wanted: str) -> str | None:
    """Why a decision about a settled proposal is refused; None of one that says what is so already."""
    if proposal.replaced:
        return CHANGED
    if proposal.status == wanted or (proposal.status == "reversed" and wanted == "accepted"):
        return None
    return EXPIRED if proposal.status == "expired" else DECIDED


def _move(proposal: _Proposal, document: str, quantity: int, time_us: int, corrects: str | None) -> tuple[Any, ...]:
    return (_move_id(document), *proposal.key, quantity, "adjust", document, "1", corrects, time_us, time_us)


def _move_id(document: str) -> str:
    return event_id(MOVE_TYPE, [document])


def _fields(decision: _Decision) -> tuple[Any, ...]:
    return decision.event_id, decision.proposal, decision.decision, decision.by, decision.comment, decision.time_us
