"""Columns of proposals, of decisions about them, and of what comes of both; why a decision is refused.

Times are Int64 microseconds UTC, quantities Int64 thousandths of the base unit.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from domain.inventory.tables import KEY, Schema

UNKNOWN: Final = "proposal.unknown"
CHANGED: Final = "proposal.changed"
EXPIRED: Final = "proposal.expired"
DECIDED: Final = "proposal.decided"
NOT_ACCEPTED: Final = "proposal.not_accepted"
NO_DECISION: Final = "proposal.no_decision"

REFUSALS: Final = {
    UNKNOWN: "no proposal has this id, or it was decided too long ago",
    CHANGED: "a later proposal took its place",
    EXPIRED: "it had expired",
    DECIDED: "it was decided otherwise before",
    NOT_ACCEPTED: "only what was accepted can be reversed",
    NO_DECISION: "a proposal can be accepted, rejected or expired, a reversal only accepted",
}
"""Why a decision is refused."""

_KEY: Final[Schema] = dict.fromkeys(KEY, pl.String)

DECISION_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "proposal": pl.String,
    "decision": pl.String,
    "by": pl.String,
    "comment": pl.String,
    "time_us": pl.Int64,
}
"""What somebody decided about a proposal, or about its reversal, by id, and why. `by` and `comment` may be null."""


class Said(NamedTuple):
    """What settled a proposal: the event that decided it, or the proposal that took its place; by whom, and why."""

    decision: str | None = None
    by: str | None = None
    comment: str | None = None


BY_TIME: Final = Said()
"""Nobody: it is new, or time has passed, or papers came."""


ADJUSTMENT_SCHEMA: Final[Schema] = {
    "proposal": pl.String,
    "reversal": pl.String,
    "status": pl.String,
    "time_us": pl.Int64,
    **_KEY,
    "quantity": pl.Int64,
    "event_id": pl.String,
    "kind": pl.String,
    "reason": pl.String,
    "evidence": pl.String,
    "expires_us": pl.Int64,
    "decision": pl.String,
    "by": pl.String,
    "comment": pl.String,
}
"""What became of a proposal and when; (proposal, status) is unique. `event_id` and `kind` are of the count behind it,
`decision` is the event that decided it (of one that another took the place of, that one's id), null where time did."""

ADJUST_MOVE_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    **_KEY,
    "quantity": pl.Int64,
    "reason": pl.String,
    "document": pl.String,
    "line": pl.String,
    "corrects": pl.String,
    "valid_us": pl.Int64,
    "time_us": pl.Int64,
}
"""A move for the ledger, in the base unit: its document is the proposal or the reversal. A reversal `corrects` the move
it undoes."""

ORDER_SCHEMA: Final[Schema] = {
    "proposal": pl.String,
    "reversal": pl.String,
    "kind": pl.String,
    "status": pl.String,
    "time_us": pl.Int64,
    "site": pl.String,
    "from_site": pl.String,
    "sku": pl.String,
    "quantity": pl.Int64,
    "uom": pl.String,
    "expires_us": pl.Int64,
    "reason": pl.String,
    "demand_model": pl.String,
    "decision": pl.String,
    "by": pl.String,
    "comment": pl.String,
}
"""What became of a proposed order or transfer (`kind`) and when; (proposal, status) is unique. `from_site` is null of
an order; `decision` to `comment` as of adjustments."""

PAPER_SCHEMA: Final[Schema] = {
    "kind": pl.String,
    "site": pl.String,
    "sku": pl.String,
    "from_site": pl.String,
    "quantity": pl.Int64,
    "time_us": pl.Int64,
}
"""A booked move that says that something was ordered, or was sent from another site."""

REFUSED_DECISION_SCHEMA: Final[Schema] = {**DECISION_SCHEMA, "code": pl.String}
"""A decision that had no effect, and why: one of `REFUSALS`."""
