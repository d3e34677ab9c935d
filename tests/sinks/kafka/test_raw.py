"""Messages given to a topic as they are: all of them are in it, or it is told which way is out."""

from __future__ import annotations

import pytest

from schemas.errors import SinkError
from sinks.kafka.raw import produce
from tests.conftest_kafka import Kafka

MESSAGE = b"x" * 1_000_500


def test_the_topic_says_how_long_a_message_may_be(kafka: Kafka) -> None:
    """What a topic took from somebody else can be given to it again; what is too long is refused, with the fix."""
    topic = kafka.topic()
    with pytest.raises(SinkError, match=f"refused output to {topic}.*too large") as refused:
        produce(kafka.connection, topic, [[(None, MESSAGE * 2)]], lambda _: None)
    assert "max.message.bytes" in refused.value.fix
    assert produce(kafka.connection, topic, [[(None, MESSAGE)], [(None, b"")]], lambda _: None) == 2
    assert sorted(len(message.value() or b"") for message in kafka.read(topic)) == [0, len(MESSAGE)]
