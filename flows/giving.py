"""Messages given to a source of the settings, which reads them like any other: a topic, or a new file in its folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flows.ingest import to_file, to_topic
from flows.kinds import contract_of
from flows.settings import FileSource, KafkaSource, Settings
from schemas.errors import SettingsError


def give(settings: Settings, source: str, messages: list[bytes], what: str) -> str:
    """Give messages to a source; where they went. `what` begins the name of the file that a folder gets.

    Raises SettingsError for a source that is a single file, SinkError where they cannot be written or delivered.
    """
    chosen = settings.sources[source]
    if isinstance(chosen, KafkaSource):
        contract = contract_of(settings, source)
        to_topic([messages], settings, chosen.topic, contract, quietly)
        return f"topic {chosen.topic}"
    path = _inbox(source, chosen, what)
    to_file([messages], path, quietly)
    return str(path)


def _inbox(name: str, source: FileSource, what: str) -> Path:
    """A new file for the source to read."""
    if not source.path.is_dir():
        raise SettingsError(
            f"source {name!r} is one file, which is not Takt's to write to",
            fix=f"let `sources.{name}.path` be a folder; what is in it is read in order of name",
        )
    return source.path / f"{what}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"


def quietly(_: int) -> None:
    """Few messages: nothing to tell on the way."""
