"""The audit process: works the spool off, whatever lies in it, and holds its folder alone."""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from flows.cli import audit
from quality.audit_findings import FILE, Finding, read_findings, read_status
from quality.audit_process import AuditProcess, locked, main
from quality.audit_sample import Sample
from quality.audit_spool import Spool
from schemas.errors import SettingsError
from tests.quality.audit_samples import ROBOT_STATE, messages, sabotaged, sample_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audit")]

HONEST = sample_of(ROBOT_STATE, messages(100))
WRONG = sample_of(sabotaged(ROBOT_STATE, "battery.range", pl.col("battery") > 101), messages(100))


def spool_of(folder: Path, *samples: Sample) -> Spool:
    spool = Spool(folder / "spool", now_ns=lambda: 1)
    for sample in samples:
        spool.put(sample)
    return spool


def subjects(folder: Path) -> list[str]:
    return [finding.subject for finding in read_findings(folder / FILE, 0)[0]]


def test_broken_samples_do_not_stop_the_audit_of_others(tmp_path: Path) -> None:
    """A file that is no sample goes, and the samples around it are audited."""
    spool = spool_of(tmp_path, HONEST)
    (tmp_path / "spool" / "0-x.sample").write_bytes(b"garbage")
    AuditProcess(tmp_path, None).run(None)
    status = read_status(tmp_path)
    assert status is not None
    assert (status.samples, status.rows, status.waiting, status.findings) == (1, 100, 0, 0)
    assert spool.waiting() == []


def test_a_sample_that_kills_the_audit_is_given_up(tmp_path: Path) -> None:
    """After two audits of a sample died the third reports it instead of dying as well."""
    spool = spool_of(tmp_path, HONEST)
    deaths = []
    for _ in range(2):
        claimed = spool.claim(spool.waiting()[0])
        assert claimed is not None
        deaths.append(claimed[1])
    assert deaths == [0, 1]
    AuditProcess(tmp_path, None).run(None)
    (finding,) = read_findings(tmp_path / FILE, 0)[0]
    assert (finding.kind, finding.severity) == ("audit_failed", "critical")
    assert "2 audits of it died" in finding.reason
    assert spool.waiting() == []


@pytest.mark.parametrize("cause", ["told to end", "disk full"])
def test_an_audit_that_is_ended_from_outside_says_nothing_of_its_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """A flow that ends, or a full disk, is not the death of a sample, however often: it waits for the next start."""
    spool = spool_of(tmp_path, HONEST)
    waits = spool.waiting()

    def end(*_: object) -> list[Finding]:
        if cause == "disk full":
            raise OSError(errno.ENOSPC, "No space left on device")
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("a signal is taken at once")

    monkeypatch.setattr("quality.audit_process.AuditProcess._audit", end)
    monkeypatch.setattr(os, "nice", lambda _: None)
    before = signal.getsignal(signal.SIGTERM)
    try:
        for _ in range(3):
            with pytest.raises(SystemExit):
                sys.exit(main([str(tmp_path)]))
            assert spool.waiting() == waits
    finally:
        signal.signal(signal.SIGTERM, before)
    assert read_findings(tmp_path / FILE, 0)[0] == []


def test_a_sample_of_an_unknown_contract_is_reported(tmp_path: Path) -> None:
    """What cannot be audited is an alarm that says why."""
    spool_of(tmp_path, Sample("run", "telemetry", "nobody@1", "h", 1, 0, HONEST.rows[:1]))
    AuditProcess(tmp_path, None).run(None)
    (finding,) = read_findings(tmp_path / FILE, 0)[0]
    assert "no contract 'nobody@1'" in finding.reason


def test_two_audits_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is refused while the first works."""
    with (
        locked(tmp_path, wait=False),
        pytest.raises(SettingsError, match="another audit"),
        locked(tmp_path, wait=False),
    ):
        pass


def test_the_command_fails_when_it_finds_something_new(tmp_path: Path) -> None:
    """`takt audit run` exits with 1 on new findings and lists them; with 0 when there are none."""
    app = typer.Typer()
    audit.register(app)
    spool_of(tmp_path, HONEST)
    settings = tmp_path / "takt.toml"
    settings.write_text('[audit]\nfolder = "."\n', "utf-8")
    folder = ["--settings", str(settings)]
    assert CliRunner().invoke(app, ["audit", "run", *folder]).exit_code == 0
    spool_of(tmp_path, WRONG)
    result = CliRunner().invoke(app, ["audit", "run", *folder])
    assert result.exit_code == 1
    assert "battery.range" in result.output.replace("\n", "")
    assert CliRunner().invoke(app, ["audit", "run", *folder]).exit_code == 0
    assert "telemetry/robot.state@1/battery.range" in subjects(tmp_path)
    assert CliRunner().invoke(app, ["audit", "list", *folder]).exit_code == 0
