"""The running `tests.takt_server` of this process."""

from __future__ import annotations

import atexit
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import ROOT

SOCKET = "socket"


@cache
def served() -> Path:
    """Folder with the socket of a server that ends with this process, and with a `takt` for scripts."""
    temporary = TemporaryDirectory(prefix="takt-server-")
    folder = Path(temporary.name)
    script = folder / "takt"
    client = shlex.join([sys.executable, "-IS", str(ROOT / "tests" / "takt_client.py"), str(folder / SOCKET)])
    script.write_text(f'#!/bin/sh\nexec {client} "$@"\n', "utf-8")
    script.chmod(0o700)
    command = [sys.executable, "-m", "tests.takt_server", str(folder / SOCKET)]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    atexit.register(temporary.cleanup)
    atexit.register(server.communicate)
    return folder
