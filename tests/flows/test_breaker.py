"""The breaker over files, end to end: it stops a bounded input, pauses a followed one, and lets both go on."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from flows.run import run
from flows.settings import BreakerSettings, Settings, Time
from flows.sources import files
from schemas.errors import BreakerOpenError

from .process import PATIENCE_S, start
from .warehouse import settings_of, small_day, table, tables

BLOCK = 100
CHUNK = 20_000  # some 60 messages
BAD = range(1_500, 1_900)
WATCHFUL = BreakerSettings(block_rows=BLOCK, ratio=0.5, pause_s=0.2)
TIME = Time(window_s=600)  # each window costs as much as hundreds of messages
UNMOVED = BreakerSettings(block_rows=BLOCK, ratio=1.1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A day in whose midst all messages get a field that the contract does not know."""
    lines = [
        m.replace(b'{"event_id"', b'{"colour":"red","event_id"') if number in BAD else m
        for number, m in enumerate(small_day().messages)
    ]
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def signals(settings: Settings) -> list[str]:
    return table(settings, "signal").sort("event_time", "subject")["kind"].to_list()


def unknown_fields(settings: Settings) -> int:
    return table(settings, "quarantine").filter(pl.col("reasons").list.contains("decode.unknown_field")).height


@pytest.mark.slow
def test_file_that_turns_bad_stops_the_flow_and_can_be_read_on(tmp_path, path, monkeypatch):
    """It stops soon, naming file, line and rule; the reason is in the lake; a higher ratio reads on exactly."""
    monkeypatch.setattr(files, "_CHUNK", CHUNK)
    settings = settings_of(tmp_path, path, breaker=WATCHFUL, time=TIME)
    with pytest.raises(BreakerOpenError) as stopped:
        run(settings)
    read = table(settings, "accounting")["rows_in"].sum()
    assert stopped.value.what == (
        f"source 'telemetry', day.jsonl line {read + 1}: rule decode.unknown_field fails too often"
    )
    assert "breaker.ratio" in stopped.value.fix
    assert BLOCK // 2 <= unknown_fields(settings) <= 2 * BLOCK + CHUNK // 150
    assert signals(settings) == ["breaker_open"]
    told = table(settings, "signal").row(0, named=True)
    assert told["severity"] == "critical"
    assert "decode.unknown_field" in told["reason"]
    rejected = set(table(settings, "quarantine").filter(kind="quarantined")["offset"])
    last = json.loads(told["evidence"])["offset"]
    good = [json.loads(m) for line, m in enumerate(small_day().messages[: last + 1]) if line not in rejected]
    assert told["event_time"] == max(datetime.fromisoformat(m["event_time"]) for m in good)

    with pytest.raises(BreakerOpenError):
        run(settings)
    assert table(settings, "accounting")["rows_in"].sum() > read

    patient = settings_of(tmp_path, path, breaker=UNMOVED, time=TIME)
    run(patient)
    undisturbed = settings_of(tmp_path / "undisturbed", path, breaker=UNMOVED, time=TIME)
    run(undisturbed)
    assert signals(patient) == ["breaker_open", "breaker_closed"]
    assert signals(undisturbed) == []
    assert {**tables(patient), "signal": ""} == {**tables(undisturbed), "signal": ""}


@pytest.mark.slow
def test_file_that_is_bad_at_its_very_end_is_read_whole(tmp_path, path, monkeypatch):
    """With nothing left to read the flow ends well, though the breaker is open; the signal is in the lake."""
    monkeypatch.setattr(files, "_CHUNK", CHUNK)
    lines = path.read_bytes().splitlines(keepends=True)[: BAD.start + BLOCK]
    path.write_bytes(b"".join(lines))
    settings = settings_of(tmp_path, path, breaker=WATCHFUL, time=TIME)
    run(settings)
    assert table(settings, "accounting")["rows_in"].sum() == len(lines)
    assert signals(settings) == ["breaker_open"]


@pytest.mark.slow
def test_followed_file_that_turns_bad_is_probed_until_it_is_good(tmp_path, path):
    """Reading pauses and probes through the bad stretch, goes on freely behind it, and says both."""
    settings = settings_of(tmp_path, path, breaker=WATCHFUL, follow=True, time=TIME)
    began = time.monotonic()
    flow = start(settings, chunk=CHUNK)
    while flow.commits == 0 or table(settings, "accounting")["rows_in"].sum() < len(small_day().messages):
        assert flow.process.is_alive()
        assert time.monotonic() < began + PATIENCE_S, "the flow makes no progress"
        flow.process.join(0.1)
    probes = (len(BAD) - 2 * BLOCK) // (CHUNK // 250)
    assert time.monotonic() - began > probes * WATCHFUL.pause_s
    assert flow.process.pid is not None
    os.kill(flow.process.pid, signal.SIGTERM)
    assert flow.end() == -signal.SIGTERM
    assert signals(settings) == ["breaker_open", "breaker_closed"]
    assert unknown_fields(settings) >= len(BAD)
