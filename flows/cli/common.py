"""What all commands share: the settings option, consoles, results of queries, progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dashboards.render import Format, render
from dashboards.sql import QueryResult
from flows.settings import Settings, load

DEFAULT_FILE = Path("takt.toml")

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", "-s", envvar="TAKT_SETTINGS", help="TOML file; takt.toml where there is one"),
]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def settings_from(path: Path | None) -> Settings:
    """Settings of the given file, else of takt.toml, else the defaults; the environment wins."""
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    return load(path)


def show_result(result: QueryResult, form: Format) -> None:
    """Print the result of a query; a table is laid out for the terminal, where there is one."""
    typer.echo(render(result, form, width=out.width if out.is_terminal else None), nl=False)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A progress bar on a terminal; where there is none, one plain line at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield bar
        if not err.is_terminal:
            for task in bar.tasks:
                err.print(f"{label}: {int(task.completed):,} done")
