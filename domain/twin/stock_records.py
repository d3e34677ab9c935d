"""What is written down of a SKU's life: rows of the streams, when they arrive, and slips of the hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from domain.twin.stock_config import Kind, StockSiteConfig

MOVE, COUNT, ITEM = "inventory.move", "inventory.count", "item"

_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * _MINUTE_US
_FURTHEST: Final = 9.0  # minutes that a scan may lie from its move
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLIPS: Final = ("factor_10", "dozen", "transposed", "wrong_sign")


class Delivered(NamedTuple):
    """A row of a stream, by contract, and when it arrives."""

    stream: str
    delivered_us: int
    row: dict[str, Any]


class WrittenCount(NamedTuple):
    """A count as it was written down."""

    event_id: str
    as_of_us: int
    slip: str | None


class Records:
    """Writes down what happens to one SKU."""

    def __init__(self, config: StockSiteConfig, sku: str, rng: np.random.Generator) -> None:
        self._config = config
        self._paper = config.paperwork
        self._sku = sku
        self._rng = rng
        self._documents = 0
        self.delivered: list[Delivered] = []

    def item(self, time_us: int, kind: Kind, unit_cost: float) -> None:
        """The SKU's master data."""
        row = {
            "event_id": f"item-{self._sku}",
            "sku": self._sku,
            "category": f"category-{kind.abc}",
            "uom": "each",
            "abc": kind.abc,
            "unit_cost": round(unit_cost, 2),
            "pack": 12.0,
            "minimum_order": 12.0,
            "lead_time_mean_d": 1.0,
            "lead_time_sd_d": 0.3,
            "review_d": 1.0,
            "service_level": 0.95,
            "event_time": _text(time_us),
        }
        self.delivered.append(Delivered(ITEM, time_us, row))

    def opening(self, time_us: int, location: str, quantity: int) -> None:
        """What is there at the start; recorded as it is and at once."""
        self._write(time_us, time_us, location, quantity, "opening", self._document("open"))

    def pick(self, time_us: int, location: str, quantity: int) -> None:
        """Goods leave for an order."""
        self._move(time_us, location, -quantity, "sale", self._document("pick"))

    def receipt(self, time_us: int, location: str, quantity: int) -> None:
        """Goods come from a supplier."""
        self._move(time_us, location, quantity, "receipt", self._document("receipt"))

    def transfer_out(self, time_us: int, location: str, quantity: int, to_location: str) -> str:
        """Goods leave for another location; the document they travel with."""
        document = self._document("transfer")
        self._move(time_us, location, -quantity, "transfer_out", document, to_location)
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
        row = {
            "event_id": event_id,
            "site": self._config.site,
            "sku": self._sku,
            "location": location,
            "quantity": float(counted),
            "uom": "each",
            "as_of": _text(as_of_us),
            "document": document,
            "counted_by": f"p{int(self._rng.integers(1, 9))}",
            "event_time": _text(reported_us),
        }
        self.delivered.append(Delivered(COUNT, reported_us, row))
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
        self, time_us: int, location: str, quantity: int, reason: str, document: str, to_location: str | None = None
    ) -> None:
        off = float(np.clip(self._rng.normal(0, self._paper.scan_sd), -_FURTHEST, _FURTHEST))
        scanned_us = time_us + int(off * _MINUTE_US)
        self._write(scanned_us, self._arrival(scanned_us), location, quantity, reason, document, to_location)

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
    ) -> None:
        row = {
            "event_id": f"{document}-1",
            "site": self._config.site,
            "sku": self._sku,
            "location": location,
            "quantity": float(quantity),
            "uom": "each",
            "reason": reason,
            "document": document,
            "line": "1",
            "to_site": None,
            "to_location": to_location,
            "corrects": None,
            "event_time": _text(event_us),
            "record_time": _text(delivered_us),
        }
        self.delivered.append(Delivered(MOVE, delivered_us, row))

    def _document(self, kind: str) -> str:
        self._documents += 1
        return f"{kind}-{self._sku}-{self._documents}"


def _text(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
