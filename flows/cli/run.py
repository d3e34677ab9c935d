"""`takt run`: run the flow of the settings."""

from __future__ import annotations

import typer

from flows.build import lake_location
from flows.cli.common import SettingsFile, err, out, settings_from
from flows.cli.run_progress import run_progress
from flows.cli.summary import summary
from flows.run import run as run_flow


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="run", epilog="Example: [bold]takt run --settings takt.toml[/]")(run)


def run(settings: SettingsFile = None) -> None:
    """Run the flow of the settings: until its inputs end, or until it is stopped.

    How far it has come through inputs that end is shown on standard error. Stop it with Ctrl-C or SIGTERM at any time;
    the next start goes on exactly where it stopped.
    """
    chosen = settings_from(settings)
    try:
        with run_progress() as told:
            run_flow(chosen, told)
    except KeyboardInterrupt:
        err.print("stopped; the next start goes on where this one ended")
        raise
    location = lake_location(chosen)
    if not location.postgres and not location.sqlite.exists():
        err.print("nothing was there to read, so no lake was made")
        return
    out.print(summary(chosen))
