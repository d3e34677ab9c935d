"""Settings: one TOML file and `TAKT_` environment variables, validated at once, all problems in one message.

Environment variables win over the file. Nested keys are joined by two underscores:
`TAKT_KAFKA__PASSWORD` is `[kafka] password`. Unknown keys are errors in both places.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from flows.alignment.sections import Alignment
from flows.setting_sections import (
    AuditSettings,
    BreakerSettings,
    FileSource,
    Kafka,
    KafkaSource,
    Lake,
    Output,
    Recovery,
    Section,
    Source,
    Stock,
    Time,
    Topics,
)
from schemas.errors import SettingsError

__all__ = [
    "ENV_PREFIX",
    "Alignment",
    "AuditSettings",
    "BreakerSettings",
    "FileSource",
    "Kafka",
    "KafkaSource",
    "Lake",
    "Output",
    "Recovery",
    "Settings",
    "Stock",
    "Time",
    "Topics",
    "load",
]

ENV_PREFIX = "TAKT_"
_SOURCE_KINDS = "'files', 'kafka'"
_NOT_SETTINGS = {"TAKT_SETTINGS", "TAKT_TEST_ALL", "TAKT_TEST_DATA", "TAKT_KAFKA_HOME"}

_M = TypeVar("_M", bound=BaseModel)


class Settings(Section):
    """All settings of a deployment."""

    contracts: Path | None = Field(default=None, description="folder with further contracts")
    lake: Lake = Lake()
    recovery: Recovery = Recovery()
    kafka: Kafka | None = None
    topics: Topics = Topics()
    output: Output = Output()
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Source] = Field(default_factory=dict)
    time: Time = Time()
    stock: Stock = Stock()
    alignment: Alignment | None = None
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
        return self.recovery.snapshot_every_s or (1.0 if self.endless else 5.0)

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        on_kafka = [name for name, s in self.sources.items() if s.kind == "kafka"]
        if on_kafka and self.kafka is None:
            raise ValueError(f"source {on_kafka[0]!r} reads Kafka, but there is no [kafka] section")
        readers: dict[str, str] = {}
        for name, source in self.sources.items():
            place = f"topic {source.topic}" if isinstance(source, KafkaSource) else str(source.path)
            if (other := readers.setdefault(place, name)) != name:
                raise ValueError(f"sources {other!r} and {name!r} both read {place}: all of it would count twice")
        if self.alignment is not None and not _whole(self.alignment.interval_s, self.time.window_s):
            raise ValueError("alignment.interval_s must be a multiple of time.window_s")
        if self.alignment is not None and not _whole(self.stock.window_s, self.time.window_s):
            raise ValueError("stock.window_s must be a multiple of time.window_s where [alignment] is set")
        return self


def _whole(span_s: float, window_s: float) -> bool:
    """Whether a span is made of whole windows; both count in microseconds."""
    return round(span_s * 1e6) % round(window_s * 1e6) == 0


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
            fix="correct the keys above; docs/reference/settings.md has them all",
        )
    return _rebase(settings, path.parent) if path else settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin with a byte order mark
    except FileNotFoundError:
        raise SettingsError(f"settings file {path} does not exist", fix="give its path, or leave it out") from None
    except OSError as error:
        raise SettingsError(
            f"settings file {path} cannot be read: {error.strerror}", fix="give the path of a file that you may read"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {path} is not UTF-8: {error}", fix="save it as UTF-8") from error
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
            place[key] = _listed(value)
        else:
            problems.append(f"{'.'.join(sections)}: not a section, but set by {name}")
    return problems


def _listed(value: str) -> Any:
    """A list that is written as in TOML as a list; anything else as it is."""
    if not value.startswith("["):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


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
            message = f"unknown key{_near(place[-1])}"
        elif problem["type"] == "path_type":
            message = "Input should be a path, as text"
        elif problem["type"] in {"model_type", "dict_type"}:
            message = f"Input should be a section, [{'.'.join(place)}]"
        elif problem["type"] in {"union_tag_not_found", "union_tag_invalid"}:
            message = f"kind must be one of {problem.get('ctx', {}).get('expected_tags', _SOURCE_KINDS)}"
        origin = next((v for keys, v in variables.items() if list(keys[: len(place)]) == place), None)
        found.append(f"{'.'.join(place) or 'settings'}: {message}{f' (set by {origin})' if origin else ''}")
    return found


def _near(key: str) -> str:
    """A question whether the key that is most like it was meant, if any is."""
    near = difflib.get_close_matches(key, _known_keys() - {key}, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


@cache
def _known_keys() -> frozenset[str]:
    """Keys of all sections."""
    schema = Settings.model_json_schema()
    return frozenset(key for section in (schema, *schema["$defs"].values()) for key in section.get("properties", ()))


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
