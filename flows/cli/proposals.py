"""`takt proposals`, `takt approve`, `takt reject` and `takt acknowledge`."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from dashboards.render import Format
from dashboards.sql import query
from flows.build import lake_location
from flows.cli.common import SettingsFile, err, settings_from, show_result
from flows.decisions import About, Decision, Verdict, decide

_OPEN = """
    SELECT proposal, 'adjustment' AS kind, site, location, NULL AS from_site, sku, quantity, uom, expires_at, reason
    FROM adjustment_open
    UNION ALL
    SELECT proposal, kind, site, NULL, from_site, sku, quantity, uom, expires_at, reason FROM order_open
    ORDER BY expires_at, proposal
"""

Proposal = Annotated[str, typer.Argument(help="id of the proposal, or the reversal id of an accepted one")]
By = Annotated[str | None, typer.Option(help="who decides; the user who runs the command unless given")]
Comment = Annotated[str | None, typer.Option(help="why")]
At = Annotated[
    datetime | None,
    typer.Option(help="when it was decided, UTC; now unless given", formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="proposals", epilog="Example: takt proposals --format csv")(proposals)
    app.command(name="approve", epilog='Example: takt approve 5d0f... --comment "counted twice"')(approve)
    app.command(name="reject", epilog="Example: takt reject 5d0f... --by ada")(reject)
    app.command(name="acknowledge", epilog="Example: takt acknowledge 5d0f... completed --by fleet-manager")(
        acknowledge
    )


def proposals(
    form: Annotated[Format, typer.Option("--format", help="how to print the list")] = "table",
    settings: SettingsFile = None,
) -> None:
    """List proposed adjustments, orders and transfers that can still be decided, those that expire first above."""
    show_result(query(lake_location(settings_from(settings)), _OPEN), form)


def approve(
    proposal: Proposal, by: By = None, comment: Comment = None, at: At = None, settings: SettingsFile = None
) -> None:
    """Accept a proposal, or take back an accepted one by its reversal id.

    When the flow reads the decision it books an adjustment, once, however often it is given. An order or a transfer
    counts as if it were on its way, until its papers come. Taken back, an adjustment is booked the other way round,
    and an order or a transfer counts no more.
    """
    _decide("accepted", proposal, by, comment, at, settings)


def reject(
    proposal: Proposal, by: By = None, comment: Comment = None, at: At = None, settings: SettingsFile = None
) -> None:
    """Reject a proposal: it cannot be accepted any more, and a like order is not proposed again at once."""
    _decide("rejected", proposal, by, comment, at, settings)


def acknowledge(
    setpoint: Annotated[str, typer.Argument(help="id of the setpoint")],
    verdict: Annotated[Verdict, typer.Argument(help="what the controller makes of it")],
    by: By = None,
    comment: Comment = None,
    at: At = None,
    settings: SettingsFile = None,
) -> None:
    """Answer a setpoint as the controller that carries it out would: accepted or rejected, then completed or failed.

    Controllers write the same message to the control topic themselves; given twice, or too late, it changes nothing.
    """
    _decide(verdict, setpoint, by, comment, at, settings, "setpoint")


def _decide(
    verdict: Verdict,
    proposal: str,
    by: str | None,
    comment: str | None,
    at: datetime | None,
    settings: SettingsFile,
    about: About = "proposal",
) -> None:
    when = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    decision = Decision(proposal, verdict, by or getpass.getuser(), when, comment, about)
    place = decide(settings_from(settings), decision)
    err.print(f"{proposal} {verdict} by {decision.by}, given to {place}")
