"""A producer with its delivery reports: every one is looked at, and a failure keeps its cause."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import SinkError
from sinks.kafka import scan
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import Event
from sinks.kafka.link import Link
from sinks.kafka.refusals import kafka_error, named_in

FAILURES: Final = (KafkaException, SystemError)
"""What librdkafka's errors come as; see `kafka_error`."""
CALL_TIMEOUT_S: Final = 5.0
"""After so long a call is given up, and begun again where that may be."""
PAUSE_S: Final = 0.2
"""Between one try and the next."""

_PRODUCER: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # as the Java clients do
    "linger.ms": 5,
    "queue.buffering.max.kbytes": 65_536,
}


def _is_vague(error: KafkaError) -> bool:
    return error.code() == KafkaError._FATAL  # noqa: SLF001 public constant


class Outbox:
    """A producer with its delivery reports."""

    def __init__(
        self, connection: KafkaConnection, topics: Mapping[str, str], name: str, extra: dict[str, Any]
    ) -> None:
        self.link = Link(connection, SinkError, name)
        self.producer = Producer({**self.link.config(), **_PRODUCER, **extra})
        self._by_role = dict(topics)
        self.topics = set(topics.values())
        self._waiting = 0
        self.failed: tuple[KafkaError, set[str]] | None = None
        self.ends: dict[scan.Place, int] = {}

    def places(self) -> list[scan.Place]:
        """All partitions of the topics; raises SinkError when one is missing or the brokers are away."""
        return [(name, number) for name in sorted(self.topics) for number in self.link.partitions(self.producer, name)]

    def send(self, event: Event) -> bool:
        """Queue an event, waiting while the queue is full; False when its transaction is lost already."""
        topic = self._by_role[event.role]
        while True:
            try:
                self.producer.produce(topic, event.value, event.key, headers=event.headers, on_delivery=self._report)
            except BufferError:
                self.producer.poll(PAUSE_S)
                self.link.check_login()
            except KafkaException as failure:
                if failure.args[0].code() == KafkaError._STATE:  # noqa: SLF001 public constant
                    return False
                if not _is_vague(failure.args[0]):
                    self.failed = self.failed or (failure.args[0], {topic})
                raise
            else:
                self._waiting += 1
                return True

    def cause(self, error: KafkaError) -> tuple[KafkaError, set[str]]:
        """What lies behind an error, and the topics it struck.

        A call on a dead producer says only that it is dead. Why, a later poll raises, once; and the reports that are
        under way then name the topic.
        """
        limit = time.monotonic() + CALL_TIMEOUT_S
        while self.failed is None and (self._waiting or _is_vague(error)) and time.monotonic() < limit:
            try:
                self.producer.poll(PAUSE_S)
            except FAILURES as failure:
                told = kafka_error(failure)
                error = told if _is_vague(error) else error
        if _is_vague(error) and self.link.fatal:
            error = named_in(self.link.fatal)
        return self.failed or (error, self.topics)

    def topics_of(self, sent: list[Event]) -> set[str]:
        """Names of the topics to which events go."""
        return {self._by_role[event.role] for event in sent}

    def forget(self) -> None:
        """Begin anew, after an aborted transaction."""
        self.failed, self.ends, self._waiting = None, {}, 0

    @property
    def waiting(self) -> int:
        """Events without a report so far."""
        return self._waiting

    def _report(self, error: KafkaError | None, message: Message) -> None:
        self._waiting -= 1
        topic, number = message.topic() or "", message.partition() or 0
        if error is None:
            end = (message.offset() or 0) + 1
            self.ends[topic, number] = max(end, self.ends.get((topic, number), 0))
        elif self.failed is None and error.code() != KafkaError._PURGE_QUEUE:  # noqa: SLF001 public constant
            self.failed = (error, {topic})
