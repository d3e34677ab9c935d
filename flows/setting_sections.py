"""Sections of the settings, one class each; what a section alone can check is checked here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

_BUCKET_PART_S: Final = 900
_LONGEST_S: Final = 366 * 86_400.0  # in microseconds far within 64 bits, also when several are added up

Positive = Annotated[float, Field(ge=0.001, le=_LONGEST_S)]
"""A span in seconds."""
NotNegative = Annotated[float, Field(ge=0, le=_LONGEST_S)]


class Section(BaseModel):
    """A section: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lake(Section):
    """Where results are kept. The catalog is SQLite in the folder unless a PostgreSQL address is given."""

    folder: Path = Field(default=Path("var/lake"), description="folder of the data files and the SQLite catalog")
    postgres: SecretStr | None = Field(
        default=None, description="URL of a PostgreSQL catalog: postgresql://user:password@host:port/database"
    )

    @model_validator(mode="after")
    def _catalog_is_a_url(self) -> Lake:
        # Anything else is taken for the path of a SQLite catalog further down.
        if self.postgres and not self.postgres.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("postgres must be a URL: postgresql://user:password@host:port/database")
        return self


class Recovery(Section):
    """Where the engine keeps its state, and how often."""

    folder: Path = Field(default=Path("var/recovery"), description="private folder of the state, mode 0700")
    snapshot_every_s: Positive | None = Field(
        default=None,
        description="length of an epoch: results are committed so often. Without it every second, or every five where "
        "all sources end, as nobody waits for their results and each epoch has its price",
    )


_SASL = ("mechanism", "username", "password")
_TLS = ("ca_file", "certificate_file", "key_file", "key_password")


class Kafka(Section):
    """Connection to Kafka; leave out for files only."""

    bootstrap: str = Field(min_length=1, description="host:port[,host:port...]")
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="TLS (`ssl`) and SASL, or neither"
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="how SASL logs in"
    )
    username: str | None = Field(default=None, description="user for SASL")
    password: SecretStr | None = Field(default=None, description="give it as TAKT_KAFKA__PASSWORD, not in a file")
    ca_file: Path | None = Field(
        default=None, description="PEM file with the authorities that brokers are checked against"
    )
    certificate_file: Path | None = Field(default=None, description="PEM file with the client's own certificate")
    key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate")
    key_password: SecretStr | None = Field(default=None, description="password of that key")
    group: str = Field(default="takt", description="consumer group under which progress is mirrored for lag tools")
    broker_wait_s: Positive = Field(default=30.0, description="how long to wait for the broker at the start")
    max_silence_s: Positive = Field(default=300.0, description="how long a broker may be away before the flow stops")

    @model_validator(mode="after")
    def _security_is_whole(self) -> Kafka:
        sasl, tls = self.security.startswith("sasl"), self.security.endswith("ssl")
        missing = [n for n in _SASL if getattr(self, n) is None]
        if sasl and missing:
            raise ValueError(f"security {self.security} also needs {', '.join(missing)}")
        for used, names, needed in ((sasl, _SASL, "sasl_ssl or sasl_plaintext"), (tls, _TLS, "ssl or sasl_ssl")):
            idle = [n for n in names if getattr(self, n) is not None]
            if idle and not used:
                raise ValueError(f"security {self.security} does not use {', '.join(idle)}; {needed} does")
        return self


class Topics(Section):
    """Names of the topics that are written. Created when missing, where the broker allows it."""

    estimates: str = Field(default="takt.estimates", description="throughput, service times, sensor windows")
    signals: str = Field(default="takt.signals", description="what somebody should know or act upon")
    quarantine: str = Field(default="takt.quarantine", description="rejected messages with their original bytes")


class Output(Section):
    """How results go to Kafka."""

    eager: bool = Field(
        default=False,
        description="send at once instead of once per epoch: lower latency, at least once, ids still unique",
    )


class FileSource(Section):
    """JSON lines or Parquet: one file, or a folder whose files are read in order of name."""

    kind: Literal["files"]
    contract: str = Field(description="contract and version, as in robot.state@1")
    path: Path = Field(description="the file or folder")
    follow: bool = Field(default=False, description="go on waiting for more lines and files instead of ending")


