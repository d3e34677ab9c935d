"""Which events of one writer are already out: a read-committed scan of its topics after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # public, but not in its __all__

from schemas.errors import SinkError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import ID_HEADER, WRITER_HEADER
from sinks.kafka.link import Link

Place = tuple[str, int]
"""Topic and partition."""

_ASK_TIMEOUT_S = 30.0
_POLL_S = 0.05
_BATCH = 10_000
# Another writer's open transaction hides what lies behind it until it ends, at the latest by its time-out.
_PATIENCE_S = 120.0
_CONSUMER: Final[dict[str, Any]] = {
    "group.id": "takt-scan",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    # A broker says that nothing follows when it has waited so long for more; half a second, unless told otherwise.
    "fetch.wait.max.ms": 20,
}


def ends(connection: KafkaConnection, places: Iterable[Place]) -> dict[Place, int]:
    """End offset of each partition, open transactions included."""
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call] # the library's own method is untyped
    return _ask(connection, dict.fromkeys(places, latest))


def offsets_at(connection: KafkaConnection, places: Iterable[Place], since_ms: int) -> dict[Place, int]:
    """First offset of each partition with a timestamp not before `since_ms`; -1 where there is none."""
    return _ask(connection, dict.fromkeys(places, OffsetSpec.for_timestamp(since_ms)))


def _ask(connection: KafkaConnection, specs: Mapping[Place, OffsetSpec]) -> dict[Place, int]:
    link = Link(connection, SinkError, "Kafka sink")
    admin = AdminClient(link.config())
    request = {TopicPartition(topic, number): spec for (topic, number), spec in specs.items()}
    asked = admin.list_offsets(request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ASK_TIMEOUT_S)
    try:
        return {(p.topic, p.partition): future.result().offset for p, future in asked.items()}
    except KafkaException as failure:
        raise _cannot_read(failure.args[0], sorted({topic for topic, _ in specs})) from failure


def ids_out(connection: KafkaConnection, writer: str, spans: Mapping[Place, tuple[int, int]]) -> set[str]:
    """Ids of the committed events of `writer` between a first and an end offset of each partition.

    It reads until the broker says that nothing committed is left before the end: transaction markers take
    offsets too, so the offset of the last event never reaches it. Raises SinkError when it cannot.
    """
    open_ends = {place: end for place, (first, end) in spans.items() if first < end}
    if not open_ends:
        return set()
    link = Link(connection, SinkError, "Kafka sink, scan of what is out")
    consumer = Consumer({**link.config(), **_CONSUMER})
    found: set[str] = set()
    limit = time.monotonic() + _PATIENCE_S
    try:
        consumer.assign([TopicPartition(*place, spans[place][0]) for place in open_ends])
        while open_ends:
            for message in consumer.consume(_BATCH, _POLL_S):
                _take(message, writer, found, open_ends)
                limit = time.monotonic() + _PATIENCE_S
            link.check()
            if time.monotonic() > limit:
                raise SinkError(
                    f"scan of what is out got nothing for {_PATIENCE_S:.0f} s and is not at the ends {open_ends}",
                    fix="another producer holds a transaction open on these topics: end it "
                    "(kafka-transactions.sh find-hanging), then start the flow again",
                )
    finally:
        consumer.close()
    return found


def _take(message: Message, writer: str, found: set[str], open_ends: dict[Place, int]) -> None:
    place = (message.topic() or "", message.partition() or 0)
    error = message.error()
    if error is None:
        headers = dict(message.headers() or [])
        if headers.get(WRITER_HEADER) == writer.encode():
            identity = headers[ID_HEADER] or b""
            found.add(identity if isinstance(identity, str) else identity.decode())
    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 public constant
        if (message.offset() or 0) >= open_ends.get(place, 0):
            open_ends.pop(place, None)
    elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
        # The scan needs no group; librdkafka asks for its coordinator all the same.
        raise _cannot_read(error, [place[0]])


def _cannot_read(error: KafkaError, topics: list[str]) -> SinkError:
    return SinkError(
        f"cannot read back what is already out in {', '.join(topics)}: {error.str()}",
        fix="the flow's user needs Read and Describe on the topics it writes",
    )
