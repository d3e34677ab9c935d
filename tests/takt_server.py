"""`takt` for tests: each command in a process of its own, forked from one that has loaded what all of them load.

Loading takes a second of processor time, and tests and pages give more than two hundred commands. New lakes are copies
of one (see `tests.lake_copies`). What is the same as in a user's process: arguments, environment, folder, standard
streams and exit code. A command whose client goes away is killed. Tests that send signals to a command start it as a
user does.

    python -m tests.takt_server SOCKET      serve until standard input ends
    python -IS tests/takt_client.py SOCKET ARGUMENT...
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.registry import contracts
from tests import lake_copies

# None of `flows.cli`: it makes its consoles for the streams and the environment that it meets when it is loaded.
LOADED = (
    "dashboards.render",
    "domain.twin.stock_trade",
    "domain.twin.warehouse",
    "flows.contracts",
    "flows.decisions",
    "flows.doctor",
    "flows.ingest",
    "flows.replay",
    "flows.run",
    "flows.stock.estimator",
    "quality.audit_findings",
    "rich.progress",
    "rich.table",
    "structlog",
    "typer.main",
)


def main(address: str) -> None:
    """Serve commands until standard input ends; in a child, be the command."""
    for name in LOADED:
        importlib.import_module(name)
    contracts()
    lake_copies.use(Path(address).with_name("lake"))
    gc.freeze()  # what is loaded stays, and no command need look through it for what is lost
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                return _serve(connection)
            connection.close()
            _reap()
    _reap()
    return None


def _reap() -> None:
    """Wait for commands that have ended, so that their processor time counts as that of this process."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    asked = json.loads(connection.makefile("rb").readline())
    command = os.fork()
    if command == 0:
        connection.close()
        return _be(asked, streams)
    for number in (0, 1, 2, *streams):  # a reader of the command's output waits for the last who holds it
        os.close(number)
    threading.Thread(target=_kill_when_gone, args=(connection, command), daemon=True).start()
    _, status = os.waitpid(command, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _kill_when_gone(client: socket.socket, command: int) -> None:
    client.recv(1)
    os.kill(command, signal.SIGKILL)


def _be(asked: dict[str, Any], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = [str(Path(sys.executable).with_name("takt")), *asked["arguments"]]
    sys.modules["__main__"].__package__ = None  # by which the help would name the command
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1 if at_once else -1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    _end(_code_of_takt())


def _code_of_takt() -> int:
    from flows.cli import app  # noqa: PLC0415 - see `LOADED`

    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> None:
    """As `multiprocessing` ends its children: libraries would wait for threads that only the parent has."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
