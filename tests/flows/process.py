"""The flow in a process of its own, which a test may kill at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from flows.run import run
from flows.settings import Settings
from flows.sources import files
from sinks.lake.sink import LakeSinkPart

_CONTEXT = multiprocessing.get_context("forkserver")
# Imports take seconds; a fork of a process that has done them takes none.
_CONTEXT.set_forkserver_preload([__name__])

PATIENCE_S = 120


@dataclass
class FlowProcess:
    """A running flow; `commits` is how many epochs it has committed to the lake so far."""

    process: ForkServerProcess
    commits: Synchronized[int]

    def end(self) -> int | None:
        """Wait for the end; the exit code, negative for a signal."""
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"the flow did not end in {PATIENCE_S} s")
        return self.process.exitcode


def start(settings: Settings, *, chunk: int = 4 << 20, die_after_commit: int | None = None) -> FlowProcess:
    """Start the flow, reading `chunk` bytes per poll.

    With `die_after_commit` it kills itself right after that commit of the lake, before the engine's own.
    """
    commits: Any = _CONTEXT.Value("i", 0)
    process = _CONTEXT.Process(target=_main, args=(settings, chunk, die_after_commit, commits), daemon=True)
    process.start()
    return FlowProcess(process, commits)


def _main(settings: Settings, chunk: int, die_after_commit: int | None, commits: Synchronized[int]) -> None:
    snapshot = LakeSinkPart.snapshot

    def counted(part: LakeSinkPart) -> int:
        token = snapshot(part)
        commits.value += 1
        if commits.value == die_after_commit:
            os.kill(os.getpid(), signal.SIGKILL)
        return token

    LakeSinkPart.snapshot = counted  # type: ignore[method-assign]
    files._CHUNK = chunk
    run(settings)
