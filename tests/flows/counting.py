"""The smallest flow with state, one item per epoch, to show what the engine does with it after crashes."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

EPOCH = timedelta(0)
IDLE_EPOCHS = 8


class Numbers(StatefulSourcePartition[int, int]):
    """1, 2, ... up to `last`, one per poll; with `dies_idle` nothing, and death after some idle epochs."""

    def __init__(self, resume: int | None, last: int, *, dies_idle: bool) -> None:
        self._next = resume or 1
        self._last = last
        self._dies_idle = dies_idle
        self._epochs = 0

    def next_batch(self) -> list[int]:
        if self._next <= self._last:
            self._next += 1
            return [self._next - 1]
        if self._dies_idle:
            return []
        raise StopIteration

    def next_awake(self) -> datetime | None:
        return None

    def snapshot(self) -> int:
        self._epochs += 1
        if self._dies_idle and self._epochs == IDLE_EPOCHS:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._next


class NumberSource(FixedPartitionedSource[int, int]):
    def __init__(self, last: int, *, dies_idle: bool) -> None:
        self._last = last
        self._dies_idle = dies_idle

    def list_parts(self) -> list[str]:
        return ["numbers"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Numbers:
        del step_id, for_part
        return Numbers(resume_state, self._last, dies_idle=self._dies_idle)


class Ledger(StatefulSinkPartition[tuple[int, int], int]):
    """Appends (item, count) lines; dies when an epoch with item `dies_at` closes, with the state stored or not."""

    def __init__(self, path: Path, dies_at: int | None) -> None:
        self._path = path
        self._dies_at = dies_at
        self._dies = False

    def write_batch(self, values: list[tuple[int, int]]) -> None:
        with self._path.open("a") as file:
            for item, count in values:
                file.write(f"{item} {count}\n")
                self._dies |= item == self._dies_at

    def snapshot(self) -> int:
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


class LedgerSink(FixedPartitionedSink[tuple[int, int], int]):
    def __init__(self, path: Path, dies_at: int | None) -> None:
        self._path = path
        self._dies_at = dies_at

    def list_parts(self) -> list[str]:
        return ["ledger"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Ledger:
        del step_id, for_part, resume_state
        return Ledger(self._path, self._dies_at)


def count(store: Path, ledger: Path, *, dies_at: int | None = None, dies_idle: bool = False, workers: int = 1) -> None:
    """Count the items 1 to 5 in a stateful step; die with the epoch of an item, or after some idle epochs."""
    flow = Dataflow("counting")
    items = op.input("numbers", flow, NumberSource(0 if dies_idle else 5, dies_idle=dies_idle))
    keyed = op.key_on("key", items, lambda _: "all")
    counted = op.stateful_map("count", keyed, lambda n, item: ((n or 0) + 1, (item, (n or 0) + 1)))
    op.output("ledger", op.map("part", counted, lambda pair: ("ledger", pair[1])), LedgerSink(ledger, dies_at))
    cli_main(flow, workers_per_process=workers, epoch_interval=EPOCH, recovery_config=RecoveryConfig(store))
