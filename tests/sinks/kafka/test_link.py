"""What a client hears again and again is told once."""

from __future__ import annotations

from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from schemas.errors import SourceError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.link import Link


def test_an_error_that_repeats_is_told_once_until_a_broker_answers() -> None:
    """A name that cannot be resolved fails many times a second, each time after other milliseconds."""
    link = Link(KafkaConnection(bootstrap="nowhere:9092"), SourceError, "source robots")
    with capture_logs() as logs:
        for took in range(5):
            link.on_error(KafkaError(KafkaError._RESOLVE, f"nowhere:9092: failed to resolve (after {took}ms)"))
            link.on_error(KafkaError(KafkaError._TRANSPORT, f"nowhere:9092: refused (after {took}ms)"))
        assert [log["error"] for log in logs] == [
            "nowhere:9092: failed to resolve (after 0ms)",
            "nowhere:9092: refused (after 0ms)",
        ]
        link.heard()
        link.on_error(KafkaError(KafkaError._TRANSPORT, "nowhere:9092: refused (after 9ms)"))
    assert logs[-1]["error"] == "nowhere:9092: refused (after 9ms)"
    assert "(after 9ms)" in str(link.unreachable(1))
