"""One SKU at all sites that sell it, from the first day to the last: what really happens to its stock."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np

from domain.twin.demand_config import SITES, TradeConfig
from domain.twin.demand_path import DemandPath, customers, demand_path, promotion_days
from domain.twin.stock_records import ORDER_LINE, POINT_OF_SALE, Records, Sale
from domain.twin.stock_site import BULK, PICK, CountTruth

_HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * _HOUR_US
_PACK: Final = 6
_FILLED_AT, _SUPPLIED_AT, _PLANNED_AT = 4.5, 22.25, 6.0  # hours of the day
_COUNTED: Final = (8.0, 19.0)

Action = Literal["ask", "leak", "count", "fill", "supply", "arrive", "receive"]


class Place(NamedTuple):
    """A location of a site."""

    site: str
    location: str


@dataclass(order=True, slots=True)
class _Event:
    time_us: int
    number: int
    action: Action = field(compare=False)
    place: Place = field(compare=False)
    quantity: int = field(compare=False, default=0)
    document: str = field(compare=False, default="")


class Merchandise:
    """One SKU; random numbers are its own. After `live`, its attributes are the truth."""

    def __init__(self, config: TradeConfig, number: int) -> None:
        self._config = config
        self.kind = kind = config.kinds[number % len(config.kinds)]
        self.name = f"{kind.name[0]}{number:04d}"
        self._rng = rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 6, number))))
        self.start = int(config.start.timestamp()) * 1_000_000
        self.end = self.start + config.days * DAY_US
        sites = SITES[: config.sites]
        turn = number // len(config.kinds)
        trait = kind.traits[turn % len(kind.traits)]
        self.paths: dict[str, DemandPath] = {site: demand_path(config, kind, trait, rng) for site in sites}
        self.records = {site: Records(site, self.name, config.paperwork, rng) for site in sites}
        self._stream = ORDER_LINE if turn % 2 else POINT_OF_SALE
        self.planner = config.planner_bias[number % len(config.planner_bias)]
        self.leaking = number % config.leak_every == config.leak_every // 2
        self.supplied = Place(sites[0], BULK)
        """Where goods come to from suppliers, and where they leak."""
        self.leaks_from = self.start + int(config.leaks_from * config.days) * DAY_US
        self.leaked = 0
        self.stock = {Place(site, location): 0 for site in sites for location in (BULK, PICK)}
        self._coming = dict.fromkeys(sites, 0)
        self.sold = {site: [0] * config.days for site in sites}
        self._empty_on = dict.fromkeys(sites, -1)
        self.counts: list[CountTruth] = []
        self._events: list[_Event] = []
        self._number = 0

    def live(self) -> None:
        """Let time pass. To be called once."""
        mean, deviation = self._config.lead_time_d
        lead_time = {"lead_time_mean_d": mean, "lead_time_sd_d": deviation, "pack": float(_PACK), "minimum_order": 6.0}
        first = next(iter(self.records.values()))
        first.item(self.start, self.kind.abc, float(self._rng.uniform(*self.kind.unit_cost)), lead_time)
        for site in self.paths:
            self._open(site)
            self._announce(site)
            for day in range(self._config.days):
                self._plan_day(site, day)
            for location in (BULK, PICK):
                self._plan_counts(Place(site, location))
        if self.leaking:
            self._plan_leak()
        while self._events:
            self._happen(heapq.heappop(self._events))

    def _open(self, site: str) -> None:
        for location, level in ((BULK, self._wanted(site, 0)), (PICK, self._shelf(site))):
            self.stock[Place(site, location)] = level
            self.records[site].opening(self.start, location, level)

    def _announce(self, site: str) -> None:
        path, ahead = self.paths[site], self._config.announced_d
        if path.trait == "promoted":
            for day in promotion_days(self._config):
                starts = self.start + day * DAY_US
                told_us, ends = max(self.start, starts - ahead * DAY_US), starts + self._config.promotion_d * DAY_US
                self.records[site].promotion(told_us, self._promotion(day), starts, ends)
        if self.planner is not None:
            said = path.expected * self.planner * self._rng.lognormal(0, 0.1, self._config.days)
            for day, quantity in enumerate(said.tolist()):
                told_us = self.start + (day - ahead) * DAY_US + int(_PLANNED_AT * _HOUR_US)
                self.records[site].forecast(max(self.start, told_us), self.start + day * DAY_US, quantity)

    def _promotion(self, day: int) -> str:
        """Name of the promotion that runs on a day."""
        first = max(first for first in promotion_days(self._config) if first <= day)
        return f"{self.name}-day-{first}"

    def _plan(self, time_us: int, action: Action, place: Place, quantity: int = 0, document: str = "") -> None:
        if time_us < self.end:
            self._number += 1
            heapq.heappush(self._events, _Event(time_us, self._number, action, place, quantity, document))

    def _plan_day(self, site: str, day: int) -> None:
        begins = self.start + day * DAY_US
        self._plan(begins + int(_FILLED_AT * _HOUR_US), "fill", Place(site, PICK))
        self._plan(begins + int(_SUPPLIED_AT * _HOUR_US), "supply", Place(site, BULK))
        for quantity in customers(int(self.paths[site].asked[day]), self.kind.basket, self._rng):
            hour = self._rng.uniform(*self._config.opens)
            self._plan(begins + int(hour * _HOUR_US), "ask", Place(site, PICK), quantity)

    def _plan_counts(self, place: Place) -> None:
        every = self.kind.count_every_d
        for day in np.arange(self._rng.uniform(1, 1 + every), self._config.days, every).astype(int):
            self._plan(self.start + int(day) * DAY_US + int(self._rng.uniform(*_COUNTED) * _HOUR_US), "count", place)

    def _plan_leak(self) -> None:
        per_us = self._config.leak_per_week * sum(path.mean for path in self.paths.values()) / DAY_US
        time_us = float(self.leaks_from)
        while time_us < self.end:
            time_us += self._rng.exponential(1 / per_us)
            self._plan(int(time_us), "leak", self.supplied)

    def _happen(self, event: _Event) -> None:
        match event.action:
            case "ask":
                self._ask(event)
            case "leak":
                gone = min(1, self.stock[event.place])
                self.stock[event.place] -= gone
                self.leaked += gone
            case "count":
                self._count(event)
            case "fill":
                self._fill(event)
            case "supply":
                self._supply(event)
            case "arrive":
                self.stock[event.place] += event.quantity
                if event.place.location == BULK:
                    self._coming[event.place.site] -= event.quantity
                self.records[event.place.site].transfer_in(
                    event.time_us, event.place.location, event.quantity, event.document
                )
            case "receive":
                self.stock[event.place] += event.quantity
                self._coming[event.place.site] -= event.quantity
                self.records[event.place.site].receipt(event.time_us, BULK, event.quantity, event.document)

    def _ask(self, event: _Event) -> None:
        site, day = event.place.site, (event.time_us - self.start) // DAY_US
        taken = min(event.quantity, self.stock[event.place])
        if not taken and self._empty_on[site] == day:
            return
        if not taken:
            self._empty_on[site] = day
        self.stock[event.place] -= taken
        self.sold[site][day] += taken
        promotion = self._promotion(day) if self.paths[site].promoted[day] else None
        in_stock = taken == event.quantity
        self.records[site].sale(Sale(self._stream, event.time_us, PICK, taken, in_stock, promotion))

    def _fill(self, event: _Event) -> None:
        """Send from bulk what the shelf lacks."""
        site = event.place.site
        source = Place(site, BULK)
        quantity = min(self._shelf(site) - self.stock[event.place], self.stock[source])
        if quantity <= 0:
            return
        self.stock[source] -= quantity
        document = self.records[site].transfer_out(event.time_us, BULK, quantity, PICK)
        self._plan(
            event.time_us + int(self._rng.uniform(0.2, 0.8) * _HOUR_US), "arrive", event.place, quantity, document
        )

    def _supply(self, event: _Event) -> None:
        """Order for all sites, or send from the first to another, what is wanted beyond what is there and comes."""
        site, first = event.place.site, self.supplied.site
        day = (event.time_us - self.start) // DAY_US + 1
        lacks = self._wanted(site, day) - self.stock[event.place] - self._coming[site]
        if lacks <= 0.25 * self._wanted(site, day):
            return
        quantity = -(-lacks // _PACK) * _PACK
        if site == first:
            self._order(event, quantity)
        else:
            self._send(event, min(quantity, self.stock[self.supplied]))

    def _order(self, event: _Event, quantity: int) -> None:
        site = event.place.site
        document = self.records[site].order(event.time_us, BULK, quantity)
        mean, deviation = self._config.lead_time_d
        days = max(0.5, self._rng.gamma((mean / deviation) ** 2, deviation**2 / mean))
        self._coming[site] += quantity
        self._plan(event.time_us + int(days * DAY_US), "receive", event.place, quantity, document)

    def _send(self, event: _Event, quantity: int) -> None:
        if quantity:
            site, first = event.place.site, self.supplied.site
            self.stock[self.supplied] -= quantity
            self._coming[site] += quantity
            document = self.records[first].transfer_out(event.time_us, BULK, quantity, BULK, site)
            there_us = event.time_us + int(self._rng.uniform(8, 16) * _HOUR_US)
            self._plan(there_us, "arrive", event.place, quantity, document)

    def _shelf(self, site: str) -> int:
        """What the shelf holds: the busiest day, or of a scarce SKU an average one."""
        path = self.paths[site]
        return round(path.mean) if path.trait == "scarce" else int(path.asked.max()) + 1

    def _wanted(self, site: str, day: int) -> int:
        """What bulk should hold, with what is coming, on a day: as much as those it supplies are likely to ask for."""
        served = self.paths.values() if site == self.supplied.site else [self.paths[site]]
        reach = int(self._config.lead_time_d[0]) + 4 if site == self.supplied.site else 4
        mean = sum(float(path.expected[day : day + reach].sum()) for path in served)
        spread = sum(float(path.asked.var()) for path in served)
        return round(mean + 2 * math.sqrt(reach * spread))

    def _count(self, event: _Event) -> None:
        """Count; the stock is as it is now, the time given is a little off."""
        on_hand = self.stock[event.place]
        written = self.records[event.place.site].count(event.time_us, event.place.location, on_hand)
        leaking = self.leaking and event.place == self.supplied and event.time_us >= self.leaks_from
        seen = CountTruth(
            written.event_id, self.name, event.place.location, written.as_of_us, on_hand, written.slip, leaking
        )
        self.counts.append(seen)
