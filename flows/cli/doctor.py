"""`takt doctor`: what is wrong with this deployment, and how to mend it."""

from __future__ import annotations

import typer
from rich.markup import escape

from flows.cli.common import SettingsFile, out, settings_from
from flows.doctor import examine


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="doctor", epilog="Example: takt doctor --settings takt.toml")(doctor)


def doctor(settings: SettingsFile = None) -> None:
    """Check settings, contracts, sources, recovery folder, lake, disk and broker; exit 1 if anything is wrong.

    Settings come from the TOML file and from TAKT_... environment variables, which win; nested keys are joined by
    two underscores, as in TAKT_KAFKA__PASSWORD.
    """
    wrong = 0
    for finding in examine(settings_from(settings)):
        mark = "[red]wrong[/]" if finding.error else "[green]ok   [/]"
        out.print(f"{mark} {finding.check:10} {escape(finding.found)}", soft_wrap=True)
        if finding.error:
            wrong += 1
            out.print(f"      [green]fix:[/] {escape(finding.error.fix)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)
