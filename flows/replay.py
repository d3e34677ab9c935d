"""Replay from quarantine: the original bytes go back to their source, which reads them like any message.

Only what still waits there: a message that was replayed and has not failed again since has passed, or is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dashboards.sql import query
from flows.build import lake_location
from flows.giving import give, quietly
from flows.ingest import to_file
from flows.kinds import contract_of
from flows.replay_ledger import Ledger
from flows.settings import Settings
from quality.gate import Gate
from quality.registration import register
from schemas.batch import RawBatch
from schemas.errors import SettingsError
from schemas.messages import Messages
from sinks.lake.quoting import literal


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages: of one source, of one failed rule or all, also (`again`) those that no longer wait."""

    source: str
    reason: str | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """Original bytes, each once, in the order in which they were rejected, and how often each has failed so far.

    `passing` of them would pass the gate now. `done` more were replayed before and have not failed again since.
    """

    messages: list[bytes]
    attempts: list[int]
    passing: int
    done: int


def demand_source(settings: Settings, source: str) -> None:
    """Raise SettingsError for a source that the settings do not have."""
    if source not in settings.sources:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise SettingsError(f"there is no source {source!r}", fix=f"the settings have: {known}")


def select(settings: Settings, ledger: Ledger, selection: Selection) -> Selected:
    """Messages in quarantine. Raises SinkError where there is no lake, SettingsError for a reason of none."""
    failed = f"list_contains(flatten(list(reasons)), {literal(selection.reason)})" if selection.reason else "true"
    sql = f"""
        SELECT raw, count(*) FROM quarantine WHERE source = {literal(selection.source)} AND kind = 'quarantined'
        GROUP BY raw HAVING {failed} ORDER BY min(recorded_at), min("partition"), min("offset")
    """
    found = [(bytes(raw), int(attempts)) for raw, attempts in query(lake_location(settings), sql).rows]
    if selection.reason and not found:
        raise _no_such_reason(settings, selection)
    waiting = [(raw, attempts) for raw, attempts in found if selection.again or ledger.waits(raw, attempts)]
    messages = [raw for raw, _ in waiting]
    passing = _passing(settings, selection.source, messages)
    return Selected(messages, [attempts for _, attempts in waiting], passing, len(found) - len(waiting))


def _no_such_reason(settings: Settings, selection: Selection) -> SettingsError:
    sql = f"""
        SELECT DISTINCT unnest(reasons) FROM quarantine
        WHERE source = {literal(selection.source)} AND kind = 'quarantined' ORDER BY ALL
    """
    known = ", ".join(str(row[0]) for row in query(lake_location(settings), sql).rows) or "nothing"
    return SettingsError(
        f"no message of source {selection.source!r} is in quarantine for {selection.reason!r}",
        fix=f"in quarantine it has: {known}",
    )


def deliver(settings: Settings, source: str, selected: Selected, ledger: Ledger, to: Path | None) -> str:
    """Give messages to their source, or write them to a file; where they went."""
    place = _give(settings, source, selected.messages, to)
    ledger.note(zip(selected.messages, selected.attempts, strict=True))
    return place


def _give(settings: Settings, source: str, messages: list[bytes], to: Path | None) -> str:
    if to is None:
        try:
            return give(settings, source, messages, "replay")
        except SettingsError as error:
            raise SettingsError(
                error.what, fix="give --to FILE and make that file a source, or let the source be a folder"
            ) from error
    to_file([messages], to, quietly)
    return str(to)


def _passing(settings: Settings, source: str, messages: list[bytes]) -> int:
    contract = contract_of(settings, source)
    n = len(messages)
    now = np.full(n, int(datetime.now(UTC).timestamp() * 1e6), dtype=np.int64)
    gate = Gate(register(contract), contract.idempotency_key)
    return gate(RawBatch(source, "replay", Messages.of(messages), np.arange(n, dtype=np.int64), now)).good.height
