"""A simulated site whose stock is known at any moment: what its people do, and what they write down.

Goods come to `bulk`, move to `pick` by transfers, and leave from there. Some leak away and nobody writes it down. Moves
are scanned minutes before or after they are done, some papers come hours or days late, goods of a transfer lie there
before their arrival is booked, and counts go on meanwhile. A run depends on its config alone.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from domain.twin.stock_config import Kind, StockSiteConfig
from domain.twin.stock_records import Delivered, Records

BULK: Final = "bulk"
PICK: Final = "pick"

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US

Action = Literal["pick", "leak", "count", "arrive", "receive"]


@dataclass(frozen=True, slots=True)
class CountTruth:
    """What a count saw: on hand in units, how it was keyed wrongly if it was, and whether the key leaked by then."""

    event_id: str
    sku: str
    location: str
    as_of_us: int
    on_hand: int
    slip: str | None
    leaking: bool


@dataclass(frozen=True, slots=True)
class LeakTruth:
    """A leak: where, since when, and units gone by the end."""

    sku: str
    location: str
    since_us: int
    quantity: int


@dataclass(frozen=True, slots=True)
class StockRun:
    """What was delivered, in order of arrival, and the truth behind it."""

    delivered: list[Delivered]
    counts: list[CountTruth]
    leaks: list[LeakTruth]


@dataclass(order=True, slots=True)
class _Event:
    time_us: int
    number: int
    action: Action = field(compare=False)
    location: str = field(compare=False)
    quantity: int = field(compare=False, default=0)
    document: str = field(compare=False, default="")


class StockSite:
    """The site of a config."""

    def __init__(self, config: StockSiteConfig) -> None:
        self._config = config

    def run(self) -> StockRun:
        """Everything from the start to the end of the config."""
        config = self._config
        run = StockRun([], [], [])
        leaking = config.leaks
        number = 0
        for kind in config.kinds:
            for _ in range(kind.skus):
                leaks = kind.abc == "A" and leaking > 0
                leaking -= leaks
                _Sku(config, kind, number, leaks=leaks).live(run)
                number += 1
        run.delivered.sort(key=lambda d: (d.delivered_us, d.stream, d.row["event_id"]))
        return run


class _Sku:
    """One SKU, from the first day to the last; random numbers are its own."""

    def __init__(self, config: StockSiteConfig, kind: Kind, number: int, *, leaks: bool) -> None:
        self._config = config
        self._kind = kind
        self._name = f"{kind.abc.lower()}{number:04d}"
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 5, number))))
        self._level = int(self._rng.integers(*kind.stock))
        self._stock = {BULK: self._level, PICK: self._level}
        self._start = int(config.start.timestamp()) * 1_000_000
        self._end = self._start + config.days * _DAY_US
        self._leaks_from = self._start + int(config.leaks_from_d * _DAY_US) if leaks else self._end
        self._leaked = 0
        self._under_way = {BULK: False, PICK: False}
        self._events: list[_Event] = []
        self._number = 0
        self._records = Records(config.site, self._name, config.paperwork, self._rng)

    def live(self, run: StockRun) -> None:
        """Let the SKU's time pass, and add to the run what comes of it."""
        self._records.item(self._start, self._kind.abc, float(self._rng.uniform(*self._kind.unit_cost)))
        for location in (BULK, PICK):
            self._records.opening(self._start, location, self._level)
            self._plan_counts(location)
        self._plan_picks()
        self._plan_leak()
        while self._events:
            self._happen(heapq.heappop(self._events), run)
        run.delivered.extend(self._records.delivered)
        if self._leaks_from < self._end:
            run.leaks.append(LeakTruth(self._name, PICK, self._leaks_from, self._leaked))

    def _plan(self, time_us: int, action: Action, location: str, quantity: int = 0, document: str = "") -> None:
        if time_us < self._end:
            self._number += 1
            heapq.heappush(self._events, _Event(time_us, self._number, action, location, quantity, document))

    def _plan_picks(self) -> None:
        for location, share in ((PICK, 1.0), (BULK, 0.1)):
            for time_us in self._moments(share * self._kind.picks_per_day):
                self._plan(time_us, "pick", location, int(self._rng.integers(1, 7)))

    def _plan_counts(self, location: str) -> None:
        every, (opens, closes) = self._kind.count_every_d, self._config.opens
        for day in np.arange(self._rng.uniform(1, 1 + every), self._config.days, every).astype(int):
            at = int(day) * _DAY_US + int(self._rng.uniform(opens + 1, closes - 3) * _HOUR_US)
            self._plan(self._start + at, "count", location)

    def _plan_leak(self) -> None:
        per_us = self._config.leak_per_week * self._level / (7 * _DAY_US)
        time_us = float(self._leaks_from)
        while time_us < self._end:
            time_us += self._rng.exponential(1 / per_us)
            self._plan(int(time_us), "leak", PICK)

    def _moments(self, per_day: float) -> list[int]:
        """Times at which people do something so often, within opening hours."""
        opens, closes = self._config.opens
        days = np.repeat(np.arange(self._config.days), self._rng.poisson(per_day, self._config.days))
        hours = self._rng.uniform(opens, closes, len(days))
        return [int(t) for t in np.sort(self._start + days * _DAY_US + (hours * _HOUR_US).astype(np.int64))]

    def _happen(self, event: _Event, run: StockRun) -> None:
        match event.action:
            case "pick":
                self._pick(event)
            case "leak":
                gone = min(1, self._stock[PICK])
                self._stock[PICK] -= gone
                self._leaked += gone
            case "count":
                self._count(event, run)
            case "arrive":
                self._stock[PICK] += event.quantity
                self._under_way[PICK] = False
                self._records.transfer_in(event.time_us, PICK, event.quantity, event.document)
            case "receive":
                self._stock[BULK] += event.quantity
                self._under_way[BULK] = False
                self._records.receipt(event.time_us, BULK, event.quantity, event.document)

    def _pick(self, event: _Event) -> None:
        quantity = min(event.quantity, self._stock[event.location])
        if quantity:
            self._stock[event.location] -= quantity
            self._records.pick(event.time_us, event.location, quantity)
        self._refill(event.time_us)

    def _refill(self, time_us: int) -> None:
        low = self._level * 0.7
        if self._stock[PICK] < low and not self._under_way[PICK] and self._stock[BULK] > self._level // 4:
            quantity = self._level // 4
            self._stock[BULK] -= quantity
            self._under_way[PICK] = True
            document = self._records.transfer_out(time_us, BULK, quantity, PICK)
            self._plan(time_us + int(self._rng.uniform(0.1, 1.5) * _HOUR_US), "arrive", PICK, quantity, document)
        if self._stock[BULK] < low and not self._under_way[BULK]:
            self._under_way[BULK] = True
            quantity = self._level // 2
            document = self._records.order(time_us, BULK, quantity)
            self._plan(time_us + int(self._rng.uniform(4, 30) * _HOUR_US), "receive", BULK, quantity, document)

    def _count(self, event: _Event, run: StockRun) -> None:
        """Count; the stock is as it is now, the time given is a little off."""
        on_hand = self._stock[event.location]
        written = self._records.count(event.time_us, event.location, on_hand)
        leaking = event.location == PICK and event.time_us >= self._leaks_from
        run.counts.append(
            CountTruth(written.event_id, self._name, event.location, written.as_of_us, on_hand, written.slip, leaking)
        )
