"""The audit as a process of its own: takes samples from the spool, oldest first, until told to end.

    python -m quality.audit_process FOLDER [CONTRACTS]

Standard input is its lifeline: when it closes, because the flow ended or died, what still waits is audited and
the process ends. It runs at low priority; the flow's rows never wait for it.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import structlog

from quality.audit import Auditor
from quality.audit_findings import Finding, Findings, Status, make_finding, write_status
from quality.audit_sample import Sample
from quality.audit_spool import Spool, UnreadableSampleError
from quality.audit_validator import Validator
from quality.registration import register
from schemas.errors import ContractError, SettingsError, TaktError
from schemas.registry import find_contract

NICENESS: Final = 10
_PUBLISH_EVERY_S: Final = 60.0
_POLL_S: Final = 1.0
_MOST_DEATHS: Final = 2  # audits of a sample that may die before it is given up
_log = structlog.get_logger()


class AuditProcess:
    """Works the spool of one audit folder off."""

    def __init__(self, folder: Path, contracts: Path | None) -> None:
        self._folder = folder
        self._contracts = contracts
        self._spool = Spool(folder / "spool", now_ns=time.time_ns)
        self._findings = Findings(folder)
        self._validator = Validator(folder)
        self._auditors: dict[str, Auditor] = {}
        self._unpublished = False
        self._published = time.monotonic() - _PUBLISH_EVERY_S
        self.samples = 0
        """Samples that were audited."""
        self.found = 0
        """New findings."""
        self._rows = self._lost = 0

    def run(self, lifeline: IO[bytes] | None) -> None:
        """Audit what waits; with a lifeline, go on until it closes."""
        self._tell()
        while True:
            while self._step():
                self._publish(_PUBLISH_EVERY_S)
            self._publish(0.0 if lifeline is None else _PUBLISH_EVERY_S)
            self._tell()
            if lifeline is None:
                return
            if select.select([lifeline], [], [], _POLL_S)[0]:
                lifeline = None

    def _step(self) -> bool:
        waiting = self._spool.waiting()
        claimed = self._spool.claim(waiting[0]) if waiting else None
        if claimed is not None:
            path, deaths = claimed
            try:
                self._work_off(path, deaths)
            except (SystemExit, OSError):
                # Told to end, or the disk is full: that is no fault of the sample.
                self._spool.give_back(path, waiting[0])
                raise
            self._spool.remove(path)
            self._tell()
        return bool(waiting)

    def _work_off(self, path: Path, deaths: int) -> None:
        sample = self._read(path)
        if sample is not None:
            self._lost = sample.lost
            self.found += self._findings.add(self._audit(sample, path.name.partition(".")[0], deaths))
            self.samples += 1
            self._rows += len(sample.rows)
            self._unpublished = True

    def _read(self, path: Path) -> Sample | None:
        try:
            return self._spool.read(path)
        except UnreadableSampleError as error:
            _log.error("an audit sample cannot be read and is deleted", error=error.what)
            return None

    def _audit(self, sample: Sample, name: str, deaths: int) -> list[Finding]:
        if deaths >= _MOST_DEATHS:
            return [_given_up(sample, f"{deaths} audits of it died")]
        try:
            if sample.contract not in self._auditors:
                registered = register(find_contract(sample.contract, self._contracts))
                self._auditors[sample.contract] = Auditor(registered, self._validator)
            return self._auditors[sample.contract].audit(sample, name, datetime.now(UTC))
        except ContractError as error:
            return [_given_up(sample, error.what)]

    def _publish(self, every_s: float) -> None:
        if self._unpublished and time.monotonic() - self._published >= every_s:
            self._validator.publish()
            self._published = time.monotonic()
            self._unpublished = False

    def _tell(self) -> None:
        write_status(
            self._folder,
            Status(
                pid=os.getpid(),
                updated_us=time.time_ns() // 1000,
                samples=self.samples,
                rows=self._rows,
                findings=self.found,
                lost=self._lost,
                waiting=len(self._spool.waiting()),
            ),
        )


def _given_up(sample: Sample, why: str) -> Finding:
    first = sample.rows[0]
    return make_finding(
        run=sample.run,
        kind="audit_failed",
        subject=f"{sample.source}/{sample.contract}/audit",
        event_time_us=first.arrival_us,
        severity="critical",
        reason=f"the sample from {first.partition}:{first.offset} on cannot be audited: {why}",
        evidence={"rule": "audit", "suite_hash": sample.suite_hash, "first": f"{first.partition}:{first.offset}"},
    )


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the folder for one audit process. Raises SettingsError when another has it and `wait` is off."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise SettingsError(
                f"another audit works in {folder}", fix="a running flow audits by itself; see `takt audit --help`"
            ) from None
        yield


def main(arguments: list[str]) -> int:
    """Audit as the flow's child until it is told to end; exit code 1 for an error that says its fix."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(arguments[0])
    contracts = Path(arguments[1]) if len(arguments) > 1 else None
    os.nice(NICENESS)
    try:
        with locked(folder, wait=True):
            AuditProcess(folder, contracts).run(sys.stdin.buffer)
    except (TaktError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
