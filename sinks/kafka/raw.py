"""Raw messages into a topic, in order per key, every delivery report checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, Message, Producer

from schemas.errors import SinkError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link

_FLUSH_S = 1.0


def produce(
    connection: KafkaConnection,
    topic: str,
    messages: Iterable[list[tuple[str | None, bytes]]],
    told: Callable[[int], None],
) -> int:
    """Send batches of (key, value); how many were delivered, all of them. Raises SinkError when one was not.

    The partition follows from the key as in Java clients, so all messages of an entity share a partition.
    """
    link = Link(connection, SinkError, f"topic {topic!r}")
    producer = Producer(
        {
            **link.config(),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            # A broker that stays away is told by the reports of messages it never took.
            "message.timeout.ms": round(connection.max_silence_s * 1000),
        }
    )
    link.partitions(producer, topic)
    refused: list[KafkaError] = []
    sent = 0

    def reported(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    for batch in messages:
        for key, value in batch:
            while True:
                try:
                    producer.produce(topic, value=value, key=key, on_delivery=reported)
                    break
                except BufferError:
                    _wait(producer, link, refused, topic)
        sent += len(batch)
        told(sent)
        producer.poll(0)
    while len(producer):
        _wait(producer, link, refused, topic)
    _check(refused, topic)
    return sent


def _wait(producer: Producer, link: Link, refused: list[KafkaError], topic: str) -> None:
    """Let deliveries go on, or find out why they do not."""
    producer.poll(_FLUSH_S)
    link.check_login()
    _check(refused, topic)


def _check(refused: list[KafkaError], topic: str) -> None:
    if refused:
        raise SinkError(
            f"topic {topic!r} did not take {len(refused)} messages: {refused[0].str()}",
            fix="see the rights on the topic and its max.message.bytes, then give the messages again",
        )
