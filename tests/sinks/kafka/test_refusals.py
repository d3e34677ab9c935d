"""What becomes of a client's own words where the exception that told of a fatal error was lost."""

from __future__ import annotations

from confluent_kafka import KafkaError

from sinks.kafka.refusals import is_final, named_in


def test_words_of_a_client_name_the_error():
    """As librdkafka logs it when a user may not write idempotently."""
    said = (
        "FATAL [takt#producer-1] [thrd:main]: Fatal error: Broker: Cluster authorization failed: Failed to acquire PID"
    )
    error = named_in(said)
    assert error.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    assert is_final(error)
    assert error.str() == said


def test_words_that_name_none_are_kept():
    """What is not known stays fatal, with the words."""
    error = named_in("the disk is on fire")
    assert (error.code(), error.str()) == (KafkaError._FATAL, "the disk is on fire")
