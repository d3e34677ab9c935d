"""Settings: one TOML file and `TAKT_` environment variables, validated at once, all problems in one message.

Environment variables win over the file. Nested keys are joined by two underscores:
`TAKT_KAFKA__PASSWORD` is `[kafka] password`. Unknown keys are errors in both places.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from schemas.errors import SettingsError

ENV_PREFIX = "TAKT_"
_SOURCE_KINDS = "'files', 'kafka'"
_NOT_SETTINGS = {"TAKT_SETTINGS", "TAKT_TEST_ALL", "TAKT_TEST_DATA", "TAKT_KAFKA_HOME"}

_M = TypeVar("_M", bound=BaseModel)
_BUCKET_PART_S = 900
_LONGEST_S = 366 * 86_400.0  # in microseconds far within 64 bits, also when several are added up

Positive = Annotated[float, Field(ge=0.001, le=_LONGEST_S)]
"""A span in seconds."""
NotNegative = Annotated[float, Field(ge=0, le=_LONGEST_S)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lake(_Section):
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


class Recovery(_Section):
    """Where the engine keeps its state, and how often."""

    folder: Path = Field(default=Path("var/recovery"), description="private folder of the state, mode 0700")
    snapshot_every_s: Positive | None = Field(
        default=None,
        description="length of an epoch: results are committed so often. Without it every second, or every three where "
        "all sources end, as nobody waits for their results and each epoch has its price",
    )


class Kafka(_Section):
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
    def _sasl_is_whole(self) -> Kafka:
        if self.security.startswith("sasl"):
            missing = [n for n in ("mechanism", "username", "password") if getattr(self, n) is None]
            if missing:
                raise ValueError(f"security {self.security} also needs {', '.join(missing)}")
        return self


class Topics(_Section):
    """Names of the topics that are written. Created when missing, where the broker allows it."""

    estimates: str = Field(default="takt.estimates", description="throughput, service times, sensor windows")
    signals: str = Field(default="takt.signals", description="what somebody should know or act upon")
    quarantine: str = Field(default="takt.quarantine", description="rejected messages with their original bytes")


class Output(_Section):
    """How results go to Kafka."""

    eager: bool = Field(
        default=False,
        description="send at once instead of once per epoch: lower latency, at least once, ids still unique",
    )


class FileSource(_Section):
    """JSON lines or Parquet: one file, or a folder whose files are read in order of name."""

    kind: Literal["files"]
    contract: str = Field(description="contract and version, as in robot.state@1")
    path: Path = Field(description="the file or folder")
    follow: bool = Field(default=False, description="go on waiting for more lines and files instead of ending")


class KafkaSource(_Section):
    """A topic, partitioned by entity."""

    kind: Literal["kafka"]
    contract: str = Field(description="contract and version, as in robot.state@1")
    topic: str = Field(description="the topic")
    start: Literal["earliest", "latest", "committed"] = Field(
        default="earliest", description="where a run begins; it goes on where it stopped"
    )
    stop_at_end: bool = Field(default=False, description="end at the offsets that were last at the start")


Source = Annotated[FileSource | KafkaSource, Field(discriminator="kind")]


class Time(_Section):
    """Event time, in seconds."""

    window_s: Positive = Field(default=60.0, description="length of a window; windows start at whole multiples of it")
    disorder_s: NotNegative = Field(default=5.0, description="how far behind the newest event on-time events may be")
    lateness_s: NotNegative = Field(default=60.0, description="how much longer late events may still revise a window")
    dedupe_s: Positive = Field(default=600.0, description="how long ids are remembered")
    idle_after_s: Positive = Field(default=30.0, description="silence after which a partition holds nobody back")

    @model_validator(mode="after")
    def _dedupe_reaches(self) -> Time:
        if self.dedupe_s < self.disorder_s + self.lateness_s:
            raise ValueError("dedupe_s must be at least disorder_s + lateness_s, or late duplicates would count")
        return self


class Stock(_Section):
    """Demand and stock. Their streams are merged in event time, so they share windows of their own."""

    window_s: Positive = Field(default=900.0, description="length of a window; positions are told at its end")
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


class BreakerSettings(_Section):
    """When the gate stops reading because a rule suddenly fails too often."""

    block_rows: int = Field(default=1000, ge=100, description="rows over which a failure ratio is measured")
    ratio: float = Field(default=0.2, gt=0, le=2, description="never open below this ratio; above 1 never at all")
    leap: float = Field(
        default=5.0, ge=1, allow_inf_nan=False, description="open when the ratio is this many times the usual"
    )
    pause_s: Positive = Field(default=30.0, description="pause before a probe batch is read")


class AuditSettings(_Section):
    """The second line: real Great Expectations looks at samples of what the gate did, in a process of its own."""

    enabled: bool = Field(default=True, description="whether there is an audit")
    folder: Path = Field(default=Path("var/audit"), description="private folder of samples, findings and Data Docs")
    every_rows: int = Field(default=200_000, ge=1000, description="rows of a partition from which a sample is drawn")
    drain_s: NotNegative = Field(default=20.0, description="how long a flow that ended waits for the last samples")


class Settings(_Section):
    """All settings of a deployment."""

    contracts: Path | None = Field(default=None, description="folder with further contracts")
    lake: Lake = Lake()
    recovery: Recovery = Recovery()
    kafka: Kafka | None = None
    topics: Topics = Topics()
    output: Output = Output()
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Source] = {}
    time: Time = Time()
    stock: Stock = Stock()
    breaker: BreakerSettings = BreakerSettings()
    audit: AuditSettings = AuditSettings()
    workers: int = Field(default=1, ge=1, description="worker threads of the engine")

    @property
    def endless(self) -> bool:
        """Whether any source never ends."""
        return any(s.follow if isinstance(s, FileSource) else not s.stop_at_end for s in self.sources.values())

    @property
    def epoch_s(self) -> float:
        """Length of an epoch in seconds."""
        return self.recovery.snapshot_every_s or (1.0 if self.endless else 3.0)

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        on_kafka = [name for name, s in self.sources.items() if s.kind == "kafka"]
        if on_kafka and self.kafka is None:
            raise ValueError(f"source {on_kafka[0]!r} reads Kafka, but there is no [kafka] section")
        return self


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from a TOML file and the environment.

    Relative paths, given or by default, are taken from the file's folder; without a file, from the working
    directory. Raises SettingsError with all problems.
    """
    document = _read(path) if path else {}
    problems = _merge(document, environ)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        problems += _problems(error, environ)
    if problems:
        lines = "\n".join(f"  - {line}" for line in problems)
        raise SettingsError(
            f"settings{f' in {path}' if path else ''} are not valid:\n{lines}",
            fix="correct the keys above; `takt doctor --help` shows where settings come from",
        )
    return _rebase(settings, path.parent) if path else settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist", fix="give its path, or leave it out") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}", fix="check its rights") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not TOML: {error}", fix="correct that line") from None


