"""Two runs at one lake."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.cli.command import rows, takt

SETTINGS = """
[lake]
folder = "lake"
[recovery]
folder = "{recovery}"
[audit]
enabled = false
[sources.readings]
kind = "files"
contract = "sensor.reading@1"
path = "in.jsonl"
follow = {follow}
"""
PATIENCE_S = 120


def write(folder: Path, name: str, recovery: str, follow: str = "true") -> None:
    (folder / name).write_text(SETTINGS.format(recovery=recovery, follow=follow), "utf-8")


@pytest.mark.slow
def test_a_second_run_on_a_lake_is_refused_and_changes_nothing(tmp_path):
    """Beside a running flow, and after it, a run with another recovery folder is refused with the way out."""
    reading = {"event_id": "e1", "entity": "m", "metric": "t", "value": 1.0, "unit": "Cel"}
    (tmp_path / "in.jsonl").write_text(json.dumps({**reading, "event_time": "2026-03-02T08:00:00Z"}) + "\n", "utf-8")
    write(tmp_path, "takt.toml", "recovery")
    write(tmp_path, "second.toml", "other")
    command = [str(Path(sys.executable).with_name("takt")), "run"]
    first = subprocess.Popen(command, cwd=tmp_path)
    try:
        lock = tmp_path / "lake" / "locks" / "throughput.lake-0.lock"
        deadline = time.monotonic() + PATIENCE_S
        while not (lock.exists() and lock.read_text()):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        told = takt(tmp_path, "run", "-s", "second.toml", code=1).stderr
        assert f"is being written by throughput.lake-0 (process {first.pid})" in told
        assert "give this flow a `lake.folder` and a `recovery.folder` of its own" in told
        assert f"written by process {first.pid}" in takt(tmp_path, "doctor").stdout
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait(PATIENCE_S)
    write(tmp_path, "takt.toml", "recovery", "false")
    takt(tmp_path, "run")
    assert rows(tmp_path, "SELECT sum(good) AS good, sum(rows_in) AS rows_in FROM accounting") == [
        {"good": 1, "rows_in": 1}
    ]
    assert "would be counted twice" in takt(tmp_path, "run", "-s", "second.toml", code=1).stderr
