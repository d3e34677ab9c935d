"""What reconciliation takes in and what it gives: columns, and the ledger as it is asked.

Times are Int64 microseconds UTC, quantities Int64 thousandths of the base unit.
"""

from __future__ import annotations

from typing import Final, Protocol

import polars as pl

from domain.inventory.tables import KEY, Schema

_KEY: Final[Schema] = dict.fromkeys(KEY, pl.String)

COUNT: Final = "count"
STATEMENT: Final = "statement"

COUNT_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "kind": pl.String,
    **_KEY,
    "quantity": pl.Int64,
    "as_of_us": pl.Int64,
    "time_us": pl.Int64,
}
"""Counts: what was there at `as_of_us`, and when the count took its place in the stream.

`kind` is COUNT, or STATEMENT where another system says so: ids are a stream's own, one of each may share one."""

ITEM_SCHEMA: Final[Schema] = {
    "sku": pl.String,
    "abc": pl.String,
    "unit_cost": pl.Float64,
    "pack": pl.Int64,
    "time_us": pl.Int64,
}
"""What is known of items from `time_us` on, per base unit; abc, unit_cost and pack (thousandths) may be null."""

RECONCILIATION_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "kind": pl.String,
    "stage": pl.String,
    **_KEY,
    "as_of_us": pl.Int64,
    "looked_us": pl.Int64,
    "counted": pl.Int64,
    "book": pl.Int64,
    "difference": pl.Int64,
    "by_moves": pl.Int64,
    "by_transfers": pl.Int64,
    "unexplained": pl.Int64,
    "class": pl.String,
    "slip": pl.String,
    "confidence": pl.Float64,
    "tolerance": pl.Int64,
    "value": pl.Float64,
    "reason": pl.String,
    "evidence": pl.String,
}
"""A look at a count (`event_id`, `kind`), `first` or `final`; (event_id, kind, stage) is unique. `difference` is what
was counted less the book; `value` is what the unexplained part is worth, null without a cost; `slip` is given where the
class is mis_key; `evidence` is a JSON object. Sorted by (looked_us, stage, as_of_us, key, event_id, kind), final first.
"""

LEAK_SCHEMA: Final[Schema] = {
    "leak": pl.String,
    **_KEY,
    "direction": pl.String,
    "event_id": pl.String,
    "as_of_us": pl.Int64,
    "looked_us": pl.Int64,
    "since_us": pl.Int64,
    "counts": pl.Int64,
    "quantity": pl.Int64,
    "statistic": pl.Float64,
    "reason": pl.String,
}
"""A CUSUM alarm: `leak` is its id, `location` null where all locations of the SKU together raised it; `event_id` is
the count that did; `quantity` went (or came) since `since_us`, over `counts` counts; `statistic` is the sum that passed
the limit."""

PROPOSED_SCHEMA: Final[Schema] = {
    **_KEY,
    "event_id": pl.String,
    "kind": pl.String,
    "quantity": pl.Int64,
    "reason": pl.String,
    "evidence": pl.String,
    "time_us": pl.Int64,
}
"""An adjustment that reconciliation would make, by the count it follows from."""

REFUSED_COUNT_SCHEMA: Final[Schema] = {**COUNT_SCHEMA, "code": pl.String}
"""A count that cannot be reconciled, and why: `ledger.unknown_location`, `reconcile.too_old` or `reconcile.future`."""


class StockBook(Protocol):
    """The ledger as reconciliation asks it (`domain.inventory.ledger.Ledger` is one)."""

    def as_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Row by row, for `KEY`, valid_us, booked_us: among others `known`, `location_known`, on_hand, in_transit.

        Null where the time is older than the kept history.
        """
        ...

    def activity(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Row by row, for `KEY`, from_us, until_us, booked_us: moves in from_us < t <= until_us; moves, net, gross."""
        ...
