"""A flow from a topic to a topic in a process of its own, made to be killed.

Arguments: bootstrap, topic to read, topic to write, recovery folder, pause per batch in seconds, so that it is caught
in the middle, and at which snapshot of the sink to die right after the Kafka transaction, before the engine knows of it
(0: never).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
import polars as pl
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from flows import recovery
from flows.sources.kafka import KafkaSource, KafkaSourceOptions
from flows.valve import Valves
from schemas.batch import RawBatch
from schemas.outputs import SIGNAL
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.sink import KafkaItem, KafkaSink, KafkaSinkPart
from sinks.kafka.token import Token

_START = datetime(2026, 1, 1, tzinfo=UTC)


def as_signals(batch: RawBatch) -> tuple[str, KafkaItem]:
    """One signal per message, named after it."""
    rows = [
        {"kind": "test", "subject": m.decode(), "event_time": _START, "severity": "info", "reason": "", "evidence": ""}
        for m in batch.messages
    ]
    return batch.partition, (SIGNAL.name, pl.DataFrame(rows, schema=SIGNAL.schema))


class MortalPart(KafkaSinkPart):
    """Tells of each transaction, and dies after a set one."""

    def __init__(self, part: KafkaSinkPart, lives: int) -> None:
        super().__init__(part._writer)
        self._lives = lives

    def snapshot(self) -> Token:
        token = super().snapshot()
        sys.stdout.write("committed\n")
        sys.stdout.flush()
        self._lives -= 1
        if self._lives == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return token


class MortalSink(KafkaSink):
    """A sink whose parts die at a set snapshot."""

    lives = 0

    def build_part(self, step_id: str, for_part: str, resume_state: Token | None) -> KafkaSinkPart:
        return MortalPart(super().build_part(step_id, for_part, resume_state), self.lives)


def main(bootstrap: str, source: str, target: str, folder: str, pause: str, die_at: str) -> None:
    connection = KafkaConnection(bootstrap=bootstrap)
    options = KafkaSourceOptions(name="numbers", topic=source, group="child", stop_at_end=True, batch_rows=100)
    with recovery.opened(Path(folder), flow="child", now_us=time.time_ns() // 1000) as (run, store, _):
        topics = {"estimates": target, "signals": target, "quarantine": target}
        sink = MortalSink(connection, topics, run.run_id, "child", since_ms=run.started_us // 1000)
        sink.lives = int(die_at)
        flow = Dataflow("child")
        stream = op.input("in", flow, KafkaSource(connection, options, Valves(1.0)))
        slowed = op.inspect("slow", stream, lambda *_: time.sleep(float(pause)))
        op.output("out", op.map("signals", slowed, as_signals), sink)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        cli_main(flow, epoch_interval=timedelta(seconds=0.2), recovery_config=store)


if __name__ == "__main__":
    main(*sys.argv[1:])
