"""`takt sql` and `takt lake compact`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dashboards.render import Format
from dashboards.sql import query
from flows.build import lake_location
from flows.cli.common import SettingsFile, err, settings_from, show_result
from schemas.errors import SettingsError
from sinks.lake.maintenance import LakeFigures, compact

_EXAMPLES = """
Examples:

  takt sql -c "SELECT * FROM throughput_latest LIMIT 5"

  takt sql --file report.sql --format csv > report.csv

  takt sql -c "SELECT title, sql FROM meta.example_queries"
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="sql", epilog=_EXAMPLES)(sql)
    lake = typer.Typer(help="Look after the lake.", no_args_is_help=True)
    lake.command(name="compact", epilog="Example: takt lake compact --settings takt.toml")(compact_lake)
    app.add_typer(lake, name="lake")


def sql(
    command: Annotated[str | None, typer.Option("-c", "--command", help="the query")] = None,
    file: Annotated[Path | None, typer.Option(help="file with the query")] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print the result")] = "table",
    settings: SettingsFile = None,
) -> None:
    """Run one read-only query on the lake, also while flows write; without a query, read it from standard input."""
    show_result(query(lake_location(settings_from(settings)), _text(command, file)), form)


def _text(command: str | None, file: Path | None) -> str:
    if command is not None and file is not None:
        raise SettingsError("both -c and --file give a query", fix="give one of them")
    place = "the query" if file is None else f"query {file}"
    try:
        if command is None:
            command = sys.stdin.read() if file is None else file.read_text("utf-8")
        command.encode()
    except (OSError, UnicodeError) as error:
        fix = "write it in UTF-8" if isinstance(error, UnicodeError) else "give the path of a file"
        raise SettingsError(f"{place} cannot be read: {error}", fix=fix) from error
    return command


def compact_lake(settings: SettingsFile = None) -> None:
    """Merge small files, expire old snapshots, delete what is no longer needed. Flows do it themselves as they run."""
    done = compact(lake_location(settings_from(settings)), now=datetime.now(UTC))
    err.print(f"before: {_figures(done.before)}\nafter:  {_figures(done.after)}\n{done.deleted} files deleted")


def _figures(figures: LakeFigures) -> str:
    return f"{figures.files} files, {figures.bytes:,} bytes, {figures.snapshots} snapshots"
