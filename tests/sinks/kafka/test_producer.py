"""The writers against a real broker: what readers of committed messages see after crashes and refusals."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.errors import SinkError
from sinks.kafka import outbox
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.eager import EagerWriter
from sinks.kafka.events import Event
from sinks.kafka.token import Token
from sinks.kafka.transactional import TransactionalWriter
from tests.conftest_kafka import Kafka
from tests.sinks.kafka.conftest import Topics, once, signals


def writer(
    kafka: Kafka, topics: Topics, token: Token | None = None, *, part: str = "0", **more: Any
) -> TransactionalWriter:
    made = TransactionalWriter(more.pop("connection", kafka.connection), topics.names, topics.run_id, "f", part, **more)
    made.resume(token)
    return made


def epoch(made: TransactionalWriter | EagerWriter, first: int, last: int) -> Token:
    made.append("signal", signals(first, last))
    return made.commit()


def test_an_epoch_is_one_transaction(kafka: Kafka, topics: Topics) -> None:
    """Rows are out when the epoch has closed, each once, and not before."""
    made = writer(kafka, topics)
    made.append("signal", signals(0, 10))
    made.append("signal", signals(10, 20))
    assert not topics.subjects()
    made.commit()
    assert topics.subjects() == once(0, 20)


def test_replay_skips_what_is_out(kafka: Kafka, topics: Topics) -> None:
    """Epochs that the engine forgot are replayed in other cuts, and nothing is doubled or lost."""
    first = writer(kafka, topics)
    token = epoch(first, 0, 5)
    epoch(first, 5, 105)
    second = writer(kafka, topics, token)
    token = epoch(second, 5, 50)
    assert token[3], "ids that are out but have not come again must be in the token"
    third = writer(kafka, topics, token)
    token = epoch(third, 50, 130)
    assert not token[3]
    assert topics.subjects() == once(0, 130)


def test_crash_before_the_first_token(kafka: Kafka, topics: Topics) -> None:
    """A crash between the first transaction and the first snapshot leaves no token, and still nothing is doubled."""
    began = time.time_ns() // 1_000_000
    epoch(writer(kafka, topics, since_ms=began), 0, 30)
    epoch(writer(kafka, topics, since_ms=began), 0, 10)
    assert topics.subjects() == once(0, 30)


def test_old_events_need_no_scan(kafka: Kafka, topics: Topics) -> None:
    """Without a token nothing older than the run is read back."""
    epoch(writer(kafka, topics), 0, 3)
    later = time.time_ns() // 1_000_000 + 2 * 3_600_000
    epoch(writer(kafka, topics, since_ms=later), 0, 3)
    assert set(topics.subjects().values()) == {2}


def test_transactions_go_on_where_eager_output_was(kafka: Kafka, topics: Topics) -> None:
    """What an eager writer committed is not carried along for ever, what it sent after that is not sent again."""
    began = time.time_ns() // 1_000_000
    eager = EagerWriter(kafka.connection, topics.names, topics.run_id, "f", "0")
    eager.resume(None)
    token = epoch(eager, 0, 50)
    epoch(eager, 50, 60)
    made = writer(kafka, topics, token, since_ms=began)
    assert len(epoch(made, 60, 70)[3]) == 10, "only what came behind the token is waited for"
    assert not epoch(made, 50, 60)[3]
    assert topics.subjects() == once(0, 70)


def test_events_of_other_writers_do_not_count(kafka: Kafka, topics: Topics) -> None:
    """Another part's events with the same ids are its own: a writer skips only what it wrote itself."""
    epoch(writer(kafka, topics, part="1"), 0, 5)
    epoch(writer(kafka, topics, part="0"), 0, 5)
    assert set(topics.subjects().values()) == {2}


def test_unfinished_transaction_is_aborted(kafka: Kafka, topics: Topics) -> None:
    """What a dead writer had sent but not committed is never seen, and is written by its successor."""
    dead = writer(kafka, topics)
    token = epoch(dead, 0, 2)
    dead._outbox.producer.begin_transaction()
    dead._outbox.producer.produce(topics.signal, b"half", b"test/half")
    dead._outbox.producer.flush(10)
    epoch(writer(kafka, topics, token), 2, 4)
    assert topics.subjects() == once(0, 4)


def test_scan_waits_for_transactions_of_others(kafka: Kafka, topics: Topics) -> None:
    """Own events behind the open transaction of another writer are found: the scan waits until it has ended."""
    first = writer(kafka, topics)
    token = epoch(first, 0, 2)
    hanging = Producer(
        {
            "bootstrap.servers": kafka.broker.bootstrap,
            "transactional.id": f"hanging-{topics.run_id}",
            "transaction.timeout.ms": 3000,
        }
    )
    hanging.init_transactions(10)
    hanging.begin_transaction()
    for partition in (0, 1):
        hanging.produce(topics.signal, b"open", partition=partition)
    hanging.flush(10)
    epoch(first, 2, 20)
    epoch(writer(kafka, topics, token), 2, 20)
    assert topics.subjects() == once(0, 20)


def test_second_writer_fences_the_first(kafka: Kafka, topics: Topics) -> None:
    """Two copies of a flow cannot both write: the older one gets an error that says so."""
    older = writer(kafka, topics)
    epoch(older, 0, 2)
    writer(kafka, topics)
    with pytest.raises(SinkError, match=r"was shut out by the brokers(.|\n)*runs only once"):
        epoch(older, 2, 4)
    assert topics.subjects() == once(0, 2)


