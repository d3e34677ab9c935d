"""Setpoints as a flow would use them: a decision per interval, answers in between."""

from __future__ import annotations

import polars as pl

from domain.alignment.limits import Limits, ZoneLimit
from domain.alignment.setpoint import Evidence
from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_tables import ACKNOWLEDGEMENT_SCHEMA
from domain.alignment.setpoints import Setpoints

MINUTE = 60_000_000
REVIEW = 5 * MINUTE
CONFIG = SetpointConfig(
    interval_us=REVIEW,
    delay_us=10 * MINUTE,
    ack_within_us=4 * MINUTE,
    expires_after_us=60 * MINUTE,
    hold_us=30 * MINUTE,
)
LIMITS = Limits([ZoneLimit(low=2, high=20, step=4)])
WHY = Evidence("smith@1", "gain=1", "digest", "because", "{}")


def answers(*rows):
    """(setpoint, decision, time): each an event of its own."""
    data = [(f"e{i}-{t}", name, decision, "wms", None, t) for i, (name, decision, t) in enumerate(rows)]
    return pl.DataFrame(data, schema=ACKNOWLEDGEMENT_SCHEMA, orient="row")


class Desk:
    """One zone at a time of its own, with everything that was told."""

    def __init__(self, config=CONFIG, limits=LIMITS):
        self.setpoints = Setpoints(config, limits)
        self.rows, self.exceptions, self.refused = [], [], []
        self.now = 0

    def at(self, minute, *rows):
        """Time comes to a minute, with answers (setpoint, decision, minute) before."""
        self.now = minute * MINUTE
        asked = answers(*((name, decision, round(t * MINUTE)) for name, decision, t in rows))
        said = self.setpoints.advance(asked, self.now)
        self.rows += said.setpoints.to_dicts()
        self.exceptions += said.exceptions.to_dicts()
        self.refused += said.refused.to_dicts()
        return self

    def want(self, robots, present=None, zone="pick"):
        rows = self.setpoints.issue("north", zone, robots, self.now, WHY, present).to_dicts()
        self.rows += rows
        return rows[-1]["setpoint"] if rows else None

    def hold(self, cause="stale", zone="pick"):
        rows = self.setpoints.hold("north", zone, self.now, cause).to_dicts()
        self.rows += rows
        return rows

    @property
    def statuses(self):
        return [row["status"] for row in self.rows]

    @property
    def kinds(self):
        return [row["kind"] for row in self.exceptions]

    @property
    def codes(self):
        return [row["code"] for row in self.refused]

    @property
    def in_force(self):
        return self.setpoints.in_force("north", "pick", self.now)

    @property
    def pending(self):
        return self.setpoints.pending("north", "pick", self.now)
