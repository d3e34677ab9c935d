"""TLS, SASL and ACLs, on the listeners of a real broker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from deploy.kafka.certificates import client_certificate
from flows.sources.kafka import KafkaPartition, KafkaSource, KafkaSourceOptions
from flows.valve import Valves
from schemas.errors import SourceError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.topics import ensure_topics
from tests.conftest_kafka import PASSWORDS, Kafka, until


def source(connection: KafkaConnection, topic: str) -> KafkaSource:
    options = KafkaSourceOptions(name="telemetry", topic=topic, group=f"g-{topic}", stop_at_end=True)
    return KafkaSource(connection, options, Valves(1.0))


def read(connection: KafkaConnection, topic: str) -> list[bytes]:
    """All messages of the first partition, by way of the source."""
    given = source(connection, topic)
    part = given.build_part("in", given.list_parts()[0], None)
    got: list[bytes] = []
    until(lambda: ended(part, got))
    part.close()
    return got


def ended(part: KafkaPartition, got: list[bytes]) -> bool:
    try:
        got += [m for b in part.next_batch() for m in b.messages]
    except StopIteration:
        return True
    return False


def test_tls(kafka: Kafka) -> None:
    """With the right CA the source reads over TLS."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a"])
    tls = KafkaConnection(bootstrap=kafka.broker.bootstrap_tls, security="ssl", ca_file=kafka.broker.ca)
    assert read(tls, topic) == [b"a"]


def test_client_certificate(kafka: Kafka) -> None:
    """A client is let in by its certificate, may do what its name may, and is refused without one."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a"])
    kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ, user="partner")
    certificate, key = client_certificate(kafka.broker.ca.parent, "partner")
    tls = {"bootstrap": kafka.broker.bootstrap_mutual, "security": "ssl", "ca_file": kafka.broker.ca}
    assert read(KafkaConnection(**tls, certificate_file=certificate, key_file=key), topic) == [b"a"]
    with pytest.raises(SourceError, match=r"user <name in client-partner.pem> is not allowed"):
        read(KafkaConnection(**tls, certificate_file=certificate, key_file=key), kafka.topic())
    with pytest.raises(SourceError, match="certificate_file"):
        read(KafkaConnection(**tls, wait_s=10.0), topic)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_sasl_and_least_privilege(kafka: Kafka, mechanism: str) -> None:
    """Over SASL and TLS, the right to read the topic is enough; without the group only the mirror fails."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a", b"b"])
    kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ)
    assert read(kafka.secured(mechanism=mechanism), topic) == [b"a", b"b"]


def test_read_denied_by_acl(kafka: Kafka) -> None:
    """Without the right to read, the source stops and names user, right and topic."""
    topic = kafka.topic()
    kafka.allow(ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
    kafka.produce(topic, [b"a"])
    with pytest.raises(SourceError, match=rf"user flow is not allowed Read on topic '{topic}'(.|\n)*kafka-acls\.sh"):
        read(kafka.secured(), topic)


def test_describe_denied_by_acl(kafka: Kafka) -> None:
    """A topic of which the user may know nothing is refused with the command that helps."""
    with pytest.raises(SourceError, match=r"user flow(.|\n)*kafka-acls\.sh --add"):
        source(kafka.secured(), kafka.topic()).list_parts()


@pytest.mark.parametrize(
    "wrong", [{"password": "guess-0"}, {"mechanism": "PLAIN", "password": "guess-0"}, {"ca_file": None}]
)
def test_refused_login_fails_at_once(kafka: Kafka, wrong: dict[str, Any]) -> None:
    """A wrong password or an unknown CA is an error well before the wait for the broker is over, without the secret."""
    began = time.monotonic()
    with pytest.raises(SourceError, match="refused the connection") as caught:
        source(kafka.secured(wait_s=60.0, **wrong), "any").list_parts()
    assert time.monotonic() - began < 30
    assert "guess-0" not in str(caught.value)
    assert PASSWORDS["flow"] not in str(caught.value)


def test_topics_that_may_not_be_made(kafka: Kafka) -> None:
    """A missing topic that the user may not create is named with the command for somebody who may."""
    with pytest.raises(Exception, match=r"'not-mine'(.|\n)*--create --topic not-mine --partitions 3"):
        ensure_topics(kafka.secured(), {"not-mine": 3})


def test_topics_are_made_once(kafka: Kafka) -> None:
    """Missing topics are made with their number of partitions; others stay as they are."""
    old = kafka.topic(1)
    new = f"{old}-new"
    assert ensure_topics(kafka.connection, {old: 4, new: 2}) == [new]
    assert ensure_topics(kafka.connection, {old: 4, new: 4}) == []
    found = kafka.admin.list_topics(timeout=10).topics
    assert [len(found[name].partitions) for name in (old, new)] == [1, 2]


def test_secrets_are_private_files(kafka: Kafka) -> None:
    """Keys and passwords of the local broker are readable by its owner only."""
    folder: Path = kafka.broker.folder
    for name in ("server.properties", "tls/keystore.pem"):
        assert (folder / name).stat().st_mode & 0o077 == 0
