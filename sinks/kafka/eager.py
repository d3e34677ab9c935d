"""Events as soon as they are known, at least once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from schemas.outputs import OUTPUTS
from sinks.kafka import scan
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import events
from sinks.kafka.outbox import CALL_TIMEOUT_S, FAILURES, Outbox
from sinks.kafka.refusals import kafka_error, refusal
from sinks.kafka.token import FORMAT, Token


class EagerWriter:
    """Sends events as they come, without transactions: low latency, at least once, ids still one per row."""

    def __init__(
        self, connection: KafkaConnection, topics: Mapping[str, str], run_id: str, flow: str, part: str
    ) -> None:
        self._connection = connection
        self._flow = flow
        self.name = f"takt-{flow}-{run_id}-{part}"
        timeout = {"message.timeout.ms": int(connection.max_silence_s * 1000)}
        self._outbox = Outbox(connection, topics, f"Kafka sink {self.name}", timeout)
        self._sequence = 0
        self._ends: dict[scan.Place, int] = {}
        """How far what was sent lies in the topics, for a writer of transactions that may go on from here."""

    def resume(self, token: Token | None) -> None:
        """See that the topics are there."""
        self._outbox.places()
        if token is not None:
            _, self._sequence, known, _ = token
            self._ends = {(topic, number): end for topic, number, end in known}

    def append(self, output: str, frame: pl.DataFrame) -> None:
        """Send rows now; raises SinkError when an earlier event was refused."""
        with self._checked():
            for event in events(OUTPUTS[output], frame, flow=self._flow, writer=self.name):
                self._outbox.send(event)
            self._outbox.producer.poll(0)

    def commit(self) -> Token:
        """Wait until all events are out; raises SinkError unless every delivery report is good."""
        waiting = True
        while waiting:
            with self._checked():
                waiting = self._outbox.producer.flush(CALL_TIMEOUT_S) > 0
        self._sequence += 1
        self._ends |= self._outbox.ends
        known = tuple(sorted((topic, number, end) for (topic, number), end in self._ends.items()))
        return (FORMAT, self._sequence, known, ())

    def close(self) -> None:
        """Send what is on its way."""
        self._outbox.producer.flush(CALL_TIMEOUT_S)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Make a SinkError of whatever the brokers refused so far."""
        try:
            yield
        except FAILURES as failure:
            raise refusal(*self._outbox.cause(kafka_error(failure)), self._connection) from failure
        self._outbox.link.check_login()
        if self._outbox.failed is not None:
            raise refusal(*self._outbox.failed, self._connection)
