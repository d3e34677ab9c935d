"""A Kafka topic as a stream: per poll and partition one raw batch.

Each partition has a consumer of its own, with manual assignment, so the engine decides who reads what. Where to
go on is in the engine's snapshot; the offsets committed to the consumer group only mirror it for lag tools. Only
committed messages are read. An offset that has expired is a hard stop, never a silent jump.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from flows.sources.kafka_offsets import Offsets, Start
from flows.valve import Valve, Valves
from schemas.batch import RawBatch
from schemas.errors import SourceError
from schemas.messages import Messages
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link

_log = structlog.get_logger()

_WAIT = timedelta(milliseconds=20)  # between polls that leave nothing behind; larger batches cost less per row
_SHUT_WAIT = timedelta(milliseconds=200)
_PROBE_S = 2.0
_PROBE_TIMEOUT_S = 0.2
_LOOK_S = 20.0

_CONSUMER: dict[str, Any] = {
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    # Bounds memory per partition; the default is 64 MB.
    "queued.max.messages.kbytes": 8_192,
    "queued.min.messages": 50_000,
    # The default pauses for 1 s once the queue is full, and it is drained in a tenth of that.
    "fetch.queue.backoff.ms": 10,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceOptions:
    """Which topic, for which source.

    `start` counts only where there is no resume state; `committed` falls back to earliest for a group without
    offsets. If the run has read the topic before, `since_ms` is when it began: a partition without state was added
    since, and even `latest` reads what came to it from then on. With `stop_at_end` the stream ends at the end as it was
    at the start. `silence_s`: after each such span without messages an empty batch is emitted, so that idleness can be
    seen.
    """

    name: str
    topic: str
    group: str
    start: Start = "earliest"
    stop_at_end: bool = False
    batch_rows: int = 20_000
    silence_s: float = 1.0
    since_ms: int | None = None


class KafkaSource(FixedPartitionedSource[RawBatch, int]):
    """All partitions of a topic; a snapshot is the offset to go on from."""

    def __init__(self, connection: KafkaConnection, options: KafkaSourceOptions, valves: Valves) -> None:
        self._connection = connection
        self._options = options
        self._valves = valves
        self._kept: dict[str, tuple[int, int]] = {}

    def list_parts(self) -> list[str]:
        """Partition numbers; partitions added while the flow runs are found at its next start.

        Raises SourceError when no broker answers in time or the topic is missing or not readable.
        """
        link = Link(self._connection, SourceError, f"source {self._options.name!r}")
        client = Consumer({**link.config(), "group.id": self._options.group})
        try:
            return [str(number) for number in link.partitions(client, self._options.topic)]
        finally:
            client.close()

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> KafkaPartition:
        """Read on from the snapshot, or begin where `start` says."""
        del step_id
        valve = self._valves.of(for_part)
        part = KafkaPartition(self._connection, self._options, valve, int(for_part), resume_state)
        self._kept[for_part] = part.kept
        return part

    def extent(self, part: str, offset: int) -> tuple[int, int]:
        """Offsets of a partition before one, and all of them, as the broker kept them when the partition was built."""
        low, high = self._kept[part]
        return offset - low, high - low


class KafkaPartition(StatefulSourcePartition[RawBatch, int]):
    """Reads one batch per poll, and never blocks but to see whether a lost broker is back."""

    def __init__(
        self, connection: KafkaConnection, options: KafkaSourceOptions, valve: Valve, number: int, resume: int | None
    ) -> None:
        self._options = options
        self._valve = valve
        self._number = number
        self._place = f"source {options.name!r}, topic {options.topic!r}, partition {number}"
        self._link = Link(connection, SourceError, self._place)
        config = {**self._link.config(), **_CONSUMER, "group.id": options.group, "on_commit": _on_commit}
        self._consumer = Consumer(config)
        self._partitions = len(self._link.partitions(self._consumer, options.topic))
        self._missed = False
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="kafka-look")
        self._look: Future[tuple[SourceError | None, int]] | None = None
        self._offsets = Offsets(self._consumer, self._link, self._place, options.topic, number)
        self._next, self.kept = self._offsets.begin(resume, options.start, options.since_ms, connection.wait_s)
        self._end = self.kept[1]
        self._consumer.assign([TopicPartition(options.topic, number, self._next)])
        self._durable = resume
        self._mirrored: int | None = None
        self._next_awake: datetime | None = None
        self._at_end = False
        self._last_item = self._last_probe = self._last_look = time.monotonic()
        self._heard_of = False

    def next_batch(self) -> list[RawBatch]:
        """The next messages, or an empty batch after each `silence_s` at the end of the partition."""
        ended = self._options.stop_at_end and self._next >= self._end
        # A bounded run does not probe: it ends, and the next one goes on behind the cause.
        shut = self._valve.reason is not None if self._options.stop_at_end else not self._valve.may_read()
        if shut and not ended:
            return self._shut()
        if ended:
            return self._last()
        polled = self._consumer.consume(self._options.batch_rows, 0)
        messages = self._sift(polled)
        if polled:
            self._link.heard()
        elif self._link.down:
            self._probe()
        self._link.check()
        full = len(polled) == self._options.batch_rows
        self._next_awake = None if full else datetime.now(UTC) + _WAIT
        now = time.monotonic()
        self._look_at_topic(now)
        if messages:
            self._pass(_offset(messages[-1]) + 1)
            self._at_end = polled[-1] is not messages[-1]
        elif not self._silent(now):
            return []
        self._last_item = now
        self._heard_of = True
        return [self._batch(messages)]

    def _last(self) -> list[RawBatch]:
        if self._heard_of:
            raise StopIteration
        # Whoever merges streams waits for every partition of which it has not heard that it ended.
        self._heard_of = True
        return [self._batch([])]

    def next_awake(self) -> datetime | None:
        """When to poll again; at once while full batches come."""
        return self._next_awake

    def snapshot(self) -> int:
        """Where to go on. Mirrors the snapshot before this one, which is durable by now, to the group."""
        self._valve.epoch_closed()
        if self._durable is not None and self._durable != self._mirrored:
            try:
                position = TopicPartition(self._options.topic, self._number, self._durable)
                self._consumer.commit(offsets=[position], asynchronous=True)
            except KafkaException as error:
                _log.warning("kafka.mirror_failed", place=self._place, error=error.args[0].str())
            self._mirrored = self._durable
        self._durable = self._next
        return self._next

    @property
    def position(self) -> int:
        """Offset to go on from."""
        return self._next

    def close(self) -> None:
        """Let the broker go."""
        self._aside.shutdown()
        self._consumer.close()

    def _sift(self, polled: list[Message]) -> list[Message]:
        """Messages without the events among them, which are taken note of."""
        events = [m for m in polled if m.error() is not None]
        for event in events:
            self._take(event)
        messages = [m for m in polled if m.error() is None] if events else polled
        if self._options.stop_at_end and messages and _offset(messages[-1]) >= self._end:
            self._pass(self._end)
            return [m for m in messages if _offset(m) < self._end]
        return messages

    def _take(self, event: Message) -> None:
        error = event.error()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 public constant
            # Transaction markers take offsets, too: this moves past those behind the last message.
            self._pass(_offset(event))
            self._at_end = True
        elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            _log.warning("kafka.mirror_failed", place=self._place, error=error.str())
        else:
            self._offsets.fail(error, self._next)

    def _pass(self, offset: int) -> None:
        """Move on to an offset, but not beyond the end of a bounded run: a later run reads on from there."""
        self._next = max(self._next, min(offset, self._end) if self._options.stop_at_end else offset)

    def _probe(self) -> None:
        """Ask a lost broker for a sign of life: librdkafka does not tell when an idle one is back."""
        if time.monotonic() - self._last_probe < _PROBE_S:
            return
        partition = TopicPartition(self._options.topic, self._number)
        try:
            self._consumer.get_watermark_offsets(partition, timeout=_PROBE_TIMEOUT_S)
        except KafkaException as error:
            _log.debug("kafka.still_down", place=self._place, error=error.args[0].str())
        else:
            self._link.heard()
        self._last_probe = time.monotonic()

    def _look_at_topic(self, now: float) -> None:
        """See what librdkafka does not tell: that the topic is gone, or has more partitions.

        Aside, as the question waits behind a fetch at the broker, and polls would wait with it.
        """
        if self._look is not None and self._look.done():
            gone, self._partitions = self._look.result()
            self._look = None
            # Twice, as a broker that has only just come up may not know of all topics yet.
            if gone is not None and self._missed:
                raise gone
            self._missed = gone is not None
        if self._look is None and not self._link.down and now - self._last_look >= _LOOK_S:
            self._last_look = now
            self._look = self._aside.submit(self._looked, self._next, self._partitions)

    def _looked(self, reached: int, known: int) -> tuple[SourceError | None, int]:
        gone = self._offsets.gone(reached)
        if self._number == 0 and not self._options.stop_at_end:
            known = self._offsets.tell_added(self._options.name, known)
        return gone, known

    def _silent(self, now: float) -> bool:
        """Whether the partition, not the link to it, has been silent for another `silence_s`."""
        quiet = self._at_end and not self._link.down and not self._options.stop_at_end
        return quiet and now - self._last_item >= self._options.silence_s

    def _batch(self, messages: list[Message]) -> RawBatch:
        return RawBatch(
            source=self._options.name,
            partition=str(self._number),
            messages=Messages.of([m.value() or b"" for m in messages]),
            offsets=np.array([m.offset() for m in messages], dtype=np.int64),
            arrival_us=arrivals_us(messages, time.time_ns() // 1000),
        )

    def _shut(self) -> list[RawBatch]:
        if self._options.stop_at_end:
            self._valve.give_up(f"{self._place}, offset {self._next}")
        self._next_awake = datetime.now(UTC) + _SHUT_WAIT
        return []


def arrivals_us(messages: list[Message], now_us: int) -> npt.NDArray[np.int64]:
    """When messages reached the log, in microseconds since the epoch; `now_us` for those that do not tell.

    Messages of formats before Kafka 0.10, which brokers before 4.0 still take, have no time: -1.
    """
    told = np.array([m.timestamp()[1] for m in messages], dtype=np.int64)
    return np.where(told < 0, now_us, told * 1000)


def _on_commit(error: KafkaError | None, offsets: list[TopicPartition]) -> None:
    if error is not None:
        _log.warning("kafka.mirror_failed", partitions=[str(o) for o in offsets], error=error.str())


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset
