"""Writers of events: `TransactionalWriter` for effectively once, `EagerWriter` for low latency.

Both check every delivery report. Call order: `resume` once, then `append` any number of times and `commit` at the
end of each epoch, then `close`.

The transactional writer holds an epoch's events back and writes them in one transaction. A killed run may have
committed events that the engine does not know of. After a restart it therefore fences the dead writer, reads what
is out beyond the token, and skips these ids when they come again. They may come in another order and spread over
several epochs, so the ids not yet seen again are part of every token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import SinkError
from schemas.outputs import OUTPUTS
from sinks.kafka import scan
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import Event, events
from sinks.kafka.link import Link
from sinks.kafka.refusals import fenced, is_final, kafka_error, named_in, refusal

Token = tuple[int, int, tuple[tuple[str, int, int], ...], tuple[str, ...]]
"""Format, sequence number, end offset per topic and partition, ids that are out but have not come again."""

_FORMAT = 1
_FAILURES = (KafkaException, SystemError)
"""What librdkafka's errors come as; see `kafka_error`."""
_CALL_TIMEOUT_S = 5.0
_PAUSE_S = 0.2
# Clocks of the machine that started the run and of the one that produced may differ.
_CLOCK_SKEW_MS = 3_600_000

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


class _Outbox:
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
                self.producer.poll(_PAUSE_S)
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
        limit = time.monotonic() + _CALL_TIMEOUT_S
        while self.failed is None and (self._waiting or _is_vague(error)) and time.monotonic() < limit:
            try:
                self.producer.poll(_PAUSE_S)
            except _FAILURES as failure:
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


