"""Refusals of the brokers that no retry can cure, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import SinkError
from sinks.kafka.connection import KafkaConnection

_MAY_WRITE = (
    "kafka-acls.sh --add --allow-principal 'User:{who}' --operation Write --operation Read --operation Describe "
    "--topic {topics}"
)
_FIXES = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _MAY_WRITE,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "kafka-acls.sh --add --allow-principal 'User:{who}' --operation "
    "Write --operation Describe --transactional-id takt- --resource-pattern-type prefixed",
    # Whoever may write to some topic may write idempotently; this user may not write at all.
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _MAY_WRITE,
    KafkaError.MSG_SIZE_TOO_LARGE: "raise max.message.bytes of the topic to at least 2 MB",
    KafkaError.RECORD_LIST_TOO_LARGE: "raise max.message.bytes of the topic to at least 2 MB",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topic, or correct its name in [topics]",
    KafkaError._UNKNOWN_TOPIC: "create the topic, or correct its name in [topics]",  # noqa: SLF001 public constant
    KafkaError._UNKNOWN_PARTITION: "create the topic, or correct its name in [topics]",  # noqa: SLF001 public constant
    KafkaError.TOPIC_EXCEPTION: "correct the topic's name in [topics]",
    KafkaError.INVALID_RECORD: "the topic must take messages of any key: cleanup.policy=delete or a key for each",
    KafkaError.POLICY_VIOLATION: "ask the cluster's owner which policy the message or topic violates",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "raise transaction.max.timeout.ms of the brokers to 60000 or more",
}


def kafka_error(failure: BaseException) -> KafkaError:
    """The client's error behind an exception.

    A fatal error is raised inside a poll; a delivery report that the same poll serves next makes a SystemError of it,
    with the error as its cause or without any.
    """
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, KafkaException):
            error: KafkaError = cause.args[0]
            return error
        cause = cause.__cause__
    if isinstance(failure, SystemError):
        return KafkaError(KafkaError._FATAL, str(failure), fatal=True)  # noqa: SLF001 public constant
    raise failure


def named_in(text: str) -> KafkaError:
    """The fatal error that a client's own words are about."""
    codes = (code for code in _FIXES if KafkaError(code).str() in text)
    return KafkaError(next(codes, KafkaError._FATAL), text, fatal=True)  # noqa: SLF001 public constant


def is_final(error: KafkaError) -> bool:
    """Whether trying again is pointless."""
    return error.code() in _FIXES


def refusal(error: KafkaError, places: Iterable[str], connection: KafkaConnection) -> SinkError:
    """The error for events that were refused at `places`: topics, or a transactional id."""
    who = connection.user
    fix = _FIXES.get(
        error.code(),
        "see that brokers and in-sync replicas are well, then start the flow again: it goes on where it stopped",
    )
    named = sorted(places)
    return SinkError(
        f"Kafka at {connection.bootstrap} refused output to {', '.join(named)} (user {who}): {error.str()}",
        fix=fix.format(who=who, topics=" --topic ".join(named)),
    )


def fenced(writer: str, error: KafkaError) -> SinkError:
    """The error for a writer whose transactions the brokers do not take any more."""
    return SinkError(
        f"writer {writer} was shut out by the brokers: {error.str()}",
        fix="make sure that the flow runs only once on this recovery folder; if it does, a transaction timed out: "
        "start it again, it goes on where it stopped",
    )
