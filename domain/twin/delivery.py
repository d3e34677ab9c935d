"""From event order to delivery order, with everything that goes wrong on the way, counted.

A message meets at most one fate. *Lost*: never written. *Malformed*: written broken, the good one is gone.
*Late*: delivered after allowed lateness, as long as its log gets a message a minute. *Doubled* and
*conflicting*: delivered, and again within two minutes, unchanged or with another payload.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.twin import text
from domain.twin.config import WarehouseConfig
from domain.twin.streams import FUTURE, NOT_UTF8, Messages

Int64 = npt.NDArray[np.int64]

GOOD, LATE, DUPLICATE, CONFLICT, LOST = "good", "late", "duplicate", "conflict", "lost"
MALFORMED = "malformed."
"""Prefix of the fates of malformed messages: the kind follows."""

_US_PER_S = 1_000_000
_US_PER_MS = 1_000
_REPEAT_US = 120 * _US_PER_S
_LATE_SPREAD_S = 300
_KINDS = ("truncated", "missing_field", "unknown_field", "future_time")
_BYTES_NOT_UTF8 = b"\xff\xfe\xc3"


class _Fate(IntEnum):
    """What becomes of a message, in the order in which the rates are drawn."""

    LOST = 0
    MALFORMED = 1
    LATE = 2
    DOUBLED = 3
    CONFLICTING = 4
    GOOD = 5


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages of one stream in delivery order.

    `ndjson` has one message per line, each line ended by a newline; no message contains one. `delivered_us` is
    when each message arrives, in microseconds since the start of the simulation.
    """

    stream: str
    ndjson: bytes
    delivered_us: Int64

    @property
    def messages(self) -> list[bytes]:
        """The messages one by one."""
        return self.ndjson.split(b"\n")[:-1]

    def __len__(self) -> int:
        return len(self.delivered_us)


class Delivery:
    """The network between one stream of messages and its log."""

    def __init__(self, config: WarehouseConfig, stream: int) -> None:
        self._config = config
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 4, stream))))
        # Late for sure: by then a log that gets a message a minute has moved past the allowed lateness.
        self._late_after_s = config.reach_s + config.disorder_s + 3 * config.period_s + config.sensor_period_s
        self._carried = pl.DataFrame(schema={"delivered": pl.Int64, "text": pl.String})
        self.fates: Counter[str] = Counter()
        """Messages by fate so far."""

    def deliver(self, messages: Messages, end_ms: int, *, last: bool = False) -> Chunk:
        """Take messages with event times before `end_ms`; what has arrived by then, or all if it is the last."""
        fate = self._fates(messages.times)
        parts = [self._carried, self._malformed(messages, np.flatnonzero(fate == _Fate.MALFORMED))]
        self.fates[LOST] += int(np.count_nonzero(fate == _Fate.LOST))
        parts += self._delivered(messages, fate)
        waiting = pl.concat(parts)
        arrived = pl.lit(value=True) if last else pl.col("delivered") < end_ms * _US_PER_MS
        out = waiting.filter(arrived).sort("delivered", maintain_order=True)
        self._carried = waiting.filter(~arrived)
        return Chunk(messages.stream, _ndjson(out["text"]), out["delivered"].to_numpy())

    def _fates(self, times: Int64) -> Int64:
        d = self._config.defects
        bounds = np.cumsum([d.lost, d.malformed, d.late, d.doubled, d.conflicting])
        fate = np.searchsorted(bounds, self._rng.random(len(times)), side="right")
        # Near the end of the run time does not move on far enough to make a message late.
        too_close = times > (self._config.duration_s - self._late_after_s) * 1_000
        fate[(fate == _Fate.LATE) & too_close] = _Fate.GOOD
        return fate

    def _delivered(self, messages: Messages, fate: Int64) -> list[pl.DataFrame]:
        kept = np.flatnonzero(fate >= _Fate.LATE)
        fate = fate[kept]
        late = fate == _Fate.LATE
        first = self._arrivals(messages.times[kept])
        late_by_us = (self._late_after_s + self._rng.uniform(0, _LATE_SPREAD_S, len(kept))) * _US_PER_S
        first = np.where(late, messages.times[kept] * _US_PER_MS + late_by_us.astype(np.int64), first)
        kept_messages = messages.at(kept)
        texts = text.compose(kept_messages.fields)
        self.fates[LATE] += int(late.sum())
        self.fates[GOOD] += int((~late).sum())
        doubled = np.flatnonzero(fate == _Fate.DOUBLED)
        conflicting = np.flatnonzero(fate == _Fate.CONFLICTING)
        self.fates[DUPLICATE] += len(doubled)
        self.fates[CONFLICT] += len(conflicting)
        other = text.compose(kept_messages.at(conflicting).fields | messages.conflict)
        return [
            _arriving(first, texts),
            _arriving(self._again(first[doubled]), texts.gather(doubled)),
            _arriving(self._again(first[conflicting]), other),
        ]

    def _arrivals(self, times: Int64) -> Int64:
        delay = self._rng.beta(1, 4, len(times)) * self._config.disorder_s * _US_PER_S
        return times * _US_PER_MS + delay.astype(np.int64)

    def _again(self, first: Int64) -> Int64:
        return first + self._rng.integers(1, _REPEAT_US, len(first))

    def _malformed(self, messages: Messages, index: Int64) -> pl.DataFrame:
        kinds = (*messages.broken, *_KINDS)
        pick = self._rng.integers(0, len(kinds), len(index))
        cut = self._rng.random(len(index))
        arrivals = self._arrivals(messages.times[index])
        parts = [_arriving(arrivals[:0], pl.Series([], dtype=pl.String))]
        for number, kind in enumerate(kinds):
            mine = np.flatnonzero(pick == number)
            texts = self._break(messages.at(index[mine]), kind, cut[mine])
            self.fates[MALFORMED + kind] += len(mine)
            parts.append(_arriving(arrivals[mine], texts))
        return pl.concat(parts)

    def _break(self, messages: Messages, kind: str, cut: npt.NDArray[np.float64]) -> pl.Series:
        fields = messages.fields
        if kind == "truncated":
            whole = text.compose(fields)
            length = 1 + (cut * (whole.str.len_chars().to_numpy() - 1)).astype(np.int64)
            return pl.select(whole.str.head(pl.Series(length))).to_series() if len(whole) else whole
        if kind == "unknown_field":
            return text.compose(fields | {"colour": '"red"'})
        if kind == "future_time":
            ahead = text.timestamps(self._config.start + FUTURE, messages.times)
            return text.compose(fields | {"event_time": ahead})
        if kind == "missing_field":
            return text.compose({name: v for name, v in fields.items() if name != messages.required})
        return text.compose(fields | messages.broken[kind])


def _arriving(delivered: Int64, texts: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"delivered": delivered, "text": texts}, schema={"delivered": pl.Int64, "text": pl.String})


def _ndjson(texts: pl.Series) -> bytes:
    if len(texts) == 0:
        return b""
    blob = str(texts.str.join("\n").item()).encode() + b"\n"
    return blob.replace(NOT_UTF8.encode(), _BYTES_NOT_UTF8)
