"""Where reading begins, without brokers: whatever they do not tell is an error that says what to do."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from flows.sources.kafka_offsets import Offsets, Start
from schemas.errors import SourceError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link


class Silent:
    """A consumer that gets errors for answers."""

    def __init__(self, bounds: int | None = None, group: int | None = None) -> None:
        self._bounds = bounds
        self._group = group

    def get_watermark_offsets(self, partition: TopicPartition, *, timeout: float) -> tuple[int, int]:
        del partition, timeout
        return self._told(self._bounds, (3, 9))

    def committed(self, partitions: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        del timeout
        return self._told(self._group, partitions)

    def _told(self, code: int | None, answer: Any) -> Any:
        if code is not None:
            raise KafkaException(KafkaError(code))
        return answer


def offsets(consumer: Silent) -> Offsets:
    link = Link(KafkaConnection(bootstrap="nowhere:9092"), SourceError, "source 'robots'")
    return Offsets(cast("Consumer", consumer), link, "source 'robots', partition 0", "telemetry", 0)


@pytest.mark.parametrize(
    ("consumer", "start", "told", "fix"),
    [
        (Silent(bounds=KafkaError._TIMED_OUT), "earliest", "partition 0: Local: Timed out", "start again"),
        (Silent(bounds=KafkaError.TOPIC_AUTHORIZATION_FAILED), "latest", "not allowed Read on", "--operation Read"),
        (Silent(group=KafkaError.GROUP_AUTHORIZATION_FAILED), "committed", "Group authorization", "kafka.group"),
    ],
)
def test_a_start_that_the_brokers_do_not_allow_or_answer(consumer: Silent, start: Start, told: str, fix: str) -> None:
    """The error names the partition and the cause, though nothing of it was read yet."""
    with pytest.raises(SourceError, match=told) as raised:
        offsets(consumer).begin(None, start, None, 1.0)
    assert fix in raised.value.fix


class Busy(Silent):
    """A consumer whose brokers elect a leader: each question is answered once it was asked before."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[str] = set()

    def get_watermark_offsets(self, partition: TopicPartition, *, timeout: float) -> tuple[int, int]:
        if "bounds" not in self._asked:
            self._asked.add("bounds")
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return super().get_watermark_offsets(partition, timeout=timeout)

    def committed(self, partitions: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        del timeout
        (place,) = partitions
        place.offset = 5
        if "group" not in self._asked:
            self._asked.add("group")
            return [Failed(KafkaError(KafkaError.NOT_COORDINATOR))]
        return [place]


class Failed:
    """An answer for one partition that is an error."""

    def __init__(self, error: KafkaError) -> None:
        self.error = error
        self.offset = -1001


def test_a_start_waits_until_brokers_have_a_leader() -> None:
    """A topic that was just made, or a broker that goes, is not the end of a start; errors in answers are none."""
    assert offsets(Busy()).begin(None, "committed", None, 1.0) == (5, (3, 9))
    with pytest.raises(SourceError, match="Not leader for partition"):
        offsets(Silent(bounds=KafkaError.NOT_LEADER_FOR_PARTITION)).begin(None, "earliest", None, 0.1)


def test_an_offset_that_is_refused_though_older_ones_are_there_is_of_another_topic() -> None:
    """It has not expired, and no number of offsets is lost that anyone could tell."""
    with pytest.raises(SourceError, match="offset 5 to read on from is not there, though older ones are, from 3 on"):
        offsets(Silent()).fail(KafkaError(KafkaError._AUTO_OFFSET_RESET), 5)


def test_that_an_offset_has_expired_is_told_though_not_how_many() -> None:
    """The broker goes away just when it said so: messages are lost all the same, and that is the news."""
    gone = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    with pytest.raises(SourceError, match="offset 2 has expired, the oldest one kept is 3: 1 offsets are lost"):
        offsets(Silent()).fail(gone, 2)
    with pytest.raises(SourceError, match=r"offset 2 has expired\n") as raised:
        offsets(Silent(bounds=KafkaError._TIMED_OUT)).fail(gone, 2)
    assert "retention.ms" in raised.value.fix
