"""Answers to proposals and setpoints, written as messages of the contract `control` to the source that reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from dashboards.sql import query
from flows.build import lake_location
from flows.giving import give
from flows.settings import Settings
from flows.stock.streams import CONTROL
from schemas.errors import SettingsError
from schemas.ids import event_id
from sinks.lake.quoting import literal

Verdict = Literal["accepted", "rejected", "completed", "failed"]
About = Literal["proposal", "setpoint"]

_KNOWN: dict[About, str] = {
    "proposal": "SELECT 'adjustment' FROM adjustment WHERE {0} IN (proposal, reversal)"
    " UNION SELECT 'order' FROM order_proposal WHERE {0} IN (proposal, reversal)",
    "setpoint": "SELECT DISTINCT 'setpoint' FROM setpoint WHERE setpoint = {0} AND status = 'sent'",
}
"""What an id is of, as the contract says it; no row for an unknown one."""
_UNKNOWN: dict[About, tuple[str, str]] = {
    "proposal": (
        "there is no proposal, and no reversal of one, with the id {0!r}",
        "`takt proposals` lists what can be decided",
    ),
    "setpoint": (
        "there is no setpoint with the id {0!r}",
        '`takt sql -c "SELECT setpoint, site, zone, robots, status FROM setpoint_now"` lists the newest',
    ),
}
_OVER = """
    SELECT strftime(expires_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S') FROM (
        SELECT proposal, status, expires_at FROM adjustment
        UNION ALL SELECT proposal, status, expires_at FROM order_proposal
    ) WHERE proposal = {0}
    GROUP BY expires_at HAVING bool_and(status = 'proposed') AND expires_at <= TIMESTAMPTZ {1}
"""
"""When a proposal that nothing has become of expires, if that is before the decision."""

_TYPE = "takt.control.decision"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about a proposal or made of a setpoint, and when; the time with its zone."""

    proposal: str
    verdict: Verdict
    by: str
    at: datetime
    comment: str | None = None
    about: About = "proposal"

    def message(self, about: str) -> bytes:
        """The message about an adjustment, an order or a setpoint.

        The same decision of the same person at the same time is the same event.
        """
        at = self.at.astimezone(UTC)
        key = [self.proposal, self.verdict, self.by, at]
        return msgspec.json.encode(
            {
                "event_id": event_id(_TYPE, key),
                "proposal": self.proposal,
                "about": about,
                "decision": self.verdict,
                "by": self.by,
                "comment": self.comment,
                "event_time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            }
        )


def decide(settings: Settings, decision: Decision) -> str:
    """Give a decision to the source that reads them; where it went.

    Raises SettingsError without such a source, for an id that is of nothing of the kind in the lake, and for a time at
    which the proposal will have expired.
    """
    source, lake, name = _control(settings), lake_location(settings), literal(decision.proposal)
    known = query(lake, _KNOWN[decision.about].format(name))
    if not known.rows:
        problem, fix = _UNKNOWN[decision.about]
        raise SettingsError(problem.format(decision.proposal), fix=fix)
    over = query(lake, _OVER.format(name, literal(decision.at.isoformat())))
    if decision.about == "proposal" and over.rows:
        at = decision.at.astimezone(UTC)
        raise SettingsError(
            f"{decision.proposal} expires at {over.rows[0][0]}, this decision is of {at:%Y-%m-%d %H:%M:%S}, both UTC",
            fix="give the time at which it was decided with --at: events, not the clock on the wall, tell the time",
        )
    return give(settings, source, [decision.message(str(known.rows[0][0]))], "decision")


def _control(settings: Settings) -> str:
    found = [name for name, source in settings.sources.items() if source.contract.partition("@")[0] == CONTROL]
    if not found:
        raise SettingsError(
            f"no source reads decisions: none has the contract {CONTROL}@1",
            fix=f'add one, as in [sources.decisions] kind = "files", contract = "{CONTROL}@1", path = "decisions"',
        )
    return found[0]
