"""Kafka parts of a flow, from settings."""

from __future__ import annotations

from flows.recovery import Run
from flows.settings import KafkaSource as KafkaSettings
from flows.settings import Settings
from flows.sources.kafka import KafkaSource, KafkaSourceOptions
from flows.valve import Valves
from schemas.errors import SettingsError
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.sink import KafkaSink
from sinks.kafka.topics import ensure_topics


def connection(settings: Settings) -> KafkaConnection:
    """How to reach Kafka. Raises SettingsError where the settings have no [kafka] section."""
    kafka = settings.kafka
    if kafka is None:
        raise SettingsError("there is no [kafka] section", fix='add one: [kafka] bootstrap = "host:9092"')
    return KafkaConnection(
        bootstrap=kafka.bootstrap,
        security=kafka.security,
        mechanism=kafka.mechanism,
        username=kafka.username,
        password=kafka.password.get_secret_value() if kafka.password else None,
        ca_file=kafka.ca_file,
        certificate_file=kafka.certificate_file,
        key_file=kafka.key_file,
        key_password=kafka.key_password.get_secret_value() if kafka.key_password else None,
        wait_s=kafka.broker_wait_s,
        max_silence_s=kafka.max_silence_s,
    )


def topics(settings: Settings) -> dict[str, str]:
    """Topic names by the `topic` of an output."""
    names = settings.topics
    return {"estimates": names.estimates, "signals": names.signals, "quarantine": names.quarantine}


def inputs(settings: Settings) -> set[str]:
    """Topics that the sources read."""
    return {source.topic for source in settings.sources.values() if isinstance(source, KafkaSettings)}


def source(
    name: str, chosen: KafkaSettings, settings: Settings, valves: Valves, since_us: int | None = None
) -> KafkaSource:
    """Source `name` of the settings, which reads a topic; if the run has read it before, it did so `since_us`.

    Raises SettingsError without a [kafka] section.
    """
    options = KafkaSourceOptions(
        name=name,
        topic=chosen.topic,
        group=settings.kafka.group if settings.kafka else "",
        start=chosen.start,
        stop_at_end=chosen.stop_at_end,
        since_ms=None if since_us is None else since_us // 1000,
    )
    return KafkaSource(connection(settings), options, valves)


def sink(settings: Settings, run: Run) -> KafkaSink:
    """Sink of a run into the topics of the settings, which are made where they are missing.

    Raises SettingsError without a [kafka] section, SinkError when no broker answers or the user may not make topics.
    """
    kafka, names = connection(settings), topics(settings)
    ensure_topics(kafka, dict.fromkeys(names.values(), 1))
    eager = settings.output.eager
    return KafkaSink(kafka, names, run.run_id, run.flow, since_ms=run.started_us // 1000, eager=eager)


def create_topics(settings: Settings, partitions: int) -> list[str]:
    """Make the missing topics of the settings: those that are read with `partitions`, those that are written with one.

    What is read is dated by the brokers, as the gate holds event times against that: a sender's clock says nothing.
    Returns the names of those that were made. Raises SettingsError without a [kafka] section, SinkError when no broker
    answers or the user may not make them.
    """
    wanted = dict.fromkeys(topics(settings).values(), 1) | dict.fromkeys(sorted(inputs(settings)), partitions)
    return ensure_topics(connection(settings), wanted, inputs(settings))