class KafkaSource(Section):
    """A topic, partitioned by entity."""

    kind: Literal["kafka"]
    contract: str = Field(description="contract and version, as in robot.state@1")
    topic: str = Field(description="the topic; a run keeps the one it began with")
    start: Literal["earliest", "latest", "committed"] = Field(
        default="earliest",
        description="where a run begins; it goes on where it stopped, with all of the partitions added since",
    )
    stop_at_end: bool = Field(default=False, description="end at the offsets that were last at the start")


Source = Annotated[FileSource | KafkaSource, Field(discriminator="kind")]


class Time(Section):
    """Event time, in seconds."""

    window_s: Positive = Field(
        default=60.0,
        description="length of a window; windows start at whole multiples of it; a run keeps the one it began with",
    )
    disorder_s: NotNegative = Field(default=5.0, description="how far behind the newest event on-time events may be")
    lateness_s: NotNegative = Field(default=60.0, description="how much longer late events may still revise a window")
    dedupe_s: Positive = Field(default=600.0, description="how long ids are remembered")
    idle_after_s: Positive = Field(default=30.0, description="silence after which a partition holds nobody back")

    @model_validator(mode="after")
    def _dedupe_reaches(self) -> Time:
        if self.dedupe_s < self.disorder_s + self.lateness_s:
            raise ValueError("dedupe_s must be at least disorder_s + lateness_s, or late duplicates would count")
        return self


class Stock(Section):
    """Demand and stock. Their streams are merged in event time, so they share windows of their own.

    A run keeps its window, bucket, time zone and horizon.
    """

    window_s: Positive = Field(
        default=900.0,
        description="length of a window; positions are told at its end; a run keeps the one it began with",
    )
    disorder_s: NotNegative = Field(
        default=300.0, description="how far behind the newest event of its partition an event may be to count in time"
    )
    dedupe_s: Positive = Field(
        default=7 * 86_400.0,
        description="how long documents are remembered, and how late a move may come and be booked",
    )
    bucket: Literal["hour", "day", "week"] = Field(default="day", description="calendar bucket of demand")
    time_zone: str = Field(default="UTC", description="time zone of the calendar, as in Europe/Berlin")
    horizon: int = Field(default=7, ge=1, le=366, description="buckets ahead for which demand is forecast together")
    live_series: int = Field(default=200_000, ge=1, description="forecast series kept unpacked; others are packed away")
    grace_s: NotNegative = Field(default=86_400.0, description="how long papers of a count may be late")
    expires_s: Positive = Field(default=7 * 86_400.0, description="how long a proposed adjustment may be decided upon")
    order_hold_s: Positive = Field(
        default=7 * 86_400.0,
        description="how long the papers of an accepted order are waited for, and a rejected one is not proposed again",
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Stock:
        if self.dedupe_s < self.disorder_s:
            raise ValueError("dedupe_s must be at least disorder_s, or late duplicates would count")
        if _BUCKET_PART_S % self.window_s:
            raise ValueError(
                f"window_s must divide {_BUCKET_PART_S} s, as calendar days of all time zones are made of it"
            )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {self.time_zone!r}") from None
        return self


class BreakerSettings(Section):
    """When the gate stops reading because a rule suddenly fails too often."""

    block_rows: int = Field(default=1000, ge=100, description="rows over which a failure ratio is measured")
    ratio: float = Field(default=0.2, gt=0, le=2, description="never open below this ratio; above 1 never at all")
    leap: float = Field(
        default=5.0, ge=1, allow_inf_nan=False, description="open when the ratio is this many times the usual"
    )
    pause_s: Positive = Field(default=30.0, description="pause before a probe batch is read")


class AuditSettings(Section):
    """The second line: real Great Expectations looks at samples of what the gate did, in a process of its own."""

    enabled: bool = Field(default=True, description="whether there is an audit")
    folder: Path = Field(default=Path("var/audit"), description="private folder of samples, findings and Data Docs")
    every_rows: int = Field(default=200_000, ge=1000, description="rows of a partition from which a sample is drawn")
    drain_s: NotNegative = Field(default=20.0, description="how long a flow that ended waits for the last samples")
