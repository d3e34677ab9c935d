"""The item that flows: a columnar micro-batch with its origin.

A source emits one `RawBatch` per poll. The gate turns it into one `GatedBatch`. Nothing is ever split per
key on the hot path. Invariant, checked on construction: rows in = good + rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.contract import Severity
from schemas.messages import Messages

ROW = "_row"
"""Column of a good row: its index in `RawBatch.messages` (Int64), rising."""

CONTENT = "_content"
"""Column of a good row: hash of the values of all its fields (UInt64), by which two messages say the same."""

REJECT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "offset": pl.Int64,
    "raw": pl.Binary,
    "kind": pl.String,
    "reasons": pl.List(pl.String),
    "detail": pl.String,
}
"""Rejected rows: offset, original bytes, kind (quarantined | conflict), rule codes in suite order, and the
decoder's own words (null where the rules say all)."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One poll of one partition: raw messages in offset order.

    `offsets` and `arrival_us` are int64 arrays as long as `messages`; offsets rise strictly and may have gaps
    (a compacted topic, transaction markers). `arrival_us` is when the message reached the log, in microseconds
    since the Unix epoch: the Kafka record timestamp, or for files when the file was last written to, but not before
    the first start of the run.
    """

    source: str
    partition: str
    messages: Messages
    offsets: npt.NDArray[np.int64]
    arrival_us: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.messages)


class Failures(NamedTuple):
    """How many messages of a batch failed one rule, and the offset of the first of them."""

    severity: Severity
    messages: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class GatedBatch:
    """A decoded and gated batch.

    `good` has the columns asked of the contract (timestamps as Datetime[us, UTC]), `_row` and `_content`, in offset
    order; `rejects` has `REJECT_SCHEMA`, in offset order. `raw` stays at hand because a good row may yet turn
    out late or in conflict and then takes its original bytes along. `failures` has, by code, the rules of every
    severity that messages failed, the decoder's and the gate's own among them.
    """

    raw: RawBatch
    good: pl.DataFrame
    rejects: pl.DataFrame
    failures: Mapping[str, Failures]

    def __post_init__(self) -> None:
        if len(self.raw) != self.good.height + self.rejects.height:
            raise AssertionError(
                f"gate lost rows of {self.raw.source}[{self.raw.partition}]: {len(self.raw)} in, "
                f"{self.good.height} good, {self.rejects.height} rejected"
            )
