"""All commands in one application, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import logging
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

from flows.cli import audit, contracts, demo, doctor, ingest, lake, proposals, quarantine, run, simulate
from flows.versions import versions
from schemas.errors import TaktError

FAILED = 1
INTERRUPTED = 130
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

err = Console(stderr=True, highlight=False, soft_wrap=True)


class App(typer.Typer):
    """Prints a TaktError as what was wrong and how to mend it, without a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        # Logs must not mix with what commands print, and go above a progress bar, which stands in for stderr.
        structlog.configure(
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # not every locale can write every name
        try:
            return super().__call__(*args, **kwargs)
        except TaktError as error:
            _tell(error.what, error.fix)
            sys.exit(FAILED)
        except KeyboardInterrupt:  # before a command had begun; Typer itself ends those that had
            sys.exit(INTERRUPTED)
        except OSError as error:
            # Files that commands write have errors of their own, which name them.
            if error.filename is not None or error.errno not in _FULL:
                raise
            _tell(f"standard output cannot be written: {error.strerror}", "free space where it goes, and repeat")
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try to write the rest as it ends
            sys.exit(FAILED)


def _tell(what: str, fix: str) -> None:
    err.print(f"[red]error:[/] {_plain(what)}")
    err.print(f"[green]  fix:[/] {_plain(fix)}")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


app = App(
    name="takt",
    help="Keep robots, stock and suppliers in step with demand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_versions(wanted: bool) -> None:
    if wanted:
        for name, version in versions().items():
            typer.echo(f"{name} {version}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_versions, is_eager=True, help="Print what a bug report should name."),
    ] = False,
) -> None:
    pass


for module in (demo, run, ingest, simulate, contracts, lake, proposals, quarantine, audit, doctor):
    module.register(app)
