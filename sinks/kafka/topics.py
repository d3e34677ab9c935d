"""Make the topics that a flow reads or writes, where they are missing and the brokers allow it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # public, but not in its __all__

from schemas.errors import SinkError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link

_ASK_S = 1.0
_PAUSE_S = 0.1
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
_NO_ID = str(Uuid(0, 0))


def ensure_topics(
    connection: KafkaConnection, partitions: Mapping[str, int], dated_by_brokers: Collection[str] = ()
) -> list[str]:
    """Create each topic that is missing, with its number of partitions; returns those that were.

    Messages of those `dated_by_brokers` have the time at which they were appended, others what their senders say.
    A topic that exists stays as it is. Raises SinkError when no broker answers within `wait_s` or they refuse.
    """
    link = Link(connection, SinkError, "topics")
    admin = AdminClient(link.config())
    missing = [topic for topic in partitions if topic not in _existing(admin, link, connection)]
    if not missing:
        return []
    # Replication is the brokers' default.
    wanted = [
        NewTopic(topic, num_partitions=partitions[topic], config=_APPEND_TIME if topic in dated_by_brokers else {})
        for topic in missing
    ]
    for topic, created in admin.create_topics(wanted, operation_timeout=connection.wait_s).items():
        try:
            created.result()
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _refused(failure.args[0], topic, partitions[topic], connection) from failure
    limit = time.monotonic() + connection.wait_s
    while not _existing(admin, link, connection).issuperset(missing):
        if time.monotonic() > limit:
            raise link.unreachable(connection.wait_s)
        time.sleep(_PAUSE_S)
    return missing


def existing_topics(connection: KafkaConnection) -> set[str]:
    """Names of all topics. Raises SinkError when no broker answers within `wait_s` or they refuse the login."""
    link = Link(connection, SinkError, "topics")
    return _existing(AdminClient(link.config()), link, connection)


def topic_ids(connection: KafkaConnection, topics: Sequence[str]) -> dict[str, str]:
    """Ids of topics, which no other topic ever has, on any cluster, nor one that is made anew under the name.

    Brokers before 2.8 give none. Raises SinkError when the brokers do not answer or refuse.
    """
    link = Link(connection, SinkError, "topics")
    admin = AdminClient(link.config())  # as long as it is asked: it gives up what is under way when it goes
    asked = admin.describe_topics(TopicCollection([*topics]), request_timeout=connection.wait_s)
    found = {}
    for topic, described in asked.items():
        try:
            identity = str(described.result().topic_id)
        except KafkaException as failure:
            raise SinkError(
                f"topic {topic!r} at {connection.bootstrap} cannot be described: {failure.args[0].str()}",
                fix=f"see that the broker is well, and that user {connection.user} has Describe on it",
            ) from failure
        if identity != _NO_ID:
            found[topic] = identity
    return found


def _existing(admin: AdminClient, link: Link, connection: KafkaConnection) -> set[str]:
    """Names of all topics: asking for one by name may create it."""
    limit = time.monotonic() + connection.wait_s
    while time.monotonic() < limit:
        admin.poll(0)
        link.check()
        try:
            return set(admin.list_topics(timeout=_ASK_S).topics)
        except KafkaException as failure:
            link.no_answer(failure.args[0])
    raise link.unreachable(connection.wait_s)


def _refused(error: KafkaError, topic: str, partitions: int, connection: KafkaConnection) -> SinkError:
    return SinkError(
        f"topic {topic!r} is missing and Kafka at {connection.bootstrap} did not let user "
        f"{connection.user} create it: {error.str()}",
        fix=f"have it made: kafka-topics.sh --create --topic {topic} --partitions {partitions}",
    )
