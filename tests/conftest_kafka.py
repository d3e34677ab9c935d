"""One real Apache Kafka for the whole suite: tests that ask for the fixture `kafka` share it.

They are marked `kafka` here and, under xdist, all run in one worker, so that one broker is enough, but for kill loops:
these are a group of their own, as they take as long as all others together.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deploy.kafka.artifacts import MissingToolError
from deploy.kafka.broker import Broker
from sinks.kafka.connection import KafkaConnection

PASSWORDS = {"admin": "admin-secret", "flow": "flow-secret"}


class Kafka:
    """A running broker, with what tests need to set a scene and to look at the outcome."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.connection = KafkaConnection(bootstrap=broker.bootstrap)
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap})

    def topic(self, partitions: int = 1, name: str = "") -> str:
        """Make a topic, by default one that nobody else uses; its name."""
        name = name or f"t-{uuid.uuid4().hex[:12]}"
        self.admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        until(lambda: name in self.admin.list_topics(timeout=10).topics)
        return name

    def secured(self, **changes: Any) -> KafkaConnection:
        """Connection of the user `flow`, who may do only what was allowed, over TLS with SASL."""
        given: dict[str, Any] = {
            "bootstrap": self.broker.bootstrap_sasl,
            "security": "sasl_ssl",
            "mechanism": "SCRAM-SHA-512",
            "username": "flow",
            "password": PASSWORDS["flow"],
            "ca_file": self.broker.ca,
        }
        return KafkaConnection(**{**given, **changes})

    def allow(self, kind: ResourceType, name: str, operation: AclOperation, user: str = "flow") -> None:
        """Let a user do an operation on a resource; `*` is any of its kind."""
        permission = (operation, AclPermissionType.ALLOW)
        acl = AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", *permission)
        self.admin.create_acls([acl])[acl].result(10)

    def produce(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
        """Write values to a partition, each checked."""
        failed: list[KafkaError] = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "enable.idempotence": True})
        for value in values:
            producer.poll(0)
            producer.produce(
                topic, value, partition=partition, on_delivery=lambda error, _: error and failed.append(error)
            )
        assert producer.flush(30) == 0
        assert not failed

    def read(self, topic: str) -> list[Message]:
        """All committed messages of a topic, partition by partition."""
        numbers = sorted(self.admin.list_topics(timeout=10).topics[topic].partitions)
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "test-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,  # that nothing follows is said after so long
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        found: dict[int | None, list[Message]] = {number: [] for number in numbers}
        open_ends = {*found}
        limit = time.monotonic() + 60
        try:
            while open_ends:
                assert time.monotonic() < limit, f"no end of {topic}{open_ends} in 60 s"
                for message in consumer.consume(10_000, 0.05):
                    error = message.error()
                    if error is None:
                        found[message.partition()].append(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        open_ends.discard(message.partition())
                    else:
                        raise AssertionError(error.str())
        finally:
            consumer.close()
        return [*itertools.chain.from_iterable(found.values())]


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, or fail."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"condition not met in {seconds} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The suite's Apache Kafka; skips where Java or Maven is missing."""
    broker = Broker(tmp_path_factory.mktemp("kafka"), users=PASSWORDS)
    try:
        broker.start()
    except MissingToolError as missing:
        pytest.skip(str(missing))
    yield Kafka(broker)
    broker.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the broker."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group("kafka"))
