"""How to reach Kafka: a closed set of typed settings, mapped onto librdkafka's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from schemas.errors import SettingsError

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

# The default of 10 s would let a restarted broker wait that long for its clients.
_RECONNECT_MAX_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """Address and credentials of a cluster, and the patience to have with it. Secrets are not in `repr`.

    `wait_s` bounds the wait for the brokers at the start, `max_silence_s` how long they may be away later.
    Raises SettingsError when SASL or client certificates are given by half, or a file is missing.
    """

    bootstrap: str
    security: Security = "plaintext"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    wait_s: float = 30.0
    max_silence_s: float = 300.0

    def __post_init__(self) -> None:
        if self.security.startswith("sasl") and not (self.mechanism and self.username and self.password):
            raise SettingsError(
                f"kafka.security is {self.security}, but mechanism, username and password are not all given",
                fix="set kafka.mechanism, kafka.username and TAKT_KAFKA__PASSWORD",
            )
        if (self.certificate_file is None) != (self.key_file is None):
            raise SettingsError(
                "kafka.certificate_file and kafka.key_file are given by half", fix="give both, or neither"
            )
        for name in ("ca_file", "certificate_file", "key_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise SettingsError(f"kafka.{name}: {path} is not a file", fix="correct the path")

    @property
    def user(self) -> str:
        """Who the brokers take this client for, as far as is known here: a certificate's name is mapped over there."""
        if self.username is None and self.certificate_file is not None:
            return f"<name in {self.certificate_file.name}>"
        return self.username or "ANONYMOUS"

    def config(self) -> dict[str, Any]:
        """Configuration of librdkafka that every client starts from."""
        given: dict[str, str | Path | None] = {
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password,
        }
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security,
            "client.id": "takt",
            "reconnect.backoff.max.ms": _RECONNECT_MAX_MS,
            **{key: str(value) for key, value in given.items() if value is not None},
        }
