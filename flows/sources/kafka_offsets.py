"""Where reading of a partition begins, and why it cannot begin or go on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import SourceError
from sinks.kafka.link import Link

_log = structlog.get_logger()

Start = Literal["earliest", "latest", "committed"]

_ASK_TIMEOUT_S: Final = 10.0
_LOOK_TIMEOUT_S: Final = 5.0  # a request that times out costs the connection, and fetches with it
_PAUSE_S: Final = 0.1
_MISSING: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 public constants
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}
_PASSING: Final = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
"""What brokers say while a topic is made, or its leader or the group's coordinator changes."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """Offsets of one partition, as its consumer has them of the brokers. `place` names it in errors."""

    consumer: Consumer
    link: Link
    place: str
    topic: str
    number: int

    def begin(
        self, resume: int | None, start: Start, since_ms: int | None, wait_s: float
    ) -> tuple[int, tuple[int, int]]:
        """Where to begin, and the first offset kept and the one behind the last.

        Without an offset to `resume` at, `start` counts; see `KafkaSourceOptions`. Raises SourceError where that offset
        is not there, or the brokers do not tell within `wait_s`.
        """
        limit = time.monotonic() + wait_s
        while True:
            try:
                first, low, high = self._asked(resume, start, since_ms, wait_s)
                break
            except KafkaException as failure:
                if failure.args[0].code() not in _PASSING or time.monotonic() > limit:
                    self.fail(failure.args[0], resume)
                time.sleep(_PAUSE_S)
        if first < low:
            raise self._expired(first, low)
        if first > high:
            raise self._anew(first, f"beyond the end, {high}")
        return first, (low, high)

    def _asked(self, resume: int | None, start: Start, since_ms: int | None, wait_s: float) -> tuple[int, int, int]:
        """Where to begin, the first offset kept and the one behind the last; raises KafkaException."""
        low, high = self.consumer.get_watermark_offsets(TopicPartition(self.topic, self.number), timeout=wait_s)
        return self._chosen(start, since_ms, low, high, wait_s) if resume is None else resume, low, high

    def _chosen(self, start: Start, since_ms: int | None, low: int, high: int, wait_s: float) -> int:
        if start == "earliest":
            return low
        if start == "committed":
            asked = TopicPartition(self.topic, self.number)
            committed = _offset(self.consumer.committed([asked], timeout=wait_s)[0])
            return committed if committed >= 0 else low
        if since_ms is None:
            return high
        asked = TopicPartition(self.topic, self.number, since_ms)
        since = _offset(self.consumer.offsets_for_times([asked], timeout=wait_s)[0])
        return since if since >= 0 else high

    def fail(self, error: KafkaError, reached: int | None) -> NoReturn:
        """Raise the SourceError for an error of the consumer; `reached` is where it stands, None before it began."""
        if error.code() == KafkaError._AUTO_OFFSET_RESET and reached is not None:  # noqa: SLF001 public constant
            raise self._expired(reached, self._oldest())
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise self.link.denied(self.topic, "Read")
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise SourceError(
                f"{self.place}: {error.str()}",
                fix="give the user of the flow Read on the consumer group (kafka.group), or set another `start`",
            )
        raise self._other(error, reached)

    def _other(self, error: KafkaError, reached: int | None) -> SourceError:
        where = "" if reached is None else f", offset {reached}"
        return SourceError(
            f"{self.place}{where}: {error.str()}",
            fix="see that the topic still exists and the broker is well, then start again: "
            "reading goes on where it stopped",
        )

    def gone(self, reached: int) -> SourceError | None:
        """Why reading cannot go on though the client says nothing: the topic was deleted, or made again."""
        partition = TopicPartition(self.topic, self.number)
        try:
            _, high = self.consumer.get_watermark_offsets(partition, timeout=_LOOK_TIMEOUT_S)
        except KafkaException as failure:
            error = failure.args[0]
            return self._deleted(error, reached) if error.code() in _MISSING else None
        return self._anew(reached, f"beyond the end, {high}") if reached > high else None

    def tell_added(self, source: str, known: int) -> int:
        """How many partitions the topic has; the log tells of more than were known."""
        try:
            found = self.consumer.list_topics(self.topic, timeout=_LOOK_TIMEOUT_S).topics[self.topic]
        except KafkaException:  # the brokers are away, of which the link knows
            return known
        added = len(found.partitions) - known
        if added > 0:
            fix = "start the flow again: it reads them from their beginning"
            _log.warning("kafka.partitions_added", source=source, topic=self.topic, added=added, fix=fix)
        return known + max(0, added)

    def _oldest(self) -> int | None:
        partition = TopicPartition(self.topic, self.number)
        try:
            low, _ = self.consumer.get_watermark_offsets(partition, timeout=_ASK_TIMEOUT_S)
        except KafkaException:  # the news that offsets are lost must not be lost over how many
            return None
        return int(low)

    def _deleted(self, error: KafkaError, reached: int) -> SourceError:
        return SourceError(
            f"{self.place}, offset {reached}: the topic is not there any more ({error.str()})",
            fix="if it is to be read again under this name, start a new run with new folders for state and lake: what "
            "was not read of it is lost",
        )

    def _anew(self, offset: int, where: str) -> SourceError:
        return SourceError(
            f"{self.place}: offset {offset} to read on from is {where}",
            fix="the topic was deleted and made again: start a new run with new folders for state and lake",
        )

    def _expired(self, offset: int, low: int | None) -> SourceError:
        if low is not None and low < offset:
            return self._anew(offset, f"not there, though older ones are, from {low} on")
        lost = "" if low is None else f", the oldest one kept is {low}: {low - offset} offsets are lost to this flow"
        return SourceError(
            f"{self.place}: offset {offset} has expired{lost}",
            fix="restore them or accept the loss: start a new run with a new recovery folder (start = earliest); "
            "and raise retention.ms of the topic above the longest time the flow may stand still",
        )


def _offset(told: TopicPartition) -> int:
    """The offset of an answer, which may hold an error of its own instead: no offset would then be taken for none."""
    if told.error is not None:
        raise KafkaException(told.error)
    return int(told.offset)
