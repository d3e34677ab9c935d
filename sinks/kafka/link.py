"""What a Kafka client hears about its link to the brokers, turned into clear errors within bounded time.

librdkafka reconnects by itself for ever and tells only a callback. `Link` is that callback; its owner calls
`check` after each poll.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException

from schemas.errors import TaktError
from sinks.kafka.connection import KafkaConnection

_log = structlog.get_logger()

# librdkafka writes to standard error unless it is given a logger.
_CLIENT_LOG = logging.getLogger("librdkafka")
_CLIENT_LOG.addHandler(logging.NullHandler())

_ASK_S = 1.0
_DENIED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
_WRONG_LOGIN = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)  # noqa: SLF001 public constants


class _Fatal(logging.Handler):
    """Keeps what the client logs of a fatal error, as the exception that tells of it can be lost inside a poll."""

    def __init__(self) -> None:
        super().__init__(logging.CRITICAL)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text = record.getMessage()


class _Client(Protocol):
    def poll(self, timeout: float = ...) -> Any: ...
    def list_topics(self, topic: str = ..., timeout: float = ...) -> Any: ...


class Link:
    """State of one client's link; raises `error`, which is SourceError or SinkError."""

    def __init__(self, connection: KafkaConnection, error: type[TaktError], name: str) -> None:
        self._connection = connection
        self._error = error
        self._name = name
        self._was_up = False
        self._down_since: float | None = None
        self._last = "no answer"
        self._told: set[int] = set()
        """Kinds of errors that were told since a broker last answered."""
        self._refused: str | None = None
        self._fatal = _Fatal()
        self._log = logging.Logger(_CLIENT_LOG.name)  # noqa: LOG001 - this client's own, which must go when it does
        self._log.parent = _CLIENT_LOG
        self._log.addHandler(self._fatal)

    def config(self) -> dict[str, Any]:
        """Configuration of a client that reports to this link."""
        return {**self._connection.config(), "error_cb": self.on_error, "logger": self._log}

    @property
    def fatal(self) -> str:
        """What the client said of a fatal error; empty where there was none."""
        return self._fatal.text

    @property
    def down(self) -> bool:
        """Whether all brokers are away at the moment, as far as is known."""
        return self._down_since is not None

    def on_error(self, error: KafkaError) -> None:
        """Take a client-wide error; called by librdkafka from within a poll."""
        code = error.code()
        self._last = error.str()
        # A broker that asks for a certificate in vain says so in an alert, which the client tells as a lost connection.
        mismatch = code == KafkaError._SSL or "SSL alert" in self._last  # noqa: SLF001
        if code in _WRONG_LOGIN or (mismatch and not self._was_up):
            self._refused = error.str()
        elif code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            if self._down_since is None:
                self._down_since = time.monotonic()
                _log.warning("kafka.brokers_down", client=self._name, bootstrap=self._connection.bootstrap)
        elif code not in self._told:
            # Each try ends alike, but for the time that it took.
            self._told.add(code)
            _log.info("kafka.client_error", client=self._name, error=self._last)

    def heard(self) -> None:
        """Take note that a broker answered."""
        self._was_up = True
        self._told.clear()
        if self._down_since is not None:
            silence = time.monotonic() - self._down_since
            _log.info("kafka.brokers_back", client=self._name, silence_s=round(silence, 1))
            self._down_since = None

    def no_answer(self, error: KafkaError) -> None:
        """Take note of a request that was not answered; the callback tells more of the cause."""
        _log.debug("kafka.no_answer", client=self._name, error=error.str())

    def check_login(self) -> None:
        """Raise when the brokers refused the login or the certificates did not match."""
        if self._refused is not None:
            raise self._error(
                f"{self._name}: Kafka at {self._connection.bootstrap} refused the connection: {self._refused}",
                fix="correct kafka.security, mechanism, username, TAKT_KAFKA__PASSWORD and ca_file; brokers that ask "
                "for a certificate need certificate_file and key_file",
            )

    def check(self) -> None:
        """Raise when the brokers refused the login, or have been away for longer than `max_silence_s`."""
        self.check_login()
        if self._down_since is None:
            return
        silence = time.monotonic() - self._down_since
        if silence > self._connection.max_silence_s:
            raise self.unreachable(silence)

    def unreachable(self, seconds: float) -> TaktError:
        """The error for brokers that did not answer for `seconds`."""
        return self._error(
            f"{self._name}: no Kafka broker at {self._connection.bootstrap} for {seconds:.0f} s ({self._last})",
            fix="start the broker or correct kafka.bootstrap, then start the flow again: it goes on where it stopped",
        )

    def partitions(self, client: _Client, topic: str) -> list[int]:
        """Partition numbers of a topic; waits `wait_s` for the brokers.

        Raises `error` when they do not answer, refuse the login, or the topic is missing or not allowed.
        """
        start = time.monotonic()
        while (passed := time.monotonic() - start) < self._connection.wait_s:
            client.poll(0)
            self.check()
            try:
                found = client.list_topics(topic, timeout=min(_ASK_S, self._connection.wait_s - passed))
            except KafkaException as failure:
                self.no_answer(failure.args[0])
                continue
            self.heard()
            return self._partition_numbers(found.topics[topic], topic)
        raise self.unreachable(self._connection.wait_s)

    def _partition_numbers(self, metadata: Any, topic: str) -> list[int]:
        if metadata.error is None:
            return sorted(metadata.partitions)
        if metadata.error.code() in _DENIED:
            raise self.denied(topic, "Describe")
        raise self._error(
            f"{self._name}: topic {topic!r} at {self._connection.bootstrap}: {metadata.error.str()}",
            fix="correct its name, or let `takt doctor --create-topics` make it if the settings name it; else: "
            f"kafka-topics.sh --create --topic {topic} --partitions N",
        )

    def denied(self, topic: str, right: str) -> TaktError:
        """The error for an operation on a topic that the brokers' ACLs do not allow."""
        who = self._connection.user
        return self._error(
            f"{self._name}: user {who} is not allowed {right} on topic {topic!r}",
            fix=f"kafka-acls.sh --add --allow-principal 'User:{who}' --operation {right} --topic {topic}",
        )
