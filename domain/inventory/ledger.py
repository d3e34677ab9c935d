"""The stock ledger: moves in, postings out; balances, broken invariants and refusals with them.

Rules:

- Moves are booked in order of `time_us`, then `_identity`. A call brings the moves of one or many whole windows, each
  window once; how windows are dealt into calls, and how rows lie in a call, changes nothing.
- A balance is the sum of its postings, exactly. A move that would take one beyond `LIMIT` is refused, never wrapped.
- An SKU keeps the dimension of its first well-formed move.
- An invariant is judged when all moves of an instant are booked.
- Two times: `valid_us`, when it happened, and `time_us`, when it was booked. `as_of` answers on both, within the
  kept history. Corrections are moves with `corrects` and the opposite quantity; nothing is ever edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

UNIT_UNKNOWN: Final = "ledger.unit_unknown"
REASON_UNKNOWN: Final = "ledger.reason_unknown"
DESTINATION: Final = "ledger.destination"
INEXACT: Final = "ledger.inexact"
OVERFLOW: Final = "ledger.overflow"
DIMENSION: Final = "ledger.dimension"
UNKNOWN_LOCATION: Final = "ledger.unknown_location"

CODES: Final = {
    UNIT_UNKNOWN: "the unit of measure is not in the table",
    REASON_UNKNOWN: "the reason is not in the table",
    DESTINATION: "the reason needs a destination other than where the move starts",
    INEXACT: "the quantity is no whole number of thousandths of the base unit",
    OVERFLOW: "a balance would no longer fit",
    DIMENSION: "the SKU was first moved in units of another dimension",
    UNKNOWN_LOCATION: "nothing was ever moved at the location",
}
"""Why a move (the last one: a count) is refused; the first that applies, in this order."""

LIMIT: Final = 2**60
"""Largest balance either way, so that a position of five of them still fits."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a call booked: frames in POSTING_SCHEMA, BALANCE_SCHEMA, FINDING_SCHEMA, REFUSED_SCHEMA."""

    postings: pl.DataFrame
    balances: pl.DataFrame
    findings: pl.DataFrame
    refused: pl.DataFrame


class Ledger:
    """Balances of all keys, and the postings of the last `history_us`."""

    def __init__(self, window_us: int, history_us: int) -> None:
        raise NotImplementedError

    @property
    def kept_from_us(self) -> int:
        """Oldest time that `as_of` still answers for: the last window's end less the history."""
        raise NotImplementedError

    def post(self, moves: pl.DataFrame) -> Posted:
        """Book the moves (MOVE_SCHEMA) of whole windows, all behind those of earlier calls; ValueError if not."""
        raise NotImplementedError

    def as_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """AS_OF_SCHEMA, row by row, for `keys` of site, sku, location, valid_us, booked_us (null: all that is booked).

        A call may bring many windows. Ask with `booked_us` as the last microsecond of the window in which the question
        comes up, and the answer does not depend on what else the call brought.
        """
        raise NotImplementedError

    def activity(self, keys: pl.DataFrame) -> pl.DataFrame:
        """`keys` (site, sku, location, from_us, until_us, booked_us) with the moves valid in from_us < t <= until_us.

        Adds moves (count of postings that change on hand), net and gross (sums of the change and of its size).
        """
        raise NotImplementedError

    def known(self, keys: pl.DataFrame) -> pl.DataFrame:
        """`keys` (site, sku, location, booked_us) with known and location_known, as in AS_OF_SCHEMA."""
        raise NotImplementedError

    def snapshot_parts(self) -> dict[str, bytes]:
        """State by name of its part. All but `head` never change once given: keep them, and drop what is not listed."""
        raise NotImplementedError

    def restore_parts(self, parts: dict[str, bytes]) -> None:
        """Take up a snapshot; one of another version is refused with RecoveryError."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """All parts in one MessagePack document."""
        raise NotImplementedError

    def restore(self, data: bytes) -> None:
        """Take up `snapshot`."""
        raise NotImplementedError
