"""Settings of the connection and their mapping to librdkafka."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.errors import SettingsError
from sinks.kafka.connection import KafkaConnection, Security


def test_secrets_are_not_shown() -> None:
    """Neither password is in the text of a connection."""
    connection = KafkaConnection(bootstrap="b:9092", password="pass-1", key_password="pass-2")  # noqa: S106 a test
    assert "pass-" not in repr(connection)
    assert "pass-" not in str(connection)


@pytest.mark.parametrize("security", ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
def test_librdkafka_takes_it(security: Security) -> None:
    """Every security protocol maps to a configuration that librdkafka accepts."""
    sasl = {"mechanism": "SCRAM-SHA-256", "username": "u", "password": "p"} if security.startswith("sasl") else {}
    config = KafkaConnection(bootstrap="127.0.0.1:1", security=security, **sasl).config()
    Producer({**config, "log_level": 0})
    assert config["security.protocol"] == security


@pytest.mark.parametrize("missing", ["mechanism", "username", "password"])
def test_half_given_sasl(missing: str) -> None:
    """SASL without mechanism, user or password is refused, and says which settings to give."""
    given = {"mechanism": "PLAIN", "username": "u", "password": "p"}
    del given[missing]
    with pytest.raises(SettingsError, match="TAKT_KAFKA__PASSWORD"):
        KafkaConnection(bootstrap="b:9092", security="sasl_ssl", **given)


def test_half_given_certificate(tmp_path: Path) -> None:
    """A client certificate without its key is refused."""
    certificate = tmp_path / "c.pem"
    certificate.touch()
    with pytest.raises(SettingsError, match="by half"):
        KafkaConnection(bootstrap="b:9092", security="ssl", certificate_file=certificate)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named with its setting."""
    with pytest.raises(SettingsError, match=r"kafka\.ca_file: .*gone\.pem"):
        KafkaConnection(bootstrap="b:9092", security="ssl", ca_file=tmp_path / "gone.pem")
