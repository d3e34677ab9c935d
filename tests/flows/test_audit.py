"""The audit beside a running flow: it finds, it is started again, it harms nobody, it is never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bytewax.operators as op
import polars as pl
import pytest
import structlog
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

from flows import recovery
from flows.audit import Audit, AuditOptions
from flows.audit_keeper import AuditKeeper
from flows.estimators import Rows
from flows.run import execute
from flows.settings import Settings
from flows.sources.findings import FindingsSource
from quality.audit_findings import FILE, Finding, Findings, make_finding, read_findings, read_status
from quality.audit_sample import Sampling
from quality.audit_spool import Spool
from quality.gate import Gate
from schemas.outputs import SIGNAL
from tests.flows.warehouse import small_day
from tests.quality.audit_samples import ROBOT_STATE, batch_of, messages, sabotaged, sample_of

PATIENCE_S = 180  # loading Great Expectations takes a busy machine half a minute


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until a condition holds, within bounds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def finding(hour: int, run: str = "run") -> Finding:
    return make_finding(
        run=run,
        kind="audit_mismatch",
        subject="telemetry/robot.state@1/mode.values",
        event_time_us=hour * 3_600_000_000,
        severity="critical",
        reason="why",
        evidence={},
    )


@pytest.mark.slow
def test_a_sabotaged_gate_in_a_flow_is_found_beside_it(tmp_path: Path) -> None:
    """From the gate through spool and process to a row of the signal output, while an honest gate gives none."""
    wrong = sabotaged(ROBOT_STATE, "battery.range", pl.col("battery") > 101)
    options = AuditOptions(tmp_path, Sampling(every_rows=200), drain_s=PATIENCE_S)
    with Audit(options, "run", None) as audit:
        for registered, source in ((wrong, "wrong"), (ROBOT_STATE, "honest")):
            gate = audit.gate(Gate(registered, ["event_id", "event_time"]), registered, lambda raw: raw.partition)
            batch = replace(batch_of(messages(500)), source=source)
            assert gate(batch).good.height + gate.gate(batch).rejects.height == 500
    status = read_status(tmp_path)
    assert status is not None
    assert (status.samples, status.waiting, status.lost) == (6, 0, 0)
    found, _ = read_findings(tmp_path / FILE, 0)
    mismatches = [f for f in found if f.kind == "audit_mismatch"]
    assert {f.subject for f in mismatches} == {"wrong/robot.state@1/battery.range"}
    assert "battery.range" in next((tmp_path / "docs").rglob("*wrong.html")).read_text()
    assert (tmp_path / "docs" / "index.html").exists()
    ((name, rows),) = drained(audit.findings(follow=False))
    assert name == SIGNAL.name
    assert rows.filter(kind="audit_mismatch").height == len(mismatches)


def drained(source: FindingsSource) -> list[Rows]:
    """All items of a source that ends."""
    items: list[Rows] = []
    flow = Dataflow("findings")
    op.output("out", op.input("in", flow, source), TestingSink(items))
    run_main(flow)
    return items


@pytest.mark.slow
def test_a_killed_audit_is_started_again_and_goes_on(tmp_path: Path) -> None:
    """After kill -9 a new process takes the samples that wait."""
    with AuditKeeper(tmp_path, None, drain_s=PATIENCE_S, first_pause_s=0.01) as keeper:
        until(lambda: keeper.pid is not None, "the process starts")
        first = keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: keeper.pid not in (None, first), "the process starts again")
        Spool(tmp_path / "spool", now_ns=time.time_ns).put(sample_of(ROBOT_STATE, messages(100)))
        assert keeper.starts == 2
    status = read_status(tmp_path)
    assert status is not None
    assert (status.pid == first, status.samples, status.waiting) == (False, 1, 0)


_DYING_FLOW = """
import os, signal, sys, time
from pathlib import Path
from flows.audit_keeper import AuditKeeper
with AuditKeeper(Path(sys.argv[1]), None, drain_s=0) as keeper:
    while keeper.pid is None:
        time.sleep(0.01)
    print(keeper.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_audit_ends_when_its_flow_is_killed(tmp_path: Path) -> None:
    """No process is left behind by kill -9 of the flow."""
    done = subprocess.run(
        [sys.executable, "-c", _DYING_FLOW, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    until(lambda: not alive(pid), "the audit ends")


def test_a_flow_that_is_not_given_time_stops_the_audit_at_once(tmp_path: Path) -> None:
    """Without time to drain, the end of the flow is the end of the audit; that samples wait is told."""
    Spool(tmp_path / "spool", now_ns=time.time_ns).put(sample_of(ROBOT_STATE, messages(5)))
    with structlog.testing.capture_logs() as told, AuditKeeper(tmp_path, None, drain_s=0) as keeper:
        until(lambda: keeper.pid is not None, "the process starts")
        pid = keeper.pid
    assert [(one["event"], one["samples"]) for one in told] == [("audit.samples_wait", 1)]
    assert pid is not None
    assert not alive(pid)


def test_findings_become_signals_once(tmp_path: Path) -> None:
    """Over restarts each finding of this run is emitted once, also those that came while the flow was down."""
    folder = tmp_path / "audit"
    folder.mkdir()
    emitted: list[Rows] = []
    for hours in ((0, 1), (), (2,)):
        Findings(folder).add([finding(hour, run) for hour in hours for run in ("run", "another run")])
        with recovery.opened(tmp_path / "recovery", flow="findings", now_us=0) as (_, store, _):
            flow = Dataflow("findings")
            source = FindingsSource(folder, "run", follow=False)
            op.output("out", op.input("audit:read", flow, source), TestingSink(emitted))
            execute(flow, Settings(), store)
    times = [time for name, frame in emitted for time in frame["event_time"].dt.epoch("s").to_list()]
    assert {name for name, _ in emitted} == {SIGNAL.name}
    assert times == [0, 3600, 7200]


_SMALL_FLOW = """
import sys
from pathlib import Path
from dataclasses import replace
import flows.build, flows.cli, flows.run
from flows.audit import Audit, AuditOptions
from quality.audit_sample import Sampling
from tests.flows.warehouse import settings_of, small_day, table
from tests.quality.audit_samples import ROBOT_STATE

folder = Path(sys.argv[1])
path = folder / "robots.jsonl"
path.write_bytes(small_day().ndjson)
settings = settings_of(folder, path)
audit = Audit(AuditOptions(folder / "audit", Sampling(every_rows=500)), "run", None)
wire = flows.build.wire
def audited(name, inputs, *more, **named):
    inputs = [replace(one, gate=audit.gate(one.gate, ROBOT_STATE, one.key)) for one in inputs]
    return wire(name, inputs, *more, **named)
flows.build.wire = audited
flows.run.run(settings)
for gate in audit._gates:
    gate.flush()
waiting = len(list((folder / "audit" / "spool").iterdir()))
print(table(settings, "accounting")["rows_in"].sum(), waiting, "great_expectations" in sys.modules)
"""


@pytest.mark.slow
def test_the_flow_never_loads_great_expectations(tmp_path: Path) -> None:
    """A process that imports all of the flow and runs it with an audited gate does not have it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _SMALL_FLOW, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = len(small_day().messages)
    assert done.stdout.split() == [str(rows), str(rows // 500 + 1), "False"]
