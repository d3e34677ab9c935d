"""`takt quarantine list` and `takt quarantine replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dashboards.render import Format
from dashboards.sql import query
from flows.build import lake_location
from flows.cli.common import SettingsFile, err, settings_from, show_result
from flows.replay import Selection, deliver, demand_source, select
from flows.replay_ledger import opened
from sinks.lake.catalog import connect

_LIST = """
    SELECT source, contract, array_to_string(reasons, ', ') AS reasons, count(*) AS messages,
           count(*) FILTER (attempts > 1) AS failed_again, any_value(detail) AS example
    FROM quarantine_attempts GROUP BY ALL ORDER BY messages DESC, reasons
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    quarantine = typer.Typer(help="Messages that failed the gate, with their original bytes.", no_args_is_help=True)
    quarantine.command(name="list", epilog="Example: takt quarantine list --format csv")(show)
    quarantine.command(
        name="replay", epilog="Example: takt quarantine replay --source telemetry --reason decode.unknown_field"
    )(replay)
    app.add_typer(quarantine, name="quarantine")


def show(
    form: Annotated[Format, typer.Option("--format", help="how to print the list")] = "table",
    settings: SettingsFile = None,
) -> None:
    """List what is in quarantine, by source and reasons, most first."""
    show_result(query(lake_location(settings_from(settings)), _LIST), form)


def replay(
    source: Annotated[str, typer.Option(help="source whose messages are given to it again")],
    reason: Annotated[str | None, typer.Option(help="only messages that failed this rule")] = None,
    to: Annotated[Path | None, typer.Option(help="file to write instead of the source itself")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how many would pass now")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also messages that were replayed before and have not failed since")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Give quarantined messages to their source again, after a fix of the contract or the settings.

    They are read like any other message: those that pass count where they still can, and are kept as late where
    they cannot; those that fail again are quarantined again, and `quarantine_attempts` in the lake counts that.
    A second replay gives only those that have failed again since the first.
    """
    chosen = settings_from(settings)
    demand_source(chosen, source)
    location = lake_location(chosen)
    connect(location, read_only=True).close()
    with opened(location.folder, source) as ledger:
        selected = select(chosen, ledger, Selection(source, reason, again))
        count = len(selected.messages)
        err.print(f"{count:,} messages; {selected.passing:,} would pass the gate now")
        if selected.done:
            err.print(f"{selected.done:,} more were replayed before and have not failed since; --again gives them too")
        if dry_run or not count:
            return
        place = deliver(chosen, source, selected, ledger, to)
        err.print(f"{count:,} messages given to {place}")
