"""`takt audit run` and `takt audit list`: the second line of data quality, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from flows.cli.common import SettingsFile, err, out, settings_from
from quality.audit_findings import FILE, read_findings, read_status


def register(app: typer.Typer) -> None:
    """Add the commands."""
    audit = typer.Typer(help="Real Great Expectations on samples of what the gate did.", no_args_is_help=True)
    audit.command(name="run", epilog="Example: takt audit run || notify-on-call")(run)
    audit.command(name="list", epilog="Example: takt audit list --limit 5")(show)
    app.add_typer(audit, name="audit")


def run(settings: SettingsFile = None) -> None:
    """Audit the samples that wait, as a running flow does by itself; exit code 1 when something new was found."""
    from quality.audit_process import AuditProcess, locked  # noqa: PLC0415 - loads Great Expectations, for seconds

    chosen = settings_from(settings)
    folder = chosen.audit.folder
    with locked(folder, wait=False):
        process = AuditProcess(folder, chosen.contracts)
        process.run(None)
    err.print(f"{process.samples} samples audited, {process.found} new findings; Data Docs in {folder / 'docs'}")
    if process.found:
        _print(folder, process.found)
        raise typer.Exit(1)


def show(
    limit: Annotated[int, typer.Option(min=1, help="how many, newest last")] = 20,
    settings: SettingsFile = None,
) -> None:
    """List what the audit found, and how it stands."""
    _print(settings_from(settings).audit.folder, limit)


def _print(folder: Path, limit: int) -> None:
    table = Table("severity", "kind", "subject", "event time", "reason")
    for finding in read_findings(folder / FILE, 0)[0][-limit:]:
        time = datetime.fromtimestamp(finding.event_time_us / 1e6, UTC).isoformat()
        table.add_row(finding.severity, finding.kind, finding.subject, time, finding.reason)
    out.print(table if table.row_count else "nothing was found")
    status = read_status(folder)
    if status is None:
        err.print(f"the audit never ran in {folder}")
        return
    updated = datetime.fromtimestamp(status.updated_us / 1e6, UTC).isoformat(timespec="seconds")
    err.print(f"last heard of {updated}; {status.samples} samples, {status.waiting} wait, {status.lost} lost")
