"""Kafka as a Bytewax sink: fixed parts, each with a writer that commits when an epoch closes.

Bytewax 0.21.1 calls `build_part` (with the last durable token), then per epoch `write_batch` any number of times
and `snapshot` once if anything was written.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from sinks.kafka.connection import KafkaConnection
from sinks.kafka.eager import EagerWriter
from sinks.kafka.token import Token
from sinks.kafka.transactional import TransactionalWriter

KafkaItem = tuple[str, pl.DataFrame]
"""Output name and frame of `OUTPUTS[name].schema`."""

PART = "kafka-0"


class KafkaSinkPart(StatefulSinkPartition[KafkaItem, Token]):
    """One part: hands rows to its writer."""

    def __init__(self, writer: TransactionalWriter | EagerWriter) -> None:
        self._writer = writer

    def write_batch(self, values: list[KafkaItem]) -> None:
        """Take rows; those of outputs without an event type are passed over."""
        for output, frame in values:
            self._writer.append(output, frame)

    def snapshot(self) -> Token:
        """Commit the epoch; returns the token to resume from."""
        return self._writer.commit()

    def close(self) -> None:
        """Let the brokers go."""
        self._writer.close()


class KafkaSink(FixedPartitionedSink[KafkaItem, Token]):
    """Sink of items `(key, (output name, frame))`; the key only chooses among several parts.

    `topics` maps estimates, signals and quarantine to topic names. With `eager` events go out at once, at least
    once; else once per epoch, effectively once for readers of committed messages. `since_ms`: when the run began.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Mapping[str, str],
        run_id: str,
        flow: str,
        *,
        since_ms: int = 0,
        eager: bool = False,
        parts: tuple[str, ...] = (PART,),
    ) -> None:
        self._connection = connection
        self._topics = dict(topics)
        self._run_id = run_id
        self._flow = flow
        self._since_ms = since_ms
        self._eager = eager
        self._parts = parts

    def list_parts(self) -> list[str]:
        """All parts; every worker can write each."""
        return [*self._parts]

    def build_part(self, step_id: str, for_part: str, resume_state: Token | None) -> KafkaSinkPart:
        """Connect, fence the dead writer of this part and take up the token."""
        del step_id
        writer: TransactionalWriter | EagerWriter
        if self._eager:
            writer = EagerWriter(self._connection, self._topics, self._run_id, self._flow, for_part)
        else:
            writer = TransactionalWriter(
                self._connection, self._topics, self._run_id, self._flow, for_part, since_ms=self._since_ms
            )
        writer.resume(resume_state)
        return KafkaSinkPart(writer)
