"""The flow in a process of its own, which a test may kill at any moment."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any

from bytewax.outputs import StatefulSinkPartition

from flows.run import run
from flows.settings import Settings
from flows.sources import files
from flows.sources.kafka import KafkaSourceOptions
from sinks.kafka.sink import KafkaSinkPart
from sinks.lake.sink import LakeSinkPart

CONTEXT = multiprocessing.get_context("forkserver")
# Imports take seconds; a fork of a process that has done them takes none.
CONTEXT.set_forkserver_preload([__name__, "flows.stock.estimator", "flows.alignment.estimator"])

PATIENCE_S = 120


@dataclass
class FlowProcess:
    """A running flow; `lake` and `kafka` are how many epochs it has committed there so far."""

    process: ForkServerProcess
    lake: ctypes.c_int
    kafka: ctypes.c_int

    @property
    def commits(self) -> int:
        """Commits of all sinks together."""
        return self.lake.value + self.kafka.value

    def disturb(self, commits: int, delay: float, sign: signal.Signals) -> None:
        """Signal the flow some seconds after so many commits, and wait for its end."""
        deadline = time.monotonic() + PATIENCE_S
        while self.commits < commits and self.process.is_alive():
            assert time.monotonic() < deadline, "the flow makes no progress"
            time.sleep(0.002)
        self.process.join(delay)
        assert self.process.is_alive(), "the flow ended before it could be killed: make the input longer"
        assert self.process.pid is not None
        os.kill(self.process.pid, sign)
        assert self.end() == -sign

    def end(self) -> int | None:
        """Wait for the end; the exit code, negative for a signal."""
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"the flow did not end in {PATIENCE_S} s")
        return self.process.exitcode


def start(
    settings: Settings, *, chunk: int = 4 << 20, batch_rows: int = 10_000, die_after_commit: int | None = None
) -> FlowProcess:
    """Start the flow, reading `chunk` bytes per poll of a file and `batch_rows` messages per poll of a topic.

    With `die_after_commit` it kills itself right after that commit of a sink, before the engine's own. With two
    sinks, which take turns, an odd number is between the commits of both.
    """
    # Without locks: a process that is killed while it holds one never lets it go.
    lake: Any = CONTEXT.Value("i", 0, lock=False)
    kafka: Any = CONTEXT.Value("i", 0, lock=False)
    args = (settings, chunk, batch_rows, die_after_commit, lake, kafka)
    process = CONTEXT.Process(target=_main, args=args, daemon=True)
    process.start()
    return FlowProcess(process, lake, kafka)


def _main(
    settings: Settings,
    chunk: int,
    batch_rows: int,
    die_after_commit: int | None,
    lake: ctypes.c_int,
    kafka: ctypes.c_int,
) -> None:
    lock = threading.Lock()

    def count(part: type[StatefulSinkPartition[Any, Any]], own: ctypes.c_int) -> None:
        snapshot = part.snapshot

        def counted(self: StatefulSinkPartition[Any, Any]) -> object:
            token = snapshot(self)
            with lock:
                own.value += 1
                if lake.value + kafka.value == die_after_commit:
                    os.kill(os.getpid(), signal.SIGKILL)
            return token

        part.snapshot = counted

    count(LakeSinkPart, lake)
    count(KafkaSinkPart, kafka)
    files._CHUNK = chunk
    KafkaSourceOptions.__init__.__kwdefaults__["batch_rows"] = batch_rows
    run(settings)
