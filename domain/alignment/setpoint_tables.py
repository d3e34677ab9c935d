"""Columns of setpoints, of acknowledgements of them, and of what comes of both; why an acknowledgement is refused.

Times are Int64 microseconds UTC.
"""

from __future__ import annotations

from typing import Final, Literal

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

HoldCause = Literal["stale", "no_data"]

HOLD_CAUSES: Final[dict[HoldCause, str]] = {
    "stale": "the telemetry of the zone is older than it may be",
    "no_data": "nothing was ever heard of the zone",
}
"""Why a setpoint is held instead of decided anew."""

UNKNOWN: Final = "setpoint.unknown"
LATE: Final = "setpoint.late"
EXPIRED: Final = "setpoint.expired"
SUPERSEDED: Final = "setpoint.superseded"
DECIDED: Final = "setpoint.decided"
NO_ACKNOWLEDGEMENT: Final = "setpoint.no_acknowledgement"

REFUSALS: Final = {
    UNKNOWN: "no setpoint has this id, or it was settled too long ago",
    LATE: "it came after the time in which it had to",
    EXPIRED: "the setpoint had expired",
    SUPERSEDED: "a later setpoint came into force before",
    DECIDED: "it contradicts an earlier acknowledgement",
    NO_ACKNOWLEDGEMENT: "a setpoint can be accepted, rejected, completed, failed or expired",
}
"""Why an acknowledgement is refused."""

ACKNOWLEDGEMENT_SCHEMA: Final[Schema] = {
    "event_id": pl.String,
    "proposal": pl.String,
    "decision": pl.String,
    "by": pl.String,
    "comment": pl.String,
    "time_us": pl.Int64,
}
"""What a controller answered to a setpoint, by its id (`proposal`). `by` and `comment` may be null."""

REFUSED_SCHEMA: Final[Schema] = {**ACKNOWLEDGEMENT_SCHEMA, "code": pl.String}
"""An acknowledgement that had no effect, and why: one of `REFUSALS`."""

SETPOINT_SCHEMA: Final[Schema] = {
    "setpoint": pl.String,
    "status": pl.String,
    "time_us": pl.Int64,
    "site": pl.String,
    "zone": pl.String,
    "robots": pl.Int64,
    "previous": pl.Int64,
    "renews": pl.String,
    "decided_us": pl.Int64,
    "effective_us": pl.Int64,
    "expires_us": pl.Int64,
    "cut": pl.String,
    "controller": pl.String,
    "parameters": pl.String,
    "inputs": pl.String,
    "reason": pl.String,
    "evidence": pl.String,
    "cause": pl.String,
    "acknowledgement": pl.String,
    "superseded_by": pl.String,
    "by": pl.String,
    "comment": pl.String,
}
"""What became of a setpoint and when; (setpoint, status) is unique.

`robots` shall be at work in the zone from `effective_us` to `expires_us`; `previous` is what was asked for before, null
where nothing was; `renews` the setpoint whose time this one prolongs, null of a new one; `cut` the hard limit that made
it another than the controller's (`limits.Cut`), else empty. `controller`, `parameters`, digest of `inputs`, `reason`
and `evidence` (JSON) are those of the decision. `acknowledgement` (event), `by` and `comment` are of what brought the
status, `superseded_by` is the setpoint that took its place; all null where time did.

Of status `held` and `resumed`, `setpoint` names the spell, `robots` is what is held (null: nothing was asked for),
`cause` one of `HOLD_CAUSES`, and nothing is renewed to last beyond `expires_us`.
"""

EXCEPTION_SCHEMA: Final[Schema] = {
    "exception": pl.String,
    "kind": pl.String,
    "time_us": pl.Int64,
    "site": pl.String,
    "zone": pl.String,
    "setpoint": pl.String,
    "robots": pl.Int64,
    "in_force": pl.Int64,
    "reason": pl.String,
    "acknowledgement": pl.String,
    "by": pl.String,
    "comment": pl.String,
}
"""A setpoint that is not carried out: `robots` asked for, what is in force instead (null: nothing), and why.

`kind`: unacknowledged (no answer in time), rejected, failed, lapsed (its time ran out while it was in force, or
before it was carried out), or without_effect (it is said to be in force, and does not show). One row per setpoint and
kind.
"""
