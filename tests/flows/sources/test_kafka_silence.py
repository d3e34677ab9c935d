"""The Kafka source while the broker is away."""

from __future__ import annotations

import dataclasses
import time

import pytest

from flows.sources.kafka import KafkaPartition, KafkaSource, KafkaSourceOptions
from flows.valve import Valves
from schemas.errors import SourceError
from tests.conftest_kafka import Kafka, until


def reader(kafka: Kafka, topic: str, max_silence_s: float) -> KafkaPartition:
    connection = dataclasses.replace(kafka.connection, max_silence_s=max_silence_s)
    options = KafkaSourceOptions(name="telemetry", topic=topic, group=f"g-{topic}", silence_s=0.2)
    return KafkaSource(connection, options, Valves(1.0)).build_part("in", "0", None)


def poll_for(source: KafkaPartition, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        assert source.next_batch() == []
        time.sleep(0.02)


@pytest.mark.slow
def test_broker_away_too_long(kafka: Kafka) -> None:
    """A broker that stays away stops the flow after the set time, naming its address and what to do."""
    source = reader(kafka, kafka.topic(), 2.0)
    until(lambda: bool(source.next_batch()))
    kafka.broker.kill()
    try:
        with pytest.raises(SourceError, match=rf"no Kafka broker at {kafka.broker.bootstrap} for [2-9] s"):
            poll_for(source, 30)
    finally:
        kafka.broker.start()


@pytest.mark.slow
def test_broker_back_in_time(kafka: Kafka) -> None:
    """A short absence is not idleness of the partition, and leaves no trace once the broker is back."""
    topic = kafka.topic()
    source = reader(kafka, topic, 60.0)
    until(lambda: bool(source.next_batch()))
    kafka.broker.kill()
    until(lambda: not source.next_batch() and source._link.down)
    poll_for(source, 1.0)
    kafka.broker.start()
    until(lambda: any(len(b) == 0 for b in source.next_batch()), 60)
    assert not source._link.down
    kafka.produce(topic, [b"after"])
    until(lambda: any(list(b.messages) == [b"after"] for b in source.next_batch()))
