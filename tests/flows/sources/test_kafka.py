"""The Kafka source against a real broker."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest
import structlog
from bytewax.inputs import StatefulSourcePartition
from confluent_kafka import ConsumerGroupTopicPartitions, Message, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions

from flows.progress import Watched
from flows.sources.kafka import KafkaPartition, KafkaSource, KafkaSourceOptions, arrivals_us
from flows.valve import Valves
from schemas.batch import RawBatch
from schemas.errors import BreakerOpenError, SourceError
from sinks.kafka.connection import KafkaConnection
from tests.conftest_kafka import Kafka, until


def options(topic: str, **changes: object) -> KafkaSourceOptions:
    return KafkaSourceOptions(**{"name": "telemetry", "topic": topic, "group": f"g-{topic}", **changes})


def part(kafka: Kafka, given: KafkaSourceOptions, resume: int | None = None, number: str = "0") -> KafkaPartition:
    return KafkaSource(kafka.connection, given, Valves(1.0)).build_part("in", number, resume)


def test_messages_without_a_time_arrive_when_they_are_read() -> None:
    """They were taken to have arrived in 1969, and so to be from the future."""
    given = [Message(topic="t", value=b"", timestamp=stamp) for stamp in ((1, 5), (0, -1), (2, 7))]
    assert arrivals_us(given, 9).tolist() == [5_000, 9, 7_000]
    assert arrivals_us([], 9).tolist() == []


def drain(partition: KafkaPartition) -> list[RawBatch]:
    """Read until the source says that it is done."""
    batches: list[RawBatch] = []
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            batches += partition.next_batch()
        except StopIteration:
            return batches
    raise AssertionError("the source did not stop at its end")


def _ended(reading: StatefulSourcePartition[RawBatch, int]) -> bool:
    try:
        reading.next_batch()
    except StopIteration:
        return True
    return False


def messages(batches: list[RawBatch]) -> list[bytes]:
    return [m for b in batches for m in b.messages]


def test_round_trip(kafka: Kafka) -> None:
    """Every message comes back once, in order, with its offset and its record timestamp; a tombstone is empty."""
    topic = kafka.topic()
    values = [b"%d" % i for i in range(25_000)]
    before = time.time_ns() // 1_000_000 * 1000
    kafka.produce(topic, [*values, None])
    after = time.time_ns() // 1000
    source = part(kafka, options(topic, stop_at_end=True))
    batches = drain(source)
    source.close()
    assert messages(batches) == [*values, b""]
    assert [o for b in batches for o in b.offsets] == list(range(25_001))
    assert all(before <= b.arrival_us.min() and b.arrival_us.max() <= after for b in batches)
    assert {(b.source, b.partition) for b in batches} == {("telemetry", "0")}


def test_partitions_are_apart(kafka: Kafka) -> None:
    """Each partition is listed, and read by itself."""
    topic = kafka.topic(3)
    for number in range(3):
        kafka.produce(topic, [b"p%d" % number] * (number + 1), number)
    given = options(topic, stop_at_end=True)
    assert KafkaSource(kafka.connection, given, Valves(1.0)).list_parts() == ["0", "1", "2"]
    assert [messages(drain(part(kafka, given, number=str(n)))) for n in range(3)] == [
        [b"p0"],
        [b"p1"] * 2,
        [b"p2"] * 3,
    ]


def test_progress_is_told_in_messages_of_all_partitions(kafka: Kafka) -> None:
    """What is told rises from what an earlier run had read to all that the topic keeps, over its partitions."""
    topic = kafka.topic(2)
    for number in range(2):
        kafka.produce(topic, [b"m"] * 4, number)
    source = KafkaSource(kafka.connection, options(topic, stop_at_end=True), Valves(1.0))
    heard: list[tuple[object, ...]] = []
    watched = Watched("telemetry", source, source.extent, "messages", lambda *told: heard.append(told))
    reading = [watched.build_part("in", number, resume) for number, resume in (("0", None), ("1", 3))]
    watched.tell()
    assert heard == [("telemetry", 3, 8, "messages")]
    for part in reading:
        until(lambda part=part: _ended(part))
    until(lambda: watched.tell() or heard[-1] == ("telemetry", 8, 8, "messages"))
    for part in reading:
        part.close()


def test_resumes_at_snapshot(kafka: Kafka) -> None:
    """A snapshot is the next offset: a resumed source repeats nothing and leaves out nothing."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a", b"b", b"c"])
    first = part(kafka, options(topic, batch_rows=2))
    got: list[RawBatch] = []
    until(lambda: bool(got.extend(first.next_batch()) or got))
    position = first.snapshot()
    first.close()
    rest = drain(part(kafka, options(topic, stop_at_end=True), position))
    assert messages(got) + messages(rest) == [b"a", b"b", b"c"]
    assert position == len(messages(got))


