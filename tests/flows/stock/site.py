"""Nine days of two small sites: moves, counts, statements, sales and all else, with losses and bad rows that are known.

Goods come to `bulk`, go to `pick`, and are sold there. What a count finds is what is there; the book differs from it
where goods were lost or found, at places and times given below.
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

START: Final = datetime(2024, 3, 4, tzinfo=UTC)
DAYS: Final = 9
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
DEDUPE_S: Final = 3 * DAY_S
EXPIRES_S: Final = 2 * DAY_S
PARTITIONS: Final = ("0", "1")

UNITS: Final = {"bolt": "each", "nut": "dozen", "oil": "l"}
BASE: Final = {"each": ("each", 1), "dozen": ("each", 12), "l": ("ml", 1000)}
SITES: Final = ("north", "south")
HOURS: Final = (8, 10, 12, 15, 18, 21)
"""Hours of the day in the first quarter of which anything happens, so that there are few windows."""

LOST: Final = {
    # (site, sku, location): (day, units that are gone; below zero: that were found)
    ("north", "bolt", "pick"): (2, 25),
    ("south", "nut", "pick"): (3, -30),
    ("north", "oil", "pick"): (4, 20),
    ("south", "bolt", "bulk"): (2, 60),
    ("south", "oil", "deep"): (4, 10),
}

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Message:
    """A message of a stream: when it says that it happened and when it arrives, in seconds after the start."""

    time_s: float
    arrives_s: float
    partition: str
    raw: bytes


@dataclass
class Site:
    """What happens, as it is written down."""

    dice: random.Random
    streams: dict[str, list[Message]] = field(default_factory=dict)
    truth: list[tuple[float, Key, int]] = field(default_factory=list)
    """Changes of what is there: seconds after the start, place, units."""
    documents: int = 0
    expected: dict[str, list[str]] = field(default_factory=dict)
    """Ids of messages by code of their refusal, and by `late`, `too_late`, `conflict`."""

    def tell(self, stream: str, row: dict[str, Any], time_s: float, *, late_s: float = 0.0) -> bytes:
        """Write a row down; it arrives within a minute, or so much later."""
        raw = json.dumps(row | {"event_time": text(time_s)}).encode()
        self.deliver(stream, raw, row, time_s, time_s + late_s + self.dice.uniform(0, MINUTE_S))
        return raw

    def deliver(self, stream: str, raw: bytes, row: dict[str, Any], time_s: float, arrives_s: float) -> None:
        entity = str(row.get("sku") or row.get("proposal"))
        partition = str(zlib.crc32(entity.encode()) % len(PARTITIONS))
        self.streams.setdefault(stream, []).append(Message(time_s, arrives_s, partition, raw))

    def name(self, kind: str) -> str:
        self.documents += 1
        return f"{kind}-{self.documents}"

    def move(self, key: Key, units: int, time_s: float, reason: str, *, late_s: float = 0.0, **values: Any) -> str:
        """A move that is in order, in the unit of its SKU."""
        name = self.name(reason)
        sites, sku, location = key
        row = {"event_id": name, "site": sites, "sku": sku, "location": location, "quantity": float(units)}
        row |= {"uom": UNITS[sku], "reason": reason, "document": name, "line": "1", "record_time": text(time_s)}
        self.tell("inventory.move", row | values, time_s, late_s=late_s)
        self.truth.append((time_s, key, units))
        if late_s > DEDUPE_S:
            self.expected.setdefault("too_late", []).append(name)
        return name

    def there(self, key: Key, time_s: float) -> int:
        """Units that are really there."""
        day, lost = LOST.get(key, (0, 0))
        gone = lost if time_s >= day * DAY_S else 0
        return sum(units for at, place, units in self.truth if place == key and at <= time_s) - gone

    def refused(self, stream: str, code: str, row: dict[str, Any], time_s: float, *, late_s: float = 0.0) -> None:
        """A row that is refused with a code."""
        self.tell(stream, row, time_s, late_s=late_s)
        self.expected.setdefault(code, []).append(str(row["event_id"]))


def text(time_s: float) -> str:
    """A time as messages give it."""
    moment = START + timedelta(microseconds=round(time_s * 1e6))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@cache
def site(seed: int = 1, days: int = DAYS) -> Site:
    """All that happens in so many days, but for decisions."""
    made = Site(random.Random(seed))
    for sku, unit in UNITS.items():
        row = {"sku": sku, "category": f"of {unit}", "uom": unit, "abc": "B", "unit_cost": 3.0, "pack": 2.0}
        row |= {"minimum_order": 4.0, "lead_time_mean_d": 40.0, "lead_time_sd_d": 0.3, "review_d": 2.0}
        for day in (0, 5):
            event = {"event_id": f"item-{sku}-{day}", "service_level": 0.9 + day / 100}
            made.tell("item", row | event, day * DAY_S + HOURS[0] * HOUR_S)
    for place in ((s, sku, at) for s in SITES for sku in UNITS for at in ("bulk", "pick")):
        made.move(place, 150 if place[2] == "bulk" else 100, HOURS[0] * HOUR_S, "opening")
    for day in range(days):
        _day(made, day, days)
    _plans(made, days)
    _strange(made)
    return made


def _day(made: Site, day: int, days: int) -> None:
    def at(hour: int) -> float:
        return day * DAY_S + hour * HOUR_S + made.dice.uniform(0, 14 * MINUTE_S)

    for where in SITES:
        for number, sku in enumerate(UNITS):
            key = (where, sku, "pick")
            for hour in made.dice.sample(HOURS[1:], 2):
                units, time_s = made.dice.randint(1, 6), at(hour)
                late = 5 * HOUR_S if made.dice.random() < 0.1 and day < days - 2 else 0.0
                made.move(key, -units, time_s, "sale", late_s=late)
                _sale(made, key, units, time_s, "demand.line" if hour < 14 else "pos.sale", day)
            if (day + number) % 3 == 1:
                made.move((where, sku, "bulk"), -20, moved := at(HOURS[1]), "relocate", to_location="pick")
                made.truth.append((moved, key, 20))
            _count(made, key, at(12) + 30 * MINUTE_S)
            if day % 3 == 0:
                _count(made, (where, sku, "bulk"), at(15) + 30 * MINUTE_S)


def _sale(made: Site, key: Key, units: int, time_s: float, stream: str, day: int) -> None:
    row: dict[str, Any] = {"event_id": made.name("sale"), "site": key[0], "sku": key[1], "quantity": float(units)}
    row |= {"uom": UNITS[key[1]], "in_stock": made.dice.random() > 0.1, "promotion": "spring" if day == 6 else None}
    made.tell(stream, row | ({"priority": 3} if stream == "demand.line" else {}), time_s)


def _count(made: Site, key: Key, time_s: float) -> None:
    """Reported twenty minutes after it was taken, before which nothing moved for long enough."""
    where, sku, location = key
    row = {"event_id": made.name("count"), "site": where, "sku": sku, "location": location, "uom": UNITS[sku]}
    row |= {"quantity": float(made.there(key, time_s)), "as_of": text(time_s), "document": "sheet", "counted_by": "jo"}
    made.tell("inventory.count", row, time_s + 20 * MINUTE_S)


def _plans(made: Site, days: int) -> None:
    """Statements of another system, promotions and forecasts."""
    for day, stated in ((1, 50), (3, 50), (5, 40)):
        row = {"event_id": f"statement-{day}", "site": "south", "sku": "oil", "location": "deep", "uom": "l"}
        time_s = day * DAY_S + 15 * HOUR_S
        made.tell("inventory.snapshot", row | {"on_hand": float(stated), "as_of": text(time_s - HOUR_S)}, time_s)
    spring = {"event_id": "p1", "promotion": "spring", "site": "north", "sku": "bolt"}
    spring |= {"starts_at": text(6 * DAY_S), "ends_at": text(7 * DAY_S)}
    made.tell("promotion", spring, 5 * DAY_S + 10 * HOUR_S)
    for day in range(3, days):
        row = {"event_id": f"f{day}", "author": "erp", "site": "south", "sku": "nut", "uom": "each", "quantity": 80.0}
        made.tell("forecast", row | {"bucket_start": text(day * DAY_S)}, (day - 1) * DAY_S + 18 * HOUR_S)


def _strange(made: Site) -> None:
    """Rows that are refused behind the gate and before it, late ones, and one that says two things."""
    noon = 3 * DAY_S + 10 * HOUR_S
    move = {"site": "north", "sku": "bolt", "location": "pick", "uom": "each", "reason": "adjust", "quantity": -1.0}
    move |= {"line": "1", "record_time": text(noon + DAY_S)}
    for code, values in {
        "ledger.inexact": {"quantity": 0.0005},
        "ledger.dimension": {"uom": "kg"},
        "ledger.overflow": {"quantity": 1e12, "uom": "t", "sku": "sand"},
        "ledger.destination": {"reason": "relocate"},
        "uom.values": {"uom": "cubit"},
        "reason.values": {"reason": "magic"},
    }.items():
        name = f"bad-{code}"
        made.refused("inventory.move", code, move | {"event_id": name, "document": name} | values, noon)
    late = move | {"event_id": "late-bad", "document": "late-bad", "uom": "kg"}
    made.refused("inventory.move", "ledger.dimension", late, noon, late_s=DAY_S)
    made.move(("north", "bolt", "pick"), 0, noon, "adjust", late_s=DEDUPE_S + DAY_S)
    for units, hour in ((1000, 10), (-1000, 15)):
        made.move(("south", "oil", "bulk"), 0, 5 * DAY_S + hour * HOUR_S, "allocate", quantity=float(units))
    first = move | {"event_id": "twice", "document": "twice", "quantity": 0.0}
    made.tell("inventory.move", first, noon)
    made.tell("inventory.move", first | {"quantity": 7.0}, noon, late_s=5 * HOUR_S)
    made.expected["conflict"] = ["twice"]
    made.deliver("inventory.move", b'{"sku": "bolt"', {"sku": "bolt"}, noon, noon)
    made.expected["decode.json"] = ['{"sku": "bolt"']
    count = {"site": "north", "sku": "bolt", "location": "pick", "uom": "each", "quantity": 1.0, "as_of": text(noon)}
    count |= {"document": "sheet", "counted_by": "jo"}
    for code, values in {
        "ledger.unknown_location": {"location": "moon"},
        "ledger.dimension": {"uom": "kg"},
        "ledger.inexact": {"quantity": 0.0005},
        "reconcile.too_old": {"as_of": text(noon - 13 * HOUR_S)},
    }.items():
        made.refused("inventory.count", code, count | {"event_id": f"bad-count-{code}"} | values, noon)
    stated = {"site": "north", "sku": "bolt", "location": "deep", "uom": "each", "as_of": text(noon)}
    for code, values in {
        "ledger.dimension": {"uom": "kg", "on_hand": 1.0},
        "ledger.inexact": {"on_hand": 5e-4},
    }.items():
        made.refused("inventory.snapshot", code, stated | {"event_id": f"bad-stated-{code}"} | values, noon)
    # Ids of one stream say nothing about another's: each of these has the id of a good row elsewhere.
    for stream, other in (("inventory.count", "statement-3"), ("pos.sale", "sale-of-both")):
        if stream == "inventory.count":
            row = count | {"event_id": other, "location": "moon"}
            made.refused(stream, "ledger.unknown_location", row, 3 * DAY_S + 15 * HOUR_S)
    sale = {"site": "north", "sku": "bolt", "quantity": 1.0, "uom": "each", "in_stock": True, "promotion": None}
    made.tell("demand.line", sale | {"event_id": "sale-of-both", "priority": 1}, noon)
    made.refused("pos.sale", "demand.dimension", sale | {"event_id": "sale-of-both", "uom": "kg"}, noon)
    foreseen = {"event_id": "bad-forecast", "author": "erp", "site": "north", "sku": "bolt", "quantity": 1.0}
    foreseen |= {"uom": "kg", "bucket_start": text(2 * DAY_S)}
    made.refused("forecast", "demand.dimension", foreseen, noon)
    control = {"event_id": "bad-decision", "proposal": "nothing", "decision": "accepted", "by": "jo"}
    made.refused("control", "proposal.unknown", control, noon)