def _merge(document: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Put the environment's settings into the document; what is wrong with their names."""
    problems = []
    for name, value in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in _NOT_SETTINGS:
            continue
        *sections, key = _keys(name)
        place: Any = document
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[key] = value
        else:
            problems.append(f"{'.'.join(sections)}: not a section, but set by {name}")
    return problems


def _keys(name: str) -> list[str]:
    return name.removeprefix(ENV_PREFIX).lower().split("__")


def _problems(error: ValidationError, environ: Mapping[str, str]) -> list[str]:
    """A line per problem: key, what is wrong, and the variable where it came from the environment."""
    variables = {tuple(_keys(name)): name for name in environ if name.startswith(ENV_PREFIX)}
    found = []
    for problem in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        if place[:1] == ["sources"]:
            del place[2:3]  # the kind of the source, which is no part of the key
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "unknown key"
        elif problem["type"] in {"union_tag_not_found", "union_tag_invalid"}:
            message = f"kind must be one of {problem.get('ctx', {}).get('expected_tags', _SOURCE_KINDS)}"
        origin = next((v for keys, v in variables.items() if list(keys[: len(place)]) == place), None)
        found.append(f"{'.'.join(place) or 'settings'}: {message}{f' (set by {origin})' if origin else ''}")
    return found


def _rebase(model: _M, folder: Path) -> _M:
    """The settings with relative paths taken from the folder."""
    update = {name: _moved(value, folder) for name, value in model}
    return model.model_copy(update=update)


def _moved(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, BaseModel):
        return _rebase(value, folder)
    if isinstance(value, dict):
        return {key: _moved(one, folder) for key, one in value.items()}
    return value
