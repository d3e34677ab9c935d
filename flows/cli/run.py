"""`takt run`: run the flow of the settings."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
        with _interruptible(), run_progress() as told:
            run_flow(chosen, told)
    except KeyboardInterrupt:
        err.print("stopped; the next start goes on where this one ended")
        raise
    location = lake_location(chosen)
    if not location.postgres and not location.sqlite.exists():
        err.print("nothing was there to read, so no lake was made")
        return
    out.print(summary(chosen))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn into KeyboardInterrupt what comes of Ctrl-C while the engine starts: it ends with a Rust panic then."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # a shell that starts a flow in the background has it ignore Ctrl-C
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except BaseException as error:
        # A panic is no Exception; what is one tells what was wrong.
        if came and not isinstance(error, Exception):
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
