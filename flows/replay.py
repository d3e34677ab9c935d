"""Replay from quarantine: the original bytes go back to their source, which reads them like any message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dashboards.sql import query
from flows.build import lake_location
from flows.ingest import to_file, to_topic
from flows.settings import FileSource, KafkaSource, Settings
from quality.gate import Gate
from quality.registration import register
from schemas.batch import RawBatch
from schemas.errors import SettingsError
from schemas.messages import Messages
from schemas.registry import find_contract


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages: of one source, and of one failed rule or all."""

    source: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Selected:
    """Original bytes, each once, in the order in which they were rejected, and how many would pass now."""

    messages: list[bytes]
    passing: int


def select(settings: Settings, selection: Selection) -> Selected:
    """Messages in quarantine. Raises SettingsError for a source that the settings do not have."""
    if selection.source not in settings.sources:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise SettingsError(f"there is no source {selection.source!r}", fix=f"the settings have: {known}")
    where = f"source = {_literal(selection.source)} AND kind = 'quarantined'"
    if selection.reason is not None:
        where += f" AND list_contains(reasons, {_literal(selection.reason)})"
    sql = f"""
        SELECT raw FROM quarantine WHERE {where}
        GROUP BY raw ORDER BY min(recorded_at), min("partition"), min("offset")
    """
    messages = [bytes(row[0]) for row in query(lake_location(settings), sql).rows]
    return Selected(messages, _passing(settings, selection.source, messages))


def deliver(settings: Settings, source: str, messages: list[bytes], to: Path | None) -> str:
    """Give messages to their source, or write them to a file; where they went."""
    chosen = settings.sources[source]
    if to is None:
        if isinstance(chosen, KafkaSource):
            contract = find_contract(chosen.contract, settings.contracts)
            to_topic([messages], settings, chosen.topic, contract, _quietly)
            return f"topic {chosen.topic}"
        to = _inbox(source, chosen)
    to_file([messages], to, _quietly)
    return str(to)


def _inbox(name: str, source: FileSource) -> Path:
    """A new file for the source to read."""
    if not source.path.is_dir():
        raise SettingsError(
            f"source {name!r} is one file, which is not Takt's to write to",
            fix="give --to FILE and make that file a source, or let the source be a folder",
        )
    return source.path / f"replay-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"


def _passing(settings: Settings, source: str, messages: list[bytes]) -> int:
    contract = find_contract(settings.sources[source].contract, settings.contracts)
    n = len(messages)
    now = np.full(n, int(datetime.now(UTC).timestamp() * 1e6), dtype=np.int64)
    gate = Gate(register(contract), contract.idempotency_key)
    return gate(RawBatch(source, "replay", Messages.of(messages), np.arange(n, dtype=np.int64), now)).good.height


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quietly(_: int) -> None:
    """Replays are small: nothing to tell on the way."""
