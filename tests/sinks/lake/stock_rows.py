"""Moves as a plain program keeps them, and as rows of the output `stock_move`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from domain.inventory.reasons import BALANCES, POSITION, REASONS
from schemas.outputs import STOCK_MOVE

START = datetime(2025, 3, 1, tzinfo=UTC)
SKU = "bolt"

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Move:
    """A move of thousandths of pieces; times are seconds after START."""

    event_id: str
    site: str
    location: str
    quantity: int
    reason: str = "adjust"
    document: str = "paper"
    to_location: str = "dock"
    corrects: str | None = None
    happened: int = 0
    booked: int = 0


def at(seconds: int) -> datetime:
    """Instant of the given second."""
    return START + timedelta(seconds=seconds)


def legs(move: Move) -> Iterator[tuple[int, Key, list[int]]]:
    """What a move changes: leg, key, and the five deltas."""
    effect = REASONS[move.reason]
    for leg, (location, signs) in enumerate([(move.location, effect.here), (move.to_location, effect.there)]):
        if signs is not None:
            yield leg, (move.site, SKU, location), [signs.get(name, 0) * move.quantity for name in BALANCES]


def plain(moves: Iterable[Move]) -> dict[Key, list[int]]:
    """Balances and position by key, move by move."""
    book: dict[Key, list[int]] = {}
    for move in moves:
        for _, key, deltas in legs(move):
            held = book.setdefault(key, [0] * len(BALANCES))
            for i, delta in enumerate(deltas):
                held[i] += delta
    signs = [POSITION[name] for name in BALANCES]
    return {key: [*held, sum(s * v for s, v in zip(signs, held, strict=True))] for key, held in book.items()}


def frame(moves: Sequence[Move], revision: int = 0) -> pl.DataFrame:
    """Rows of `stock_move`."""
    rows = []
    for move in moves:
        for leg, (site, sku, location), deltas in legs(move):
            amounts = {name: Decimal(delta) / 1000 for name, delta in zip(BALANCES, deltas, strict=True)}
            times = {"event_time": at(move.happened), "booked_time": at(move.booked), "record_time": at(move.booked)}
            place = {"site": site, "sku": sku, "location": location, "uom": "each"}
            named = {"event_id": move.event_id, "leg": leg, "reason": move.reason, "document": move.document}
            known = {"line": "1", "corrects": move.corrects, "revision": revision, "final": True}
            rows.append({**named, **place, **amounts, **times, **known})
    return pl.DataFrame(rows, schema=STOCK_MOVE.schema)
