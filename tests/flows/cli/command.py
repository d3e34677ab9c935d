"""The `takt` command, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

from tests.takt_client import ask
from tests.takt_served import SOCKET, served


def takt(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `takt` in a folder, which must end with `code`."""
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open() as nothing:
        streams = [nothing.fileno(), out.fileno(), err.fileno()]
        ended = ask(str(served() / SOCKET), list(arguments), str(folder), dict(os.environ), streams)
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(arguments, ended, out.read().decode(), err.read().decode())
    assert ended == code, done.stdout + done.stderr
    return done


def rows(folder: Path, sql: str) -> list[dict]:
    """Result of a query on the lake of the folder's settings."""
    return [json.loads(line) for line in takt(folder, "sql", "-c", sql, "--format", "json").stdout.splitlines()]