def test_produce_denied_by_acl(kafka: Kafka, topics: Topics) -> None:
    """Without the right to write, an epoch fails at once with user, topic and the command that helps."""
    for topic in set(topics.names.values()):
        kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ)
    for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
        kafka.allow(ResourceType.TRANSACTIONAL_ID, f"takt-f-{topics.run_id}-0", operation)
    made = writer(kafka, topics, connection=kafka.secured())
    began = time.monotonic()
    with pytest.raises(SinkError, match=r"user flow.*authorization failed(.|\n)*kafka-acls.sh.*Write") as caught:
        epoch(made, 0, 5)
    assert time.monotonic() - began < 20
    assert topics.signal in str(caught.value)
    assert not topics.subjects()


def test_transactional_id_denied_by_acl(kafka: Kafka, topics: Topics) -> None:
    """Without the right to its transactional id the writer does not start."""
    for topic in set(topics.names.values()):
        kafka.allow(ResourceType.TOPIC, topic, AclOperation.WRITE)
    with pytest.raises(SinkError, match=r"user flow(.|\n)*--transactional-id takt-"):
        writer(kafka, topics, connection=kafka.secured())


def test_least_privilege_is_enough(kafka: Kafka, topics: Topics) -> None:
    """Read and write on the topics and the transactional id are all that a writer needs."""
    for topic in set(topics.names.values()):
        for operation in (AclOperation.READ, AclOperation.WRITE):
            kafka.allow(ResourceType.TOPIC, topic, operation)
    for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
        kafka.allow(ResourceType.TRANSACTIONAL_ID, f"takt-f-{topics.run_id}-0", operation)
    first = writer(kafka, topics, connection=kafka.secured())
    token = epoch(first, 0, 5)
    epoch(first, 5, 9)
    epoch(writer(kafka, topics, token, connection=kafka.secured()), 5, 9)
    assert topics.subjects() == once(0, 9)


@pytest.mark.parametrize("eager", [False, True])
def test_message_too_large(kafka: Kafka, topics: Topics, eager: bool) -> None:
    """A message over the topic's limit stops the flow with the topic's name and the setting to raise."""
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    small = ConfigResource(ConfigResource.Type.TOPIC, topics.signal, incremental_configs=[entry])
    kafka.admin.incremental_alter_configs([small])[small].result(10)
    kind = EagerWriter if eager else TransactionalWriter
    made = kind(kafka.connection, topics.names, topics.run_id, "f", "0")
    made.resume(None)
    noise = random.Random(1).randbytes(10_000).hex()
    with pytest.raises(SinkError, match=rf"{topics.signal}(.|\n)*max\.message\.bytes"):
        write_and_commit(made, noise)


def write_and_commit(made: TransactionalWriter | EagerWriter, reason: str) -> None:
    made.append("signal", signals(0, 1, reason))
    made.commit()


def test_missing_topic(kafka: Kafka, topics: Topics) -> None:
    """A topic that is not there is named at the start."""
    topics.names["quarantine"] = "nowhere"
    with pytest.raises(SinkError, match=r"'nowhere'(.|\n)*--create --topic nowhere"):
        writer(kafka, topics)


def test_no_broker(topics: Topics) -> None:
    """Without a broker the sink fails within the set time, naming the address."""
    connection = KafkaConnection(bootstrap="127.0.0.1:1", wait_s=1.0)
    with pytest.raises(SinkError, match=r"no Kafka broker at 127\.0\.0\.1:1 for 1 s"):
        TransactionalWriter(connection, topics.names, "r", "f", "0").resume(None)


def test_broker_away_too_long(kafka: Kafka, topics: Topics) -> None:
    """A broker that stays away makes an epoch fail after the set time, and the next run loses nothing."""
    impatient = KafkaConnection(bootstrap=kafka.broker.bootstrap, max_silence_s=2.0)
    made = writer(kafka, topics, connection=impatient)
    token = epoch(made, 0, 2)
    kafka.broker.kill()
    try:
        with pytest.raises(SinkError, match="no Kafka broker at"):
            epoch(made, 2, 4)
    finally:
        kafka.broker.start()
    epoch(writer(kafka, topics, token), 2, 4)
    assert topics.subjects() == once(0, 4)


def test_eager_is_out_at_once(kafka: Kafka, topics: Topics) -> None:
    """Eager events are out before the epoch closes, with the ids they would have had otherwise."""
    made = EagerWriter(kafka.connection, topics.names, topics.run_id, "f", "0")
    made.resume(None)
    made.append("signal", signals(0, 5))
    limit = time.monotonic() + 20
    while topics.subjects() != once(0, 5):
        assert time.monotonic() < limit
    assert made.commit()[1] == 1


def test_eager_denied_by_acl(kafka: Kafka, topics: Topics) -> None:
    """A refused eager event fails the epoch: no delivery report goes unread."""
    for topic in set(topics.names.values()):
        kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ)
    made = EagerWriter(kafka.secured(), topics.names, topics.run_id, "f", "0")
    made.resume(None)
    with pytest.raises(SinkError, match=rf"{topics.signal}.*user flow(.|\n)*kafka-acls.sh"):
        write_and_commit(made, "denied")


def test_transaction_timeout(kafka: Kafka, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that takes longer than its transaction may is an error that says so, and the next run makes it good."""
    monkeypatch.setitem(outbox._PRODUCER, "transaction.timeout.ms", 1000)
    slow = writer(kafka, topics)
    token = epoch(slow, 0, 2)
    send = slow._outbox.send

    def late(event: Event) -> bool:
        sent = send(event)
        slow._outbox.producer.flush(10)
        time.sleep(3)
        return sent

    monkeypatch.setattr(slow._outbox, "send", late)
    with pytest.raises(SinkError, match="a transaction timed out"):
        epoch(slow, 2, 4)
    epoch(writer(kafka, topics, token), 2, 4)
    assert topics.subjects() == once(0, 4)