@pytest.mark.parametrize(("start", "expected"), [("earliest", [b"old", b"new"]), ("latest", [b"new"])])
def test_start_without_state(kafka: Kafka, start: str, expected: list[bytes]) -> None:
    """Without a snapshot, reading begins where the setting says."""
    topic = kafka.topic()
    kafka.produce(topic, [b"old"])
    source = part(kafka, options(topic, start=start))
    kafka.produce(topic, [b"new"])
    got: list[RawBatch] = []
    until(lambda: bool(got.extend(source.next_batch())) or len(messages(got)) == len(expected))
    assert messages(got) == expected


def test_a_partition_that_was_added_is_read_from_its_beginning(kafka: Kafka) -> None:
    """What came to it before the run could know of it is not passed over, though the run began at the latest."""
    topic = kafka.topic(partitions=2)
    kafka.produce(topic, [b"early"], partition=1)
    began_ms = int(time.time() * 1000)
    given = options(topic, start="latest", stop_at_end=True)
    assert messages(drain(part(kafka, given, number="1"))) == []
    later = replace(given, since_ms=began_ms - 3_600_000)
    assert messages(drain(part(kafka, later, number="1"))) == [b"early"]
    assert messages(drain(part(kafka, replace(given, since_ms=began_ms + 3_600_000), number="1"))) == []


