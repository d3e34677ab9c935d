"""Events effectively once: a transaction per epoch.

Call order: `resume` once, then `append` any number of times and `commit` at the end of each epoch, then `close`.

An epoch's events are held back and written in one transaction. A killed run may have committed events that the
engine does not know of. After a restart the writer therefore fences the dead one, reads what is out beyond the
token, and skips these ids when they come again. They may come in another order and spread over several epochs, so
the ids not yet seen again are part of every token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import polars as pl
from confluent_kafka import KafkaError

from schemas.outputs import OUTPUTS
from sinks.kafka import scan
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import Event, events
from sinks.kafka.outbox import CALL_TIMEOUT_S, FAILURES, PAUSE_S, Outbox
from sinks.kafka.refusals import fenced, is_final, kafka_error, refusal
from sinks.kafka.token import FORMAT, Token

# Clocks of the machine that started the run and of the one that produced may differ.
_CLOCK_SKEW_MS = 3_600_000


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
        self._outbox = Outbox(connection, topics, f"Kafka sink {self.name}", {"transactional.id": self.name})
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
        except FAILURES as failure:
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
        return (FORMAT, self._sequence, known, tuple(sorted(self._out)))

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
            except FAILURES as failure:
                error = kafka_error(failure)
                cause, topics = self._outbox.failed or (error, self._outbox.topics_of(fresh))
                if is_final(cause):
                    # Left open: the next start aborts it.
                    raise refusal(cause, topics, self._connection) from failure
                self._abort(error)
                if time.monotonic() > limit:
                    raise self._outbox.link.unreachable(self._connection.max_silence_s) from failure
                time.sleep(PAUSE_S)
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
        except FAILURES as failure:
            raise fenced(self.name, kafka_error(failure)) from failure

    def _patiently(self, call: Callable[[float], object], seconds: float) -> None:
        """Repeat a call that librdkafka says may be repeated, such as one that timed out."""
        limit = time.monotonic() + seconds
        while True:
            try:
                call(CALL_TIMEOUT_S)
            except FAILURES as failure:
                if not kafka_error(failure).retriable():
                    raise
                self._outbox.producer.poll(0)
                self._outbox.link.check_login()
                if time.monotonic() > limit:
                    raise self._outbox.link.unreachable(seconds) from failure
            else:
                self._outbox.link.heard()
                return
