"""What the audit found: a file of JSON lines that only grows, and the state of the audit beside it.

A finding has an id that follows from what it says, and is written once per run, rule, source and hour of event
time: a rule that goes on failing is not a storm of alarms. The flow reads the file as one of its sources and
emits each finding as a signal; the audit process itself writes to neither lake nor Kafka.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog

from schemas.contract import Severity
from schemas.ids import event_id

FILE: Final = "findings.jsonl"
_STATUS: Final = "status.json"
_HOUR_US: Final = 3_600_000_000
_log = structlog.get_logger()

Kind = Literal["audit_mismatch", "audit_failed"]


class Finding(msgspec.Struct, frozen=True):
    """One alarm: the gate and Great Expectations disagree, or an expectation of a sample failed."""

    id: str
    run: str
    kind: Kind
    subject: str
    """source/contract@version/rule."""
    event_time_us: int
    severity: Severity
    reason: str
    evidence: dict[str, Any]


class Status(msgspec.Struct, frozen=True):
    """How the audit stands: counted since its process started."""

    pid: int
    updated_us: int
    samples: int = 0
    rows: int = 0
    findings: int = 0
    lost: int = 0
    """Samples that the flow threw away because the audit did not keep up."""
    waiting: int = 0


def make_finding(
    *, run: str, kind: Kind, subject: str, event_time_us: int, severity: Severity, reason: str, evidence: dict[str, Any]
) -> Finding:
    """A finding with its id."""
    hour = event_time_us // _HOUR_US
    return Finding(
        event_id("takt.finding", [run, kind, subject, hour]),
        run,
        kind,
        subject,
        event_time_us,
        severity,
        reason,
        evidence,
    )


class Findings:
    """The file of findings. One process writes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._cut_torn_line()
        self._known = {finding.id for finding in self}

    def add(self, found: list[Finding]) -> int:
        """Append those that are new, durably; how many there were."""
        new = {finding.id: finding for finding in found if finding.id not in self._known}
        if new:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(finding) + b"\n" for finding in new.values()))
                file.flush()
                os.fsync(file.fileno())
            self._known |= new.keys()
        return len(new)

    def __iter__(self) -> Iterator[Finding]:
        yield from read_findings(self._path, 0)[0]

    def _cut_torn_line(self) -> None:
        """Remove what a crash left of a line; nobody has read it, as only whole lines are read."""
        if self._path.exists():
            data = self._path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(self._path, whole)


def read_findings(path: Path, start: int) -> tuple[list[Finding], int]:
    """Findings in whole lines from a byte position on, and the position to go on from.

    A position that is not behind a line means that somebody began the file anew: it is read from the start. What is
    not a finding is passed over, as this file must never stop a flow.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, start - 1))
            if start and file.read(1) != b"\n":
                start = 0
                file.seek(0)
            data = file.read()
    except FileNotFoundError:
        return [], start
    except OSError as error:
        _log.warning("findings cannot be read", file=str(path), error=str(error))
        return [], start
    end = data.rfind(b"\n") + 1
    findings = []
    for line in data[:end].splitlines():
        try:
            findings.append(msgspec.json.decode(line, type=Finding))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("a line is not a finding", file=str(path), error=str(error))
    return findings, start + end


def signals(findings: list[Finding]) -> list[dict[str, object]]:
    """Rows of the output `signal`, their event time in microseconds."""
    return [
        {
            "kind": finding.kind,
            "subject": finding.subject,
            "event_time": finding.event_time_us,
            "severity": finding.severity,
            "reason": finding.reason,
            "evidence": msgspec.json.encode(finding.evidence).decode(),
        }
        for finding in findings
    ]


def write_status(folder: Path, status: Status) -> None:
    """Replace the status file."""
    part = folder / f"{_STATUS}.part"
    part.write_bytes(msgspec.json.encode(status))
    part.replace(folder / _STATUS)


def read_status(folder: Path) -> Status | None:
    """The state of the audit, or None when it never ran."""
    path = folder / _STATUS
    return msgspec.json.decode(path.read_bytes(), type=Status) if path.exists() else None
