"""What is written down of a SKU's life: rows of the streams, when they arrive, and slips of the hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from domain.twin.stock_config import Paperwork

MOVE, COUNT, ITEM = "inventory.move", "inventory.count", "item"
ORDER_LINE, POINT_OF_SALE = "demand.line", "pos.sale"
PROMOTION, FORECAST = "promotion", "forecast"

_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * _MINUTE_US
_DUE_US: Final = 48 * _HOUR_US
_FURTHEST: Final = 9.0  # minutes that a scan may lie from its move
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLIPS: Final = ("factor_10", "dozen", "transposed", "wrong_sign")
_ITEM: Final = {
    "uom": "each",
    "pack": 12.0,
    "minimum_order": 12.0,
    "order_cost": 25.0,
    "holding_rate": 0.2,
    "lead_time_mean_d": 1.0,
    "lead_time_sd_d": 0.3,
    "review_d": 1.0,
    "service_level": 0.95,
    "service": "cycle",
    "policy": "s_S",
}


class Delivered(NamedTuple):
    """A row of a stream, by contract, and when it arrives."""

    stream: str
    delivered_us: int
    row: dict[str, Any]


class Sale(NamedTuple):
    """What a customer took, from where, and whether all that was asked for was there."""

    stream: str
    time_us: int
    location: str
    taken: int
    in_stock: bool
    promotion: str | None


class WrittenCount(NamedTuple):
    """A count as it was written down."""

    event_id: str
    as_of_us: int
    slip: str | None


class Records:
    """Writes down what happens to one SKU at one site."""

    def __init__(self, site: str, sku: str, paperwork: Paperwork, rng: np.random.Generator) -> None:
        self._site = site
        self._sku = sku
        self._paper = paperwork
        self._rng = rng
        self._documents = 0
        self.delivered: list[Delivered] = []

    def item(self, time_us: int, abc: str, unit_cost: float, facts: Mapping[str, object] = {}) -> None:
        """The SKU's master data; `facts` are fields of the contract `item` that differ from the usual ones."""
        known = {"sku": self._sku, "category": f"category-{abc}", "abc": abc, "unit_cost": round(unit_cost, 2)}
        self._tell(ITEM, time_us, f"item-{self._sku}", known | _ITEM | dict(facts))

    def opening(self, time_us: int, location: str, quantity: int) -> None:
        """What is there at the start; recorded as it is and at once."""
        self._write(time_us, time_us, location, quantity, "opening", self._document("open"))

    def pick(self, time_us: int, location: str, quantity: int) -> None:
        """Goods leave for an order."""
        self._move(time_us, location, -quantity, "sale", self._document("pick"))

    def sale(self, sale: Sale) -> None:
        """A customer asks, and takes what there is: told by the till or the order, and as a move of the stock."""
        document = self._document("sale")
        row = self._of_sku(quantity=float(sale.taken), promotion=sale.promotion, in_stock=sale.in_stock)
        if sale.stream == ORDER_LINE:
            row |= {"due": text_of(sale.time_us + _DUE_US), "priority": int(self._rng.integers(0, 10))}
        self._tell(sale.stream, sale.time_us, f"{document}-s", row, self._disorder())
        if sale.taken:
            self._move(sale.time_us, sale.location, -sale.taken, "sale", document)

    def promotion(self, time_us: int, name: str, starts_us: int, ends_us: int) -> None:
        """A promotion is announced."""
        row = {"promotion": name, "site": self._site, "sku": self._sku}
        times = {"starts_at": text_of(starts_us), "ends_at": text_of(ends_us)}
        self._tell(PROMOTION, time_us, self._document("promotion"), row | times)

    def forecast(self, time_us: int, bucket_us: int, quantity: float) -> None:
        """The planner says what will be asked for in a bucket."""
        row = self._of_sku(quantity=round(quantity, 1), author="planner", bucket_start=text_of(bucket_us))
        self._tell(FORECAST, time_us, self._document("forecast"), row, self._disorder())

    def order(self, time_us: int, location: str, quantity: int) -> str:
        """Goods are ordered from a supplier; recorded at once. The document they come with."""
        document = self._document("receipt")
        self._write(time_us, time_us, location, quantity, "order", document + "-order")
        return document

    def receipt(self, time_us: int, location: str, quantity: int, document: str) -> None:
        """Goods that were ordered come from a supplier."""
        self._move(time_us, location, quantity, "receipt", document)

    def transfer_out(
        self, time_us: int, location: str, quantity: int, to_location: str, to_site: str | None = None
    ) -> str:
        """Goods leave for another location; the document they travel with."""
        document = self._document("transfer")
        self._move(time_us, location, -quantity, "transfer_out", document, to_location, to_site)
        return document

    def transfer_in(self, time_us: int, location: str, quantity: int, document: str) -> None:
        """Goods have come from another location; recorded when somebody gets to it."""
        booked_us = time_us + int(self._rng.uniform(*self._paper.unbooked) * _MINUTE_US)
        self._write(booked_us, self._arrival(booked_us), location, quantity, "transfer_in", document + "-in")

    def count(self, time_us: int, location: str, on_hand: int) -> WrittenCount:
        """A count of what is there now, keyed wrongly at times."""
        as_of_us = time_us + int(self._rng.uniform(-1, 1) * self._paper.counting * _MINUTE_US)
        reported_us = as_of_us + int(self._rng.uniform(*self._paper.reported) * _MINUTE_US)
        counted = on_hand
        if on_hand and self._rng.random() < self._paper.miscounted:
            counted += int(self._rng.choice([-1, 1]))
        counted, slip = self._keyed(counted)
        document = self._document("count")
        event_id = f"{document}-c"
        row = self._of_sku(
            location=location,
            quantity=float(counted),
            as_of=text_of(as_of_us),
            document=document,
            counted_by=f"p{int(self._rng.integers(1, 9))}",
        )
        self._tell(COUNT, reported_us, event_id, row)
        return WrittenCount(event_id, as_of_us, slip)

    def _keyed(self, counted: int) -> tuple[int, str | None]:
        """What is keyed for a count, and the slip made at it."""
        if self._rng.random() >= self._paper.mis_keyed:
            return counted, None
        slip = str(self._rng.choice(_SLIPS))
        keyed = {
            "factor_10": counted * 10 if self._rng.random() < 0.5 else counted // 10,  # noqa: PLR2004
            "dozen": counted // 12,
            "transposed": self._transposed(counted),
            "wrong_sign": -counted,
        }[slip]
        return keyed, slip if keyed != counted else None

    def _transposed(self, counted: int) -> int:
        digits = str(counted)
        if len(digits) == 1:
            return counted
        i = int(self._rng.integers(0, len(digits) - 1))
        return int(digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :])

    def _move(
        self,
        time_us: int,
        location: str,
        quantity: int,
        reason: str,
        document: str,
        to_location: str | None = None,
        to_site: str | None = None,
    ) -> None:
        off = float(np.clip(self._rng.normal(0, self._paper.scan_sd), -_FURTHEST, _FURTHEST))
        scanned_us = time_us + int(off * _MINUTE_US)
        self._write(scanned_us, self._arrival(scanned_us), location, quantity, reason, document, to_location, to_site)

    def _arrival(self, event_us: int) -> int:
        """When a record of that time arrives."""
        chance = self._rng.random()
        if chance < self._paper.very_late:
            hours = self._rng.uniform(24, 72)
        elif chance < self._paper.very_late + self._paper.late:
            hours = self._rng.uniform(1, 20)
        else:
            hours = self._rng.uniform(0, 1 / 12)
        return event_us + int(hours * _HOUR_US)

    def _write(
        self,
        event_us: int,
        delivered_us: int,
        location: str,
        quantity: int,
        reason: str,
        document: str,
        to_location: str | None = None,
        to_site: str | None = None,
    ) -> None:
        row = self._of_sku(
            location=location,
            quantity=float(quantity),
            reason=reason,
            document=document,
            line="1",
            to_site=to_site,
            to_location=to_location,
            corrects=None,
            record_time=text_of(delivered_us),
        )
        self._tell(MOVE, event_us, f"{document}-1", row, delivered_us - event_us)

    def _of_sku(self, **fields: object) -> dict[str, object]:
        return {"site": self._site, "sku": self._sku, "uom": "each"} | fields

    def _tell(self, stream: str, event_us: int, event_id: str, row: Mapping[str, object], delay_us: int = 0) -> None:
        told = {"event_id": event_id, **row, "event_time": text_of(event_us)}
        self.delivered.append(Delivered(stream, event_us + delay_us, told))

    def _disorder(self) -> int:
        return int(self._rng.uniform(0, 1 / 12) * _HOUR_US)

    def _document(self, kind: str) -> str:
        self._documents += 1
        return f"{kind}-{self._site}-{self._sku}-{self._documents}"


def text_of(time_us: int) -> str:
    """A time as contracts want it."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
