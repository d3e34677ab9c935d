"""Findings: written once, whole lines only, read on from a position."""

from __future__ import annotations

import json
from pathlib import Path

from quality.audit_findings import FILE, Finding, Findings, make_finding, read_findings, signals
from schemas.outputs import SIGNAL

HOUR_US = 3_600_000_000


def finding(at_us: int = 0, code: str = "battery.range") -> Finding:
    return make_finding(
        run="run",
        kind="audit_mismatch",
        subject=f"telemetry/robot.state@1/{code}",
        event_time_us=at_us,
        severity="critical",
        reason="why",
        evidence={"offsets": ["0:7"]},
    )


def test_a_rule_that_goes_on_failing_is_found_once_an_hour(tmp_path: Path) -> None:
    """Findings of the same rule within an hour of event time are one, also over restarts."""
    findings = Findings(tmp_path)
    assert findings.add([finding(5), finding(HOUR_US - 1), finding(5, "mode.values")]) == 2
    assert findings.add([finding(7)]) == 0
    again = Findings(tmp_path)
    assert again.add([finding(7), finding(HOUR_US)]) == 1
    assert len(list(again)) == 3


def test_a_torn_line_is_cut_off_and_was_never_read(tmp_path: Path) -> None:
    """A crash within a line loses that finding, and the next line is whole."""
    Findings(tmp_path).add([finding()])
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert read_findings(path, 0) == ([finding()], len(whole))
    Findings(tmp_path).add([finding(HOUR_US)])
    assert [f.event_time_us for f in read_findings(path, 0)[0]] == [0, HOUR_US]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """From the returned position on there are only new findings; a file begun anew is read from its start."""
    path = tmp_path / FILE
    assert read_findings(path, 0) == ([], 0)
    findings = Findings(tmp_path)
    findings.add([finding()])
    _, position = read_findings(path, 0)
    assert read_findings(path, position) == ([], position)
    findings.add([finding(HOUR_US)])
    assert read_findings(path, position)[0] == [finding(HOUR_US)]
    path.write_bytes(b"no finding\n")
    assert read_findings(path, position) == ([], 11)
    path.write_bytes(b'{"id":"not \xff UTF-8"}\n')
    assert read_findings(path, 0) == ([], path.stat().st_size)


def test_findings_become_rows_of_the_signal_output() -> None:
    """A finding is a signal with its evidence as JSON."""
    (row,) = signals([finding(1_000_000)])
    assert row.keys() == SIGNAL.schema.keys()
    assert row["event_time"] == 1_000_000
    assert json.loads(str(row["evidence"])) == {"offsets": ["0:7"]}
    assert (row["kind"], row["severity"]) == ("audit_mismatch", "critical")
