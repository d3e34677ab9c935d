"""Topics that stored state is made for: a place in one is none in another, though it have the same name."""

from __future__ import annotations

from flows.kafka import connection
from flows.settings import KafkaSource, Settings
from sinks.kafka.topics import topic_ids


def bound_topics(settings: Settings) -> dict[str, str]:
    """Ids of the topics that sources read, for `flows.recovery.bind`; none of brokers that give topics none."""
    read = {name: source.topic for name, source in settings.sources.items() if isinstance(source, KafkaSource)}
    ids = topic_ids(connection(settings), sorted({*read.values()})) if read else {}
    return {f"id of topic {topic} of sources.{name}": ids[topic] for name, topic in read.items() if topic in ids}
