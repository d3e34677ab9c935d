"""From what is written down at simulated sites to the lines that arrive, with everything that goes wrong on the way.

A message meets at most one fate. *Lost*: never arrives. *Malformed*: arrives broken, the good one is gone. *Late*:
arrives one to twenty hours later. *Doubled* and *conflicting*: arrives, and again within two minutes, unchanged or
with another quantity. *Under way*: would arrive after the end. Master data and promotions arrive as they are. A count
keyed with the wrong sign is malformed as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np

from domain.twin.config import Defects
from domain.twin.stock_records import COUNT, ITEM, MOVE, PROMOTION, Delivered
from domain.twin.streams import FUTURE

GOOD, LATE, DUPLICATE, CONFLICT, LOST, UNDER_WAY = "good", "late", "duplicate", "conflict", "lost", "under_way"
MALFORMED: Final = "malformed."
"""Prefix of the fates of malformed messages: the kind follows."""

_MINUTE_US: Final = 60_000_000
_LATE_US: Final = (60 * _MINUTE_US, 20 * 60 * _MINUTE_US)
_REPEAT_US: Final = 2 * _MINUTE_US
_KINDS: Final = ("truncated", "missing_field", "unknown_field", "wrong_type", "unknown_unit", "future_time", "not_utf8")
_AS_THEY_ARE: Final = (ITEM, PROMOTION)
_FATES: Final = (LOST, MALFORMED, LATE, DUPLICATE, CONFLICT)


class Line(NamedTuple):
    """A message as it arrives, without a newline."""

    stream: str
    delivered_us: int
    text: bytes


class Wire:
    """The network between sites and logs; `fates` counts messages by stream and fate."""

    def __init__(self, defects: Defects, end_us: int) -> None:
        self._bounds = [*accumulate((defects.lost, defects.malformed, defects.late, defects.doubled))]
        self._bounds.append(self._bounds[-1] + defects.conflicting)
        self._end_us = end_us
        self.fates: Counter[tuple[str, str]] = Counter()
        self.unbooked: list[dict[str, Any]] = []
        """Moves of stock without a good message: their fields, in the order they were sent."""

    def send(self, written: Iterable[Delivered], rng: np.random.Generator) -> Iterator[Line]:
        """What arrives of it, in no order."""
        for message in written:
            fate = GOOD
            if message.stream not in _AS_THEY_ARE:
                drawn = int(np.searchsorted(self._bounds, rng.random(), side="right"))
                fate = _FATES[drawn] if drawn < len(_FATES) else GOOD
            yield from self._meet(message, fate, rng)

    def _meet(self, message: Delivered, fate: str, rng: np.random.Generator) -> Iterator[Line]:
        stream, at_us, row = message
        if fate == LATE:
            at_us += int(rng.integers(*_LATE_US))
        if at_us >= self._end_us:
            fate = UNDER_WAY
        kind = str(rng.choice(_KINDS)) if fate == MALFORMED else ""
        if stream == COUNT and row["quantity"] < 0 and fate not in (LOST, UNDER_WAY):
            fate, kind = MALFORMED, "out_of_range"
        known = fate in (DUPLICATE, CONFLICT)
        self.fates[stream, GOOD if known else fate + kind] += 1
        if kind or fate in (LOST, UNDER_WAY):
            self._miss(stream, row)
        if fate not in (LOST, UNDER_WAY):
            yield Line(stream, at_us, _broken(row, kind, rng) if kind else _json(row))
        again_us = at_us + int(rng.integers(1, _REPEAT_US)) if known else at_us
        if known and again_us < self._end_us:
            self.fates[stream, fate] += 1
            other = row if fate == DUPLICATE else row | {"quantity": row["quantity"] + 1}
            yield Line(stream, again_us, _json(other))

    def _miss(self, stream: str, row: dict[str, Any]) -> None:
        if stream == MOVE and row["reason"] != "order":
            self.unbooked.append(row)


def _json(row: dict[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode()


def _broken(row: dict[str, Any], kind: str, rng: np.random.Generator) -> bytes:
    if kind == "truncated":
        whole = _json(row)
        return whole[: int(rng.integers(1, len(whole)))]
    if kind == "missing_field":
        return _json({name: value for name, value in row.items() if name != "sku"})
    if kind == "out_of_range":
        return _json(row)
    if kind == "not_utf8":
        return _json(row | {"sku": "?"}).replace(b'"?"', b'"\xff\xfe"')
    wrong: dict[str, dict[str, object]] = {
        "unknown_field": {"colour": "red"},
        "wrong_type": {"quantity": "many"},
        "unknown_unit": {"uom": "furlong"},
        "future_time": {"event_time": _later(row["event_time"], FUTURE)},
    }
    return _json(row | wrong[kind])


def _later(text: str, by: timedelta) -> str:
    years = round(by / timedelta(days=365.25))
    return f"{int(text[:4]) + years}{text[4:]}"