def test_partitions_that_are_added_while_it_reads_are_told_once(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not read before the next start, which the log says."""
    monkeypatch.setattr("flows.sources.kafka._LOOK_S", 0.0)
    topic = kafka.topic(partitions=2)
    reading = [part(kafka, options(topic), number=str(number)) for number in range(2)]
    for added in kafka.admin.create_partitions([NewPartitions(topic, 3)]).values():
        added.result()

    with structlog.testing.capture_logs() as logs:

        def told() -> list[object]:
            for one in reading:
                one.next_batch()
            return [log["added"] for log in logs if log["event"] == "kafka.partitions_added"]

        until(lambda: bool(told()))
        for one in reading:
            one.close()  # when no look is under way any more
        assert [log["added"] for log in logs if log["event"] == "kafka.partitions_added"] == [1]


def test_a_topic_that_is_made_again_while_it_is_read_stops_the_flow(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client waits for the offset to come; messages of the new topic before it would never be read."""
    monkeypatch.setattr("flows.sources.kafka._LOOK_S", 0.0)
    topic = kafka.topic()
    kafka.produce(topic, [b"a", b"b"])
    reading, got = part(kafka, options(topic)), list[RawBatch]()
    until(lambda: bool(got.extend(reading.next_batch())) or len(messages(got)) == 2)
    kafka.admin.delete_topics([topic])[topic].result()
    kafka.topic(name=topic)
    with pytest.raises(SourceError, match="new folders for state and lake"):
        until(lambda: bool(reading.next_batch()) and False)


@pytest.mark.parametrize("stop_at_end", [False, True])
def test_a_topic_that_is_deleted_while_it_is_read_stops_the_flow(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, stop_at_end: bool
) -> None:
    """The client only logs it, and silence would be taken for a source that is idle, or waited for without end."""
    monkeypatch.setattr("flows.sources.kafka._LOOK_S", 0.0)
    topic = kafka.topic()
    kafka.produce(topic, [b"a"])
    given = options(topic, stop_at_end=stop_at_end)
    reading = part(kafka, given)
    reading._end += 1  # something that never comes, as behind a transaction that stays open
    kafka.admin.delete_topics([topic])[topic].result()
    with pytest.raises(SourceError, match="offset 1: the topic is not there any more"):
        until(lambda: bool(reading.next_batch()) and False)


def test_group_mirrors_durable_snapshots(kafka: Kafka) -> None:
    """Lag tools see the offset of the snapshot before the last one, which the engine has made durable."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a", b"b", b"c"])
    source = part(kafka, options(topic))

    def committed() -> int:
        source.next_batch()
        asked = [ConsumerGroupTopicPartitions(f"g-{topic}", [TopicPartition(topic, 0)])]
        future = kafka.admin.list_consumer_group_offsets(asked)[f"g-{topic}"]
        return int(future.result(10).topic_partitions[0].offset)

    until(lambda: bool(source.next_batch()))
    assert source.snapshot() == 3
    assert committed() < 0
    source.snapshot()
    until(lambda: committed() == 3)
    source.close()
    kafka.produce(topic, [b"d"])
    assert messages(drain(part(kafka, options(topic, start="committed", stop_at_end=True)))) == [b"d"]


def test_expired_offset_stops(kafka: Kafka) -> None:
    """A snapshot that points to deleted messages is an error that names place and loss, never a jump."""
    topic = kafka.topic()
    kafka.produce(topic, [b"%d" % i for i in range(10)])
    kafka.admin.delete_records([TopicPartition(topic, 0, 7)])[TopicPartition(topic, 0, 7)].result(10)
    with pytest.raises(SourceError, match=rf"'{topic}', partition 0: offset 4 has expired.* 7: 3 offsets"):
        part(kafka, options(topic), 4)


def test_offset_that_expires_while_reading_stops(kafka: Kafka) -> None:
    """Messages deleted before a running source has come to them are noticed as well."""
    topic = kafka.topic()
    source = part(kafka, options(topic))
    until(lambda: source._at_end or bool(source.next_batch()))
    source._consumer.pause([TopicPartition(topic, 0)])
    kafka.produce(topic, [b"%d" % i for i in range(10)])
    kafka.admin.delete_records([TopicPartition(topic, 0, 7)])[TopicPartition(topic, 0, 7)].result(10)
    source._consumer.resume([TopicPartition(topic, 0)])
    got: list[RawBatch] = []
    with pytest.raises(SourceError, match="offset 0 has expired"):
        until(lambda: bool(got.extend(source.next_batch())))
    assert messages(got) == []


def test_recreated_topic_stops(kafka: Kafka) -> None:
    """An offset beyond the end means another topic of the same name, and is refused."""
    with pytest.raises(SourceError, match="offset 5 to read on from is beyond the end, 0"):
        part(kafka, options(kafka.topic()), 5)


def test_missing_topic(kafka: Kafka) -> None:
    """A missing topic is named, with the command that makes it."""
    with pytest.raises(SourceError, match=r"'nowhere'(.|\n)*kafka-topics.sh --create --topic nowhere"):
        KafkaSource(kafka.connection, options("nowhere"), Valves(1.0)).list_parts()


@pytest.mark.slow
def test_no_broker() -> None:
    """Without a broker the start fails within the set time and says which address was tried."""
    connection = KafkaConnection(bootstrap="127.0.0.1:1", wait_s=1.0)
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"no Kafka broker at 127\.0\.0\.1:1 for 1 s"):
        KafkaSource(connection, options("any"), Valves(1.0)).list_parts()
    assert time.monotonic() - began < 5


def test_reads_committed_only(kafka: Kafka) -> None:
    """Aborted messages are not read, and a bounded run ends behind the transaction markers."""
    topic = kafka.topic()
    producer = Producer({"bootstrap.servers": kafka.broker.bootstrap, "transactional.id": f"x-{topic}"})
    producer.init_transactions(30)
    for value, end in ((b"kept", producer.commit_transaction), (b"gone", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(10)
        end(10)
    source = part(kafka, options(topic, stop_at_end=True))
    assert messages(drain(source)) == [b"kept"]
    assert source.snapshot() == 4


def test_bounded_run_ends_at_its_end(kafka: Kafka) -> None:
    """What comes after the start of a bounded run is left to the next run, which leaves out nothing."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a", b"b"])
    first = part(kafka, options(topic, stop_at_end=True))
    kafka.produce(topic, [b"c", b"d"])
    assert messages(drain(first)) == [b"a", b"b"]
    assert messages(drain(part(kafka, options(topic, stop_at_end=True), first.snapshot()))) == [b"c", b"d"]


def test_silence_is_told(kafka: Kafka) -> None:
    """At the end of a partition an empty batch comes after each span of silence, and none in between."""
    source = part(kafka, options(kafka.topic(), silence_s=0.3))
    began = time.monotonic()
    times: list[float] = []
    while len(times) < 3:
        for batch in source.next_batch():
            assert len(batch) == 0
            times.append(time.monotonic() - began)
        assert time.monotonic() - began < 20
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.29


def test_shut_valve_reads_nothing(kafka: Kafka) -> None:
    """While the breaker is open nothing but probes is read; a bounded run stops and says why."""
    topic = kafka.topic()
    kafka.produce(topic, [b"a"])
    valves = Valves(1000.0)
    source = KafkaSource(kafka.connection, options(topic, stop_at_end=True), valves).build_part("in", "0", None)
    valves.of("0").shut("too many failures")
    for _ in range(3):
        assert source.next_batch() == []
        assert source.snapshot() == 0
    with pytest.raises(BreakerOpenError, match="too many failures"):
        source.next_batch()
