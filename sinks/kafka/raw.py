"""Raw messages into a topic, in order per key, every delivery report checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import SinkError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link
from sinks.kafka.refusals import refusal

_WAIT_S: Final = 1.0
_PRODUCER: Final[dict[str, Any]] = {
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "linger.ms": 20,
    # What is too long is for the topic to say: a message that is given back to it was in it before.
    "message.max.bytes": 100_000_000,
}


def produce(
    connection: KafkaConnection,
    topic: str,
    messages: Iterable[list[tuple[str | None, bytes]]],
    told: Callable[[int], None],
) -> int:
    """Send batches of (key, value); how many were delivered, all of them. Raises SinkError when one was not.

    The partition follows from the key as in Java clients, so all messages of an entity share a partition.
    """
    delivery = _Delivery(connection, topic)
    sent = 0
    for batch in messages:
        delivery.send(batch)
        sent += len(batch)
        told(sent)
    delivery.finish()
    return sent


class _Delivery:
    """A producer to one topic, with its delivery reports. Raises SinkError for the first message that is refused."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._link = Link(connection, SinkError, f"topic {topic!r}")
        # A broker that stays away is told by the reports of messages it never took.
        patience = {"message.timeout.ms": round(connection.max_silence_s * 1000)}
        self._producer = Producer({**self._link.config(), **_PRODUCER, **patience})
        self._link.partitions(self._producer, topic)
        self._refused: KafkaError | None = None

    def send(self, batch: Iterable[tuple[str | None, bytes]]) -> None:
        """Send messages by their keys, waiting while the queue is full."""
        for key, value in batch:
            self._queue(key, value)
        self._producer.poll(0)
        self._check()

    def _queue(self, key: str | None, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value=value, key=key, on_delivery=self._report)
            except BufferError:
                self._wait()
            except KafkaException as failure:
                raise refusal(failure.args[0], [self._topic], self._connection) from failure
            else:
                return

    def finish(self) -> None:
        """Wait until all messages are delivered."""
        while len(self._producer):
            self._wait()
        self._check()

    def _wait(self) -> None:
        """Let deliveries go on, or find out why they do not."""
        self._producer.poll(_WAIT_S)
        self._link.check_login()
        self._check()

    def _check(self) -> None:
        if self._refused is not None:
            raise refusal(self._refused, [self._topic], self._connection)

    def _report(self, error: KafkaError | None, _: Message) -> None:
        self._refused = self._refused or error
