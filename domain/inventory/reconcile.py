"""Counts against the book, as of the moment of the count.

Rules:

- A count is looked at when its window is released, and again 24 h later in event time, when late papers are in. Both
  looks know what was booked before them and nothing else; so how windows are dealt into calls changes nothing.
- Only the final look proposes anything. What adjustments booked since already made good is not proposed again.
- Adjustments are no moves that could have raced with a count.
- A count of a place where nothing was ever moved, or as of a time too long ago or still to come, is refused.

A call may bring many windows, but no more than the ledger's history allows: an answer that it no longer has is an
error, never a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import polars as pl

from domain.inventory.adjustments import Adjustments
from domain.inventory.catalogue import Catalogue
from domain.inventory.classify import Item, Judge, Verdict, units
from domain.inventory.counts import LEAK_SCHEMA, PROPOSED_SCHEMA, RECONCILIATION_SCHEMA, StockBook
from domain.inventory.cusum import CusumLimits
from domain.inventory.leaks import Counted, Leak, LeakWatch
from domain.inventory.looks import Due, Looks, Timing
from domain.inventory.mis_key import SlipRates
from domain.inventory.steadiness import Steadiness
from domain.inventory.tolerance import Noise, Tolerance
from domain.inventory.units import MILLI
from domain.streaming.frames import frame_of
from domain.streaming.versions import demand_version
from schemas.ids import event_id

_STATE_VERSION = 2

LEAK_TYPE: Final = "inventory.leak.v1"
"""Names the kind of id that alarms have."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ReconcileConfig:
    """How counts are reconciled."""

    timing: Timing = field(default_factory=Timing)
    tolerance: Tolerance = field(default_factory=Tolerance)
    noise: Noise = field(default_factory=Noise)
    slips: SlipRates = field(default_factory=SlipRates)
    cusum: CusumLimits = field(default_factory=CusumLimits)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a call came to, in RECONCILIATION_SCHEMA, LEAK_SCHEMA, PROPOSED_SCHEMA and REFUSED_COUNT_SCHEMA."""

    looks: pl.DataFrame
    leaks: pl.DataFrame
    proposed: pl.DataFrame
    refused: pl.DataFrame


@dataclass(slots=True)
class _Output:
    looks: list[Row] = field(default_factory=list)
    leaks: list[Row] = field(default_factory=list)
    proposed: list[Row] = field(default_factory=list)


class Reconciler:
    """Reconciles the counts of one stream."""

    def __init__(self, config: ReconcileConfig) -> None:
        self._config = config
        self._judge = Judge(config.tolerance, config.noise, config.slips)
        self._looks = Looks(config.timing)
        self._watch = LeakWatch(config.cusum, config.noise)
        self._adjustments = Adjustments()
        self._catalogue = Catalogue()
        self._steadiness = Steadiness()

    def advance(
        self, counts: pl.DataFrame, items: pl.DataFrame, postings: pl.DataFrame, until_us: int, book: StockBook
    ) -> Reconciled:
        """Reconcile what is due by `until_us`, the end of the last window of this call.

        `counts` (COUNT_SCHEMA) and `items` (ITEM_SCHEMA) are those of whole windows up to then, `postings`
        (POSTING_SCHEMA) what the ledger made of the same windows' moves, and `book` that ledger after them.
        """
        self._catalogue.add(items)
        self._adjustments.add(postings)
        due, refused = self._looks.due(counts, until_us, book, self._adjustments)
        output = _Output()
        for one in due:
            self._catalogue.advance(one.knowledge.looked_us)
            self._look(one, output)
        self._catalogue.advance(until_us)
        self._adjustments.forget(until_us - self._config.timing.memory_us, self._watch.last)
        return Reconciled(
            looks=frame_of(output.looks, RECONCILIATION_SCHEMA),
            leaks=frame_of(output.leaks, LEAK_SCHEMA),
            proposed=frame_of(output.proposed, PROPOSED_SCHEMA),
            refused=refused,
        )

    def _look(self, due: Due, output: _Output) -> None:
        item = self._catalogue.of(due.key[1])
        verdict = self._judge.verdict(due.look, item)
        if due.look.stage == "first":
            self._steadiness.first((due.kind, due.event_id), verdict.name)
            steady = self._steadiness.share(verdict.name)
            output.looks.append(_look_row(due, verdict, item, verdict.confidence * steady))
            return
        self._steadiness.final((due.kind, due.event_id), verdict.name)
        row = _look_row(due, verdict, item, verdict.confidence)
        output.looks.append(row)
        leaks = self._leaks(due, verdict, item)
        output.leaks += [_leak_row(due, leak) for leak in leaks]
        own = next((leak for leak in leaks if leak.location is not None), None)
        output.proposed += self._proposed(due, verdict, own, row)

    def _leaks(self, due: Due, verdict: Verdict, item: Item) -> list[Leak]:
        if verdict.name == "mis_key":
            return []
        look, key, last = due.look, due.key, self._watch.last(due.key)
        count = Counted(
            key=key,
            abc=item.abc,
            knowledge=due.knowledge,
            book=look.book,
            difference=verdict.unexplained + verdict.by_moves,
            moved=look.before.gross + look.after.gross,
            moves=look.before.moves + look.after.moves,
            adjusted=self._adjustments.since(key, last, due.knowledge) if last else 0,
        )
        return self._watch.learn(count)

    def _proposed(self, due: Due, verdict: Verdict, leak: Leak | None, row: Row) -> list[Row]:
        if verdict.name in {"shrinkage", "gain"}:
            missing, least = verdict.unexplained, verdict.tolerance
        elif leak:
            missing, least = verdict.unexplained + verdict.by_moves, 0
        else:
            return []
        quantity = missing - self._adjustments.after(due.key, due.knowledge)
        if abs(quantity) <= least:
            return []
        reason, evidence = row[-2:]
        if leak:
            reason = f"{reason}; {_leak_sentence(leak)}"
        return [(*due.key, due.event_id, due.kind, quantity, reason, evidence, due.knowledge.looked_us)]

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        state = {
            "version": _STATE_VERSION,
            "looks": self._looks.state(),
            "watch": self._watch.state(),
            "adjustments": self._adjustments.state(),
            "catalogue": self._catalogue.state(),
            "steadiness": self._steadiness.state(),
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "reconciliation")
        self._looks.take_up(state["looks"])
        self._watch.take_up(state["watch"])
        self._adjustments.take_up(state["adjustments"])
        self._catalogue.take_up(state["catalogue"])
        self._steadiness.take_up(state["steadiness"])


def _look_row(due: Due, verdict: Verdict, item: Item, confidence: float) -> Row:
    look = due.look
    worth = None if item.unit_cost is None else verdict.unexplained * item.unit_cost / MILLI
    said = f"counted {units(look.counted)}, booked {units(look.book)}: {units(look.difference)}, {verdict.because}"
    return (
        due.event_id,
        due.kind,
        look.stage,
        *due.key,
        *due.knowledge,
        look.counted,
        look.book,
        look.difference,
        verdict.by_moves,
        verdict.by_transfers,
        verdict.unexplained,
        verdict.name,
        verdict.slip.slip if verdict.slip else None,
        confidence,
        verdict.tolerance,
        worth,
        said,
        _evidence(due, verdict),
    )


def _evidence(due: Due, verdict: Verdict) -> str:
    look = due.look
    sides = {"before": look.before, "after": look.after}
    found: dict[str, Any] = {
        due.kind: due.event_id,
        "book_at_first_look": look.first_book,
        "in_transit": look.in_transit,
        "moves_near": {name: {"moves": n.moves, "net": n.net, "gross": n.gross} for name, n in sides.items()},
    }
    if verdict.slip:
        slip = verdict.slip
        found["slip"] = {"kind": slip.slip, "meant": slip.meant, "probability": round(slip.probability, 6)}
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def _leak_row(due: Due, leak: Leak) -> Row:
    alarm = leak.alarm
    name = event_id(LEAK_TYPE, [leak.site, leak.sku, leak.location or "", due.kind, due.event_id])
    where = (leak.site, leak.sku, leak.location)
    figures = (alarm.since_us, alarm.terms, alarm.quantity, alarm.statistic)
    return (name, *where, alarm.direction, due.event_id, *due.knowledge, *figures, _leak_sentence(leak))


def _leak_sentence(leak: Leak) -> str:
    alarm = leak.alarm
    what = "went" if alarm.direction == "loss" else "came"
    where = "in all locations together" if leak.location is None else "here"
    return f"{units(abs(alarm.quantity))} {what} {where} over {alarm.terms} counts, a little each time"
