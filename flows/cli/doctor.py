"""`takt doctor`: what is wrong with this deployment, and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from flows.cli.common import SettingsFile, out, settings_from
from flows.doctor import examine
from flows.kafka import create_topics

_EXAMPLES = """
Examples:

  takt doctor --settings takt.toml

  takt doctor --create-topics --partitions 12
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="doctor", epilog=_EXAMPLES)(doctor)


def doctor(
    make_topics: Annotated[
        bool, typer.Option("--create-topics", help="first make the topics of the settings that are missing")
    ] = False,
    partitions: Annotated[
        int, typer.Option(min=1, help="of each topic that is read; more can be added later, though entities then move")
    ] = 4,
    settings: SettingsFile = None,
) -> None:
    """Check settings, contracts, sources, recovery folder, lake, disk and broker; exit 1 if anything is wrong.

    Settings come from the TOML file and from TAKT_... environment variables, which win; nested keys are joined by
    two underscores, as in TAKT_KAFKA__PASSWORD.
    """
    chosen = settings_from(settings)
    if make_topics:
        made = create_topics(chosen, partitions)
        out.print(f"[green]made [/] topics     {escape(', '.join(made)) or 'none was missing'}", soft_wrap=True)
    wrong = 0
    for finding in examine(chosen):
        mark = "[red]wrong[/]" if finding.error else "[green]ok   [/]"
        out.print(f"{mark} {finding.check:10} {escape(finding.found)}", soft_wrap=True)
        if finding.error:
            wrong += 1
            out.print(f"      [green]fix:[/] {escape(finding.error.fix)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)
