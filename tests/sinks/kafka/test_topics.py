"""Topics by their ids, on a real broker."""

from __future__ import annotations

from confluent_kafka.admin import NewTopic

from sinks.kafka.topics import topic_ids
from tests.conftest_kafka import until


def test_a_topic_that_is_made_anew_is_another(kafka):
    """An id stays, and goes with its topic: the same name has another one then."""
    topic = kafka.topic()
    before = topic_ids(kafka.connection, [topic])
    assert topic_ids(kafka.connection, [topic]) == before
    kafka.admin.delete_topics([topic])[topic].result(30)
    until(lambda: topic not in kafka.admin.list_topics(timeout=10).topics)
    kafka.admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    until(lambda: topic in kafka.admin.list_topics(timeout=10).topics)
    after = topic_ids(kafka.connection, [topic])
    assert before.keys() == after.keys() == {topic}
    assert before != after
