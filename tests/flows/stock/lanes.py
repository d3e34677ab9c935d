"""What the two sites deliver, lane by lane: with the decisions of their people, shuffled, doubled."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from .site import DAY_S, DAYS, DEDUPE_S, HOUR_S, MINUTE_S, START, Message, Site, site, text
from .step_flow import Lane, StockFlow, whole

NOWHERE = Path("parts-are-too-small-for-files")


@cache
def complete(seed: int = 1, days: int = DAYS) -> dict[str, tuple[Message, ...]]:
    """Everything of every stream: what was proposed without any decision is decided upon."""
    made = site(seed, days)
    proposed = whole(NOWHERE, lanes_of(made.streams)).table("adjustment").filter(status="proposed")
    decided = Site(random.Random(seed))
    for proposal in proposed.sort("event_time").iter_rows(named=True):
        _decide(decided, proposal)
    return {name: tuple(made.streams.get(name, [])) for name in made.streams} | {
        "control": (*made.streams["control"], *decided.streams["control"])
    }


def _decide(made: Site, proposal: dict[str, Any]) -> None:
    """What people do about the first proposals of some places; nobody looks at the others."""
    place = f"{proposal['site']}/{proposal['sku']}/{proposal['location']}"
    time_s = (proposal["event_time"] - START).total_seconds()
    day = round(time_s // DAY_S)

    def say(name: str, decision: str, at_s: float, about: str = "proposal", late_s: float = 0.0) -> None:
        row = {"event_id": f"{place}-{name}", "proposal": proposal[about], "decision": decision, "by": "jo"}
        made.tell("control", row, at_s, late_s=late_s)

    evening, morning = day * DAY_S + 18 * HOUR_S, (day + 1) * DAY_S + 10 * HOUR_S
    if (place, day) == ("north/bolt/pick", 3):
        say("yes", "accepted", evening)
        say("yes-again", "accepted", morning)
        say("yes-late", "accepted", evening + 600, late_s=DAY_S)
        say("no-after-yes", "rejected", morning + 60)
        say("undo", "accepted", morning + 2 * DAY_S, "reversal")
        say("undo-again", "accepted", morning + 3 * DAY_S, "reversal")
    if (place, day) == ("south/nut/pick", 4):
        say("no", "rejected", evening)
    if (place, day) == ("south/nut/pick", 5):
        say("replaced", "accepted", morning + DAY_S)
    if (place, day) == ("north/oil/pick", 5):
        say("yes", "accepted", evening - 2 * HOUR_S, late_s=5 * HOUR_S)
    if (place, day) == ("south/bolt/bulk", 4):
        say("too-late", "accepted", morning + 2 * DAY_S)


def lanes_of(streams: dict[str, Iterable[Message]] | dict[str, list[Message]]) -> dict[Lane, list[bytes]]:
    """Messages of each lane in order of arrival."""
    lanes: dict[Lane, list[bytes]] = {}
    for name, messages in streams.items():
        for message in sorted(messages, key=lambda one: one.arrives_s):
            lanes.setdefault((name, message.partition), []).append(message.raw)
    return lanes


@cache
def read_at_once() -> StockFlow:
    """A run over everything that reads each lane at once, one after the other; for tests that only look at it."""
    return whole(NOWHERE, lanes_of(complete()))


def in_time(seed: int = 1) -> dict[str, tuple[Message, ...]]:
    """Everything that is not late."""
    return {
        name: tuple(one for one in messages if one.arrives_s <= one.time_s + MINUTE_S)
        for name, messages in complete(seed).items()
    }


def shuffled(streams: dict[str, tuple[Message, ...]], dice: random.Random, doubled: float) -> dict[Lane, list[bytes]]:
    """The same as a network delivers it that holds messages back for up to four minutes, and repeats a share of them.

    What the gate refuses is not repeated: of that it keeps every copy.
    """
    expected = site().expected
    refused = {name for code in ("uom.values", "reason.values", "decode.json") for name in expected[code]}
    again = {
        name: [
            Message(one.time_s, one.arrives_s + dice.uniform(0, min(DAY_S, DEDUPE_S / 2)), one.partition, one.raw)
            for one in messages
            if dice.random() < doubled and identity(one.raw) not in refused
        ]
        for name, messages in streams.items()
    }
    moved = {
        name: [Message(one.time_s, one.arrives_s + dice.uniform(0, 200), one.partition, one.raw) for one in messages]
        for name, messages in streams.items()
    }
    return lanes_of({name: moved[name] + again[name] for name in streams})


def identity(raw: bytes) -> str:
    """The event id of a message, or the message where it has none."""
    try:
        return str(json.loads(raw)["event_id"])
    except (ValueError, KeyError):
        return raw.decode()


def told(flow: StockFlow) -> dict[str, pl.DataFrame]:
    """All that a run told, but for where messages lay, and how often they came."""
    tables = {name: flow.table(name) for name in RESULTS}
    tables["quarantine"] = flow.table("quarantine").drop("offset").sort("source", "raw")
    return tables


RESULTS = (
    "demand",
    "stock_move",
    "stock_position",
    "reconciliation",
    "adjustment",
    "replenishment",
    "order_proposal",
    "signal",
)
__all__ = [
    "NOWHERE",
    "RESULTS",
    "complete",
    "identity",
    "in_time",
    "lanes_of",
    "read_at_once",
    "shuffled",
    "text",
    "told",
]
