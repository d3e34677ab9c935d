"""Columns of what goes into the ledger and what comes out.

Times are Int64 microseconds UTC. Quantities are Int64 thousandths: of the move's own unit in `MOVE_SCHEMA`, of the base
unit of the SKU's dimension (`units.BASE`) everywhere else.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.inventory.reasons import BALANCES

Schema = dict[str, pl.DataType | type[pl.DataType]]

KEY: Final = ("site", "sku", "location")
"""Key of a balance."""

MOVE_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "site": pl.String,
    "sku": pl.String,
    "location": pl.String,
    "quantity": pl.Int64,
    "uom": pl.String,
    "reason": pl.String,
    "document": pl.String,
    "line": pl.String,
    "to_site": pl.String,
    "to_location": pl.String,
    "corrects": pl.String,
    "valid_us": pl.Int64,
    "time_us": pl.Int64,
    "record_us": pl.Int64,
    "_identity": pl.UInt64,
    "window_start": pl.Int64,
}
"""A move. `quantity` in thousandths of `uom`, null where it is no whole number of them (`units.to_milli`); `valid_us`
when it happened, `time_us` when it is booked, both the same for a move that is not late; `_identity` tells moves of one
time apart. Nullable besides: to_site (then it is `site`), to_location, corrects."""

_BALANCES: Final[Schema] = dict.fromkeys(BALANCES, pl.Int64)
_KEY: Final[Schema] = dict.fromkeys(KEY, pl.String)

POSTING_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "leg": pl.Int8,
    **_KEY,
    "reason": pl.String,
    "document": pl.String,
    "line": pl.String,
    "corrects": pl.String,
    "uom": pl.String,
    **_BALANCES,
    "valid_us": pl.Int64,
    "time_us": pl.Int64,
    "record_us": pl.Int64,
    "window_start": pl.Int64,
}
"""The change a move makes to one key (five deltas): `leg` 0 at its own location, 1 at its destination; (event_id, leg)
is unique. `uom` is the base unit. Sorted by (time_us, identity, leg)."""

BALANCE_SCHEMA: Final[Schema] = {
    **_KEY,
    "window_end": pl.Int64,
    "uom": pl.String,
    **_BALANCES,
    "position": pl.Int64,
    "postings": pl.Int64,
}
"""Balances of a key at the end of a window that has postings of it, and how many. Sorted by window_end; keys stand
in the order in which they were first posted to."""

FINDING_SCHEMA: Final[Schema] = {
    **_KEY,
    "invariant": pl.String,
    "broken": pl.Boolean,
    "time_us": pl.Int64,
    "event_id": pl.String,
    "amount": pl.Int64,
    "uom": pl.String,
    "window_start": pl.Int64,
}
"""An invariant begins to be broken (`broken`) or holds again, by the last move of that instant; `amount` is what is
missing for it to hold, 0 when it holds. Sorted by time_us; keys in the order in which they were first posted to."""

REFUSED_SCHEMA: Final[Schema] = {**MOVE_SCHEMA, "code": pl.String}
"""A move that is not booked, and why: one of `codes.CODES`. Sorted by (time_us, identity)."""

AS_OF_SCHEMA: Final[Schema] = {
    **_KEY,
    "valid_us": pl.Int64,
    "booked_us": pl.Int64,
    "known": pl.Boolean,
    "location_known": pl.Boolean,
    "uom": pl.String,
    **_BALANCES,
    "position": pl.Int64,
}
"""Balances of a key as of a valid time, on what was booked by `booked_us`. All null where that is older than the kept
history; 0 where the key was not `known` by then. `location_known`: any SKU had been posted at the site and location."""
