"""Stockrooms for tests: rows of their streams, and what they say when windows are dealt into calls."""

from __future__ import annotations

import itertools
from dataclasses import fields

import polars as pl

from domain.inventory.counts import ITEM_SCHEMA
from domain.inventory.looks import Timing
from domain.inventory.reconcile import ReconcileConfig
from domain.inventory.stockroom import STATED_SCHEMA, WINDOWED_DECISION_SCHEMA, Arrivals, Findings, Stockroom
from domain.inventory.tables import MOVE_SCHEMA
from domain.streaming.windows import WINDOW_START

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WINDOW = HOUR // 4
NOON = 20_000 * DAY + 12 * HOUR
"""Times in these tests are microseconds after it."""
EXPIRES = 7 * DAY


def move(name, quantity, at, *, late=0, **values):
    """Units moved at a time, booked so much later."""
    place = {"site": "north", "sku": "bolt", "location": "pick", "uom": "each", "reason": "adjust"}
    none = dict.fromkeys(("to_site", "to_location", "corrects"))
    times = {"valid_us": NOON + at, "time_us": NOON + at + late, "record_us": NOON + at + late}
    row = place | none | {"event_id": name, "document": name, "line": "1", "quantity": _milli(quantity)} | times
    return row | {"_identity": _identity(name)} | _window(NOON + at + late) | values


def stated(name, quantity, at, *, reported=0, **values):
    """A count, or another system's statement, as of a time and reported so much later."""
    place = {"site": "north", "sku": "bolt", "location": "pick", "uom": "each"}
    times = {"as_of_us": NOON + at, "time_us": NOON + at + reported}
    row = {"event_id": name, "kind": "count", "quantity": _milli(quantity)} | place | times
    return row | _window(NOON + at + reported) | values


def decision(name, proposal, said, at):
    """What jo decides at a time."""
    row = {"event_id": name, "proposal": proposal, "decision": said, "by": "jo", "time_us": NOON + at}
    return row | _window(NOON + at)


def item(at=-30 * DAY, sku="bolt", abc="B"):
    """A SKU's master data, known from a time on."""
    row = {"sku": sku, "abc": abc, "unit_cost": 3.0, "pack": None, "time_us": NOON + at}
    return row | _window(NOON + at)


def _milli(quantity):
    return None if quantity is None else round(quantity * 1_000)


def _identity(name):
    return int.from_bytes(name.encode().rjust(8, b"\0")[-8:], "big")


def _window(time_us):
    return {WINDOW_START: time_us // WINDOW * WINDOW}


SCHEMAS = {
    "moves": MOVE_SCHEMA,
    "counts": STATED_SCHEMA,
    "statements": STATED_SCHEMA,
    "items": {**ITEM_SCHEMA, WINDOW_START: pl.Int64},
    "decisions": WINDOWED_DECISION_SCHEMA,
}


def room():
    return Stockroom(ReconcileConfig(Timing(window_us=WINDOW)), EXPIRES)


def arrivals(**rows):
    rows |= {"statements": [row | {"kind": "statement"} for row in rows.get("statements", [])]}
    return Arrivals(**{name: pl.DataFrame(rows.get(name, []), schema=schema) for name, schema in SCHEMAS.items()})


def starts_of(given_rows):
    frames = [getattr(given_rows, name) for name in SCHEMAS]
    return sorted({start for frame in frames for start in frame[WINDOW_START]})


def play(given_rows, cuts=(), *, restart=False, until=None):
    """All findings, as a frame per kind, of windows dealt into calls that end before the windows of these numbers.

    With `until` an empty window at that time comes last, as one does in which other streams have rows.
    """
    subject, said = room(), Findings()
    starts = starts_of(given_rows) + ([] if until is None else [(NOON + until) // WINDOW * WINDOW])
    edges = sorted({0, len(starts), *(c for c in cuts if c < len(starts))})
    for begin, end in itertools.pairwise(edges):
        if restart:
            data, subject = subject.snapshot(), room()
            subject.restore(data)
        part = starts[begin:end]
        found = subject.advance(given_rows.between(part[0], part[-1] + WINDOW), part)
        for field in fields(Findings):
            getattr(said, field.name).extend(getattr(found, field.name))
    frames = {field.name: getattr(said, field.name) for field in fields(Findings)}
    return {name: pl.concat(parts) if parts else pl.DataFrame() for name, parts in frames.items()}


def codes(frame):
    return dict(zip(frame["event_id"], frame["code"], strict=True)) if frame.height else {}


OPENING = move("open", 100, -2 * DAY, reason="opening")
SHORT = stated("c1", 80, 0, reported=20 * MINUTE)
"""A count that finds twenty units less than the book has."""


def proposal_of(*more_moves, counts=(SHORT,)):
    """What is proposed once the final look at the count is done."""
    said = play(arrivals(moves=[OPENING, *more_moves], counts=counts, items=[item()]), until=2 * DAY)
    return said["adjustments"].row(0, named=True)


def decided(*decisions, counts=(SHORT,), until=10 * DAY):
    given_rows = arrivals(moves=[OPENING], counts=counts, items=[item()], decisions=decisions)
    return play(given_rows, until=until)


def statuses(said):
    return said["adjustments"].select("status", "decision").rows()


def adjusted(said):
    moves = said["postings"].filter(pl.col("reason") == "adjust")
    return moves.select("on_hand", "document", "corrects").rows()