class TransactionalWriter:
    """Writes one transaction per epoch; bound to a run and a part by its transactional id.

    `topics` maps the roles of outputs (estimates, signals, quarantine) to topic names. `since_ms` is when the run
    began: without a token, older events need not be looked at.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Mapping[str, str],
        run_id: str,
        flow: str,
        part: str,
        *,
        since_ms: int = 0,
    ) -> None:
        self._connection = connection
        self._flow = flow
        self._since_ms = since_ms
        self.name = f"takt-{flow}-{run_id}-{part}"
        self._outbox = _Outbox(connection, topics, f"Kafka sink {self.name}", {"transactional.id": self.name})
        self._buffer: list[tuple[str, pl.DataFrame]] = []
        self._sequence = 0
        self._ends: dict[scan.Place, int] = {}
        self._out: set[str] = set()
        self._scanned = False

    def resume(self, token: Token | None) -> None:
        """Fence the dead writer of this part, whose open transaction is thereby aborted, and take up the token."""
        self._outbox.places()
        try:
            self._patiently(self._outbox.producer.init_transactions, self._connection.wait_s)
        except _FAILURES as failure:
            raise refusal(kafka_error(failure), [self.name], self._connection) from failure
        if token is not None:
            _, self._sequence, known, out = token
            self._ends = {(topic, number): end for topic, number, end in known}
            self._out = set(out)

    def append(self, output: str, frame: pl.DataFrame) -> None:
        """Hold rows back until `commit`."""
        self._buffer.append((output, frame))

    def commit(self) -> Token:
        """Write everything held back in one transaction and return the token to resume from.

        Raises SinkError when the brokers refuse an event, are away too long, or let another writer in.
        """
        if not self._scanned:
            self._scan()
        all_events = [
            event
            for output, frame in self._buffer
            for event in events(OUTPUTS[output], frame, flow=self._flow, writer=self.name)
        ]
        fresh = [event for event in all_events if event.id not in self._out]
        if fresh:
            self._transact(fresh)
        self._out.difference_update(event.id for event in all_events)
        self._buffer.clear()
        self._sequence += 1
        known = tuple(sorted((topic, number, end) for (topic, number), end in self._ends.items()))
        return (_FORMAT, self._sequence, known, tuple(sorted(self._out)))

    def close(self) -> None:
        """Drop what is held back: it belongs to an epoch that never closed."""
        self._buffer.clear()

    def _scan(self) -> None:
        """Learn which ids are out beyond the token.

        Only now, not in `resume`: open transactions of parts that were killed along with this one hide what lies
        behind them, until these parts are resumed as well.
        """
        places = self._outbox.places()
        end = scan.ends(self._connection, places)
        unknown = [place for place in places if place not in self._ends]
        begin = scan.offsets_at(self._connection, unknown, max(0, self._since_ms - _CLOCK_SKEW_MS)) if unknown else {}
        first = {place: offset if offset >= 0 else end[place] for place, offset in (begin | self._ends).items()}
        self._out |= scan.ids_out(self._connection, self.name, {p: (first[p], end[p]) for p in places})
        self._ends = end
        self._scanned = True

    def _transact(self, fresh: list[Event]) -> None:
        limit = time.monotonic() + self._connection.max_silence_s
        while True:
            try:
                self._try(fresh)
            except _FAILURES as failure:
                error = kafka_error(failure)
                cause, topics = self._outbox.failed or (error, self._outbox.topics_of(fresh))
                if is_final(cause):
                    # Left open: the next start aborts it.
                    raise refusal(cause, topics, self._connection) from failure
                self._abort(error)
                if time.monotonic() > limit:
                    raise self._outbox.link.unreachable(self._connection.max_silence_s) from failure
                time.sleep(_PAUSE_S)
            else:
                self._ends |= self._outbox.ends
                return

    def _try(self, fresh: list[Event]) -> None:
        producer = self._outbox.producer
        self._outbox.forget()
        producer.begin_transaction()
        for event in fresh:
            if not self._outbox.send(event):
                break
        # Committing flushes first, and unlike a flush it says at once when and why the transaction is lost.
        self._patiently(producer.commit_transaction, self._connection.max_silence_s)
        producer.poll(0)
        if self._outbox.waiting:
            raise AssertionError(f"{self._outbox.waiting} events committed without a delivery report")

    def _abort(self, error: KafkaError) -> None:
        if error.fatal():
            raise fenced(self.name, error)
        try:
            self._patiently(self._outbox.producer.abort_transaction, self._connection.max_silence_s)
        except _FAILURES as failure:
            raise fenced(self.name, kafka_error(failure)) from failure

    def _patiently(self, call: Callable[[float], object], seconds: float) -> None:
        """Repeat a call that librdkafka says may be repeated, such as one that timed out."""
        limit = time.monotonic() + seconds
        while True:
            try:
                call(_CALL_TIMEOUT_S)
            except _FAILURES as failure:
                if not kafka_error(failure).retriable():
                    raise
                self._outbox.producer.poll(0)
                self._outbox.link.check_login()
                if time.monotonic() > limit:
                    raise self._outbox.link.unreachable(seconds) from failure
            else:
                self._outbox.link.heard()
                return


class EagerWriter:
    """Sends events as they come, without transactions: low latency, at least once, ids still one per row."""

    def __init__(
        self, connection: KafkaConnection, topics: Mapping[str, str], run_id: str, flow: str, part: str
    ) -> None:
        self._connection = connection
        self._flow = flow
        self.name = f"takt-{flow}-{run_id}-{part}"
        timeout = {"message.timeout.ms": int(connection.max_silence_s * 1000)}
        self._outbox = _Outbox(connection, topics, f"Kafka sink {self.name}", timeout)
        self._sequence = 0

    def resume(self, token: Token | None) -> None:
        """See that the topics are there."""
        self._outbox.places()
        self._sequence = token[1] if token is not None else 0

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
                waiting = self._outbox.producer.flush(_CALL_TIMEOUT_S) > 0
        self._sequence += 1
        return (_FORMAT, self._sequence, (), ())

    def close(self) -> None:
        """Send what is on its way."""
        self._outbox.producer.flush(_CALL_TIMEOUT_S)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Make a SinkError of whatever the brokers refused so far."""
        try:
            yield
        except _FAILURES as failure:
            raise refusal(*self._outbox.cause(kafka_error(failure)), self._connection) from failure
        self._outbox.link.check_login()
        if self._outbox.failed is not None:
            raise refusal(*self._outbox.failed, self._connection)
