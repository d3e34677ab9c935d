"""Messages to columns: strict JSON, one verdict per message, whatever else is in the batch.

A message is good when it is a UTF-8 JSON object (RFC 8259) with exactly the fields of the contract, each once
and of its type. Everything else is rejected with one code and the decoder's own words:

    decode.size               longer than the limit; not looked at
    decode.json               not JSON, or not just one JSON value
    decode.utf8               not UTF-8
    decode.type               a value of another type; null where the contract has none
    decode.range              a number that 64 bits cannot hold
    decode.missing_field      a required field is absent
    decode.unknown_field      a field the contract does not name: models are closed
    decode.control_character  U+0000 to U+001F in a string, written as an escape
    decode.duplicate_key      a key occurs twice
    decode.timestamp          not RFC 3339 in UTC (see `schemas.timestamps`)

The codes are stable. A message gets one: the first that the JSON decoder meets, else the first of
control_character, duplicate_key, timestamp.

Two readers share the work, and which of them reads a message makes no difference: the bulk reader takes those of
which it is certain, the exact one all others, and it alone rejects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from schemas.batch import ROW
from schemas.bulk import BulkReader
from schemas.contract import Contract
from schemas.exact import ExactReader, Reject
from schemas.messages import Messages

MAX_BYTES: Final = 1 << 20
"""Default limit of the size of a message, in bytes."""

_MANY: Final = 256  # messages from which on reading in bulk is faster


@dataclass(frozen=True, slots=True)
class Decoded:
    """`frame` has all fields of the contract and `_row`, the index of the message, rising; `rejects` rise as well."""

    frame: pl.DataFrame
    rejects: list[Reject]


class Decoder:
    """Decodes messages of one contract."""

    def __init__(self, contract: Contract, *, max_bytes: int = MAX_BYTES) -> None:
        self._exact = ExactReader(contract, max_bytes)
        self._bulk = BulkReader(contract, max_bytes)

    def decode(self, messages: Messages) -> Decoded:
        """Decode one batch. Never raises for what a message holds."""
        if len(messages) < _MANY:
            return Decoded(*self._exact.read(messages.take(range(len(messages))), np.arange(len(messages))))
        frame = self._bulk.read(messages)
        if frame.height == len(messages):
            return Decoded(frame, [])
        left = np.ones(len(messages), dtype=np.bool_)
        left[frame[ROW].to_numpy()] = False
        rows = np.flatnonzero(left)
        rest, rejects = self._exact.read(messages.take(rows), rows)
        if rest.height:
            frame = pl.concat([frame, rest]).sort(ROW)
        return Decoded(frame, rejects)
