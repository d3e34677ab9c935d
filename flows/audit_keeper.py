"""Keeps the audit process running beside the flow, without either being able to harm the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import structlog

from quality.audit_spool import Spool

LOG: Final = "audit.log"
_LONGEST_PAUSE_S: Final = 60.0
_log = structlog.get_logger()


class AuditKeeper:
    """Keeps an audit process running for as long as the block lasts.

    At the end the process gets `drain_s` seconds to look at the samples that still wait. It holds one end of a
    pipe and ends by itself when this process dies, however that happens.
    """

    def __init__(self, folder: Path, contracts: Path | None, *, drain_s: float, first_pause_s: float = 1.0) -> None:
        self._folder = folder
        self._command = [sys.executable, "-P", "-m", "quality.audit_process", str(folder.absolute())]
        if contracts is not None:
            self._command.append(str(contracts.absolute()))
        self._drain_s = drain_s
        self._pause_s = first_pause_s
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name="audit-keeper", daemon=True)
        self.starts = 0
        """How often the process was started."""

    @property
    def pid(self) -> int | None:
        """Id of the running process."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ending.set()
            process = self._process
        if process is not None:
            _end(process, self._drain_s if error is None else 0.0)
            if waiting := len(Spool(self._folder / "spool", now_ns=time.time_ns).waiting()):
                _log.warning("audit.samples_wait", samples=waiting, fix="takt audit run, or the next start")
        self._keeper.join(timeout=5)

    def _keep(self) -> None:
        """Start the process whenever it is not there, after pauses that double."""
        pause = self._pause_s
        with (self._folder / LOG).open("wb") as log:
            while not self._ending.is_set():
                process = self._start(log)
                if process is None:
                    return
                began = time.monotonic()
                code = process.wait()
                if self._ending.is_set():
                    return
                if time.monotonic() - began > _LONGEST_PAUSE_S:
                    pause = self._pause_s
                _log.warning("the audit process died and is started again", code=code, in_s=pause, log=log.name)
                self._ending.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
            )
            self.starts += 1
            return self._process


def _end(process: subprocess.Popen[bytes], drain_s: float) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(drain_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment() -> dict[str, str]:
    """What the audit needs of the environment: no secrets of the flow, one thread, no telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKT_")}
    one = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return kept | one | {"GX_ANALYTICS_ENABLED": "false"}
