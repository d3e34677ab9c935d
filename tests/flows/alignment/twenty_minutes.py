"""Twenty minutes of the floor with everything that can happen, lane by lane: what is told to five sources."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from domain.twin.streams import ROBOT_STATE, TASK

from .floor import START, at, clean
from .step_flow import PARTITIONS, FloorFlow, Lane, settings_of_steps, whole

NOWHERE = Path("parts-are-too-small-for-files")
MINUTE_S = 60.0
HOUR_S = 3600.0
SPAN_S = 1200.0
ZONES = (("north", "pick"), ("north", "dock"), ("south", "pack"))


@dataclass
class Half:
    """Messages by lane, with the seconds after the start when each arrives."""

    dice: random.Random
    lanes: dict[Lane, list[tuple[float, bytes]]] = field(default_factory=dict)

    def tell(self, source: str, entity: str, fields: dict[str, Any], time_s: float, late_s: float = 0.0) -> None:
        """A message that arrives within seconds, or so much later."""
        raw = json.dumps(fields | {"event_time": at(time_s)}).encode()
        lane = (source, str(zlib.crc32(entity.encode()) % len(PARTITIONS)))
        self.lanes.setdefault(lane, []).append((time_s + late_s + self.dice.uniform(0, 4), raw))

    def in_order(self) -> dict[Lane, list[bytes]]:
        """Messages in order of arrival."""
        return {lane: [raw for _, raw in sorted(rows)] for lane, rows in self.lanes.items()}


def _floor(made: Half) -> None:
    """Robots and their tasks; some of both come late."""
    for source, stream, entity, share in (("telemetry", ROBOT_STATE, "robot", 0.01), ("tasks", TASK, "task", 0.03)):
        for time_s, raw in clean()[stream]:
            if time_s >= START.timestamp() + SPAN_S:
                break
            fields = json.loads(raw)
            late_s = made.dice.choice([20.0, 200.0]) if made.dice.random() < share else 0.0
            made.tell(source, fields[entity], fields, time_s - START.timestamp(), late_s)


def _waiting(made: Half) -> None:
    """Tasks that nobody does, some of which wait for each other, and steps that cannot be."""
    for number in range(30):
        site, zone = ZONES[number % len(ZONES)]
        name, time_s = f"extra-{number}", number * 38.0
        fields = {"task": name, "site": site, "zone": zone, "work_units": 3 + number % 4, "priority": number % 8}
        fields |= {"x": float(number), "y": 5.0} if number % 2 else {}
        fields |= {"requires": ["lift"]} if number % 5 == 0 else {}
        fields |= {"due_at": at(time_s + 1200)} if number % 3 == 0 else {}
        fields |= {"depends_on": [f"extra-{number ^ 1}"]} if number in (20, 21) else {}
        made.tell("tasks", name, fields | {"event_id": f"{name}-c", "transition": "created"}, time_s)
        made.tell("tasks", name, fields | {"event_id": f"{name}-q", "transition": "queued"}, time_s + 5)
        if number % 7 == 3:
            made.tell("tasks", name, fields | {"event_id": f"{name}-x", "transition": "cancelled"}, time_s + 300)
            made.tell("tasks", name, fields | {"event_id": f"{name}-y", "transition": "started"}, time_s + 400, 100.0)
        if number % 7 == 4:
            done = fields | {"robot": "r0001", "transition": "done", "event_id": f"{name}-d"}
            made.tell("tasks", name, done, time_s + 600, late_s=made.dice.choice([0.0, 300.0]))


def _masters(made: Half) -> None:
    for number in range(10):
        name = f"r{number:04d}"
        site = "south" if number in (6, 8) else "north"
        fields = {"robot": name, "site": site, "status": "active", "speed": 1.0 + number / 10}
        fields |= {"capabilities": ["lift"]} if number % 2 else {}
        made.tell("masters", name, fields | {"event_id": f"{name}-0"}, 1.0 + number)
        if number % 4 == 2:
            gone = fields | {"event_id": f"{name}-1", "status": "decommissioned"}
            made.tell("masters", name, gone, 800.0 + number)
            made.tell("masters", name, fields | {"event_id": f"{name}-old"}, 300.0 + number, late_s=800.0)


def _orders(made: Half) -> None:
    """From four hours before on, one of them for a SKU that no rule is about."""
    for number in range(210):
        sku = ("bolt", "nut", "oil")[number % 3]
        time_s = -4 * HOUR_S + number * 74.0
        fields = {"event_id": f"order-{number}", "site": "north", "sku": sku, "quantity": 1.0 + number % 5}
        fields |= {"uom": "each", "priority": 1, "in_stock": True, "promotion": None}
        made.tell("orders", sku, fields, time_s, late_s=600.0 if number % 40 == 7 else 0.0)


@cache
def unanswered() -> Half:
    """All but answers."""
    made = Half(random.Random(3))
    for part in (_floor, _waiting, _masters, _orders):
        part(made)
    nothing = {"event_id": "nothing", "proposal": "nothing", "decision": "accepted", "by": "jo"}
    made.tell("answers", "nothing", nothing | {"about": "setpoint"}, 5.0)
    made.tell("answers", "no proposal", nothing | {"event_id": "nought", "proposal": "no proposal"}, 6.0)
    made.tell("answers", "nobody", nothing | {"event_id": "nobody", "about": "setpoint"}, 500.0, late_s=900.0)
    for partition in PARTITIONS:  # so that every lane comes as far
        for source, name in (("masters", "robot"), ("answers", "proposal")):
            entity = next(e for e in map(str, range(99)) if str(zlib.crc32(e.encode()) % 2) == partition)
            last = {"event_id": f"last-{entity}", name: entity}
            if source == "masters":
                made.tell(source, entity, last | {"site": "north", "status": "active"}, SPAN_S - 1)
            else:
                made.tell(source, entity, last | {"decision": "accepted", "by": "jo", "about": "setpoint"}, SPAN_S - 1)
    return made


@cache
def complete() -> dict[Lane, list[bytes]]:
    """Everything: setpoints that are sent where nobody answers are answered, wrongly too."""
    made = unanswered()
    sent = whole(NOWHERE, made.in_order(), settings_of_steps(without="answers")).table("setpoint")
    sent = sent.filter(status="sent").sort("event_time", "setpoint")
    for number, row in enumerate(sent.iter_rows(named=True)):
        name, time_s = row["setpoint"], (row["event_time"] - START).total_seconds()
        what = {"proposal": name, "about": "setpoint", "by": "fleet", "comment": f"for {row['zone']}"}

        def say(decision: str, after_s: float, late_s: float = 0.0, name: str = name, what: Any = what) -> None:
            row = what | {"event_id": f"{name[:40]}-{decision}-{after_s:g}", "decision": decision}
            made.tell("answers", name, row, time_s + after_s, late_s)  # noqa: B023 - called at once

        # Answers as they are assumed where nobody answers lead to the same setpoints; what comes then does not.
        if time_s < SPAN_S / 2 or number % 6 < 2:
            say("accepted", 30 if number % 2 else 1)
            say("completed", 120)
        elif number % 6 == 2:
            say("accepted", 130)
            say("rejected", 150, late_s=100.0)
        elif number % 6 == 3:
            say("rejected", 20)
        elif number % 6 == 4:
            say("accepted", 20, late_s=150.0)
            say("failed", 140)
    return made.in_order()


def run(parts: Path = NOWHERE) -> FloorFlow:
    """A run that reads each lane at once, one after the other."""
    return whole(parts, complete())
