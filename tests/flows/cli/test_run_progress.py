"""Progress of `takt run`: a bar on a terminal, a line every few seconds anywhere else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.run_progress import run_progress

SETTINGS = """
[lake]
folder = "lake"
[recovery]
folder = "recovery"
snapshot_every_s = 0.01
[audit]
enabled = false
[sources.readings]
kind = "files"
contract = "sensor.reading@1"
path = "in.jsonl"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few readings and settings for them."""
    reading = {"entity": "m", "metric": "t", "value": 1.0, "unit": "Cel", "event_time": "2026-03-02T08:00:00Z"}
    lines = [json.dumps({**reading, "event_id": f"e{n}"}) for n in range(1000)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "takt.toml").write_text(SETTINGS, "utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(folder):
    """On a terminal the source, its bytes and a bar are drawn on standard error, and wiped when the run ends."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("takt")), "run"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        while chunk := _read(ours):
            drawn += chunk
        assert process.stdout is not None
        assert b"rows in" in process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    assert b"readings" in drawn
    assert b"kB" in drawn
    assert drawn.rstrip().endswith(b"\x1b[2K")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return b""


def test_elsewhere_there_is_a_line_every_few_seconds(monkeypatch, capsys):
    """Off a terminal a short run says nothing, and a long one a plain line every five seconds where there is news."""
    now = 0.0
    monkeypatch.setattr("flows.cli.run_progress.time.monotonic", lambda: now)
    with run_progress() as told:
        for tick in range(220):
            now = tick * 0.1
            told("robots", min(tick * 1000, 100_000), 200_000, "bytes")
    assert capsys.readouterr().err == "robots: 50.0 kB of 200.0 kB, 25%\nrobots: 100.0 kB of 200.0 kB, 50%\n"


def test_who_was_on_the_way_is_told_to_have_come_to_the_end(monkeypatch, capsys):
    """A source of which there was a line has one at its end, once; one that was quick has none."""
    now = 0.0
    monkeypatch.setattr("flows.cli.run_progress.time.monotonic", lambda: now)
    with run_progress() as told:
        told("tasks", 7, 7, "messages")
        told("robots", 0, 9, "messages")
        now = 5.0
        for read in (3, 9, 9):
            told("robots", read, 9, "messages")
    assert capsys.readouterr().err == "robots: 3 of 9 messages, 33%\nrobots: 9 of 9 messages, 100%\n"
