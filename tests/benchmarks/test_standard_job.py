"""The standard job: its oracle against a row-by-row reader, and the check that compares contenders."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import duckdb_batch, events
from benchmarks.results import Result, differences, read_files
from benchmarks.standard_job import measure


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of an hour and more of 20 robots: long enough for ids to be forgotten."""
    path = tmp_path_factory.mktemp("standard") / "events.ndjson"
    events.write(24_000, path, robots=20)
    return path


@pytest.fixture(scope="module")
def oracle(source: Path) -> Result:
    """Results of the DuckDB query."""
    out = source.parent / "duckdb"
    out.mkdir()
    duckdb_batch.run(source, out)
    return read_files(out)


def _valid(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        event["event_time"] = datetime.fromisoformat(event["event_time"])
    except ValueError:
        return None
    ok = event["mode"] in {"idle", "busy", "charging", "fault", "offline"}
    ok = ok and isinstance(event["battery"], float) and 0 <= event["battery"] <= 100
    return event if ok and event["queue_depth"] >= 0 and event["units"] >= 0 else None


def _row_by_row(source: Path) -> Result:
    counts: Counter[str] = Counter()
    seen: dict[str, datetime] = {}
    windows: dict[tuple[str, datetime], list[dict[str, Any]]] = defaultdict(list)
    rejected = []
    newest: datetime | None = None
    for line in source.read_text().splitlines():
        event = _valid(line)
        if event is None:
            rejected.append(line)
            continue
        time = event["event_time"]
        newest = max(newest or time, time)
        if event["event_id"] in seen and time >= newest - timedelta(minutes=10):
            counts["duplicate"] += 1
        elif time < newest - timedelta(seconds=5):
            counts["late"] += 1
        else:
            windows[event["robot"], time.replace(second=0, microsecond=0)].append(event)
        seen[event["event_id"]] = time
    rows = [
        {
            "robot": robot,
            "window_start": start,
            "events": len(group),
            "units": sum(e["units"] for e in group),
            "battery_mean": sum(e["battery"] for e in group) / len(group),
            "queue_max": max(e["queue_depth"] for e in group),
        }
        for (robot, start), group in windows.items()
    ]
    return Result(pl.DataFrame(rows), pl.DataFrame({"raw": rejected}), counts["late"], counts["duplicate"])


@pytest.mark.slow
def test_oracle_equals_a_reader_that_goes_row_by_row(source: Path, oracle: Result) -> None:
    """The DuckDB query gives each row the verdict that the rules, applied one row after another, give it."""
    assert differences(_row_by_row(source), oracle) == []


def test_input_holds_every_hard_case(source: Path, oracle: Result) -> None:
    """Lines, duplicates, late rows, forgotten ids and all reasons for rejection are there, at their rates."""
    lines = source.read_text().splitlines()
    assert len(lines) == 24_000
    assert 180 < oracle.quarantine.height < 300
    reasons = set(oracle.quarantine["reasons"].explode().to_list())
    assert reasons == {"undecodable", "battery", "mode", "queue_depth", "units", "event_time"}
    assert oracle.duplicates > 80
    doubled = len(lines) - len(set(lines))
    assert doubled > oracle.duplicates
    assert oracle.late > 10


def test_input_is_the_same_every_time(source: Path, tmp_path: Path) -> None:
    """The same numbers give the same bytes."""
    again = tmp_path / "again.ndjson"
    events.write(24_000, again, robots=20)
    assert again.read_bytes() == source.read_bytes()


@pytest.mark.slow
def test_plain_bytewax_equals_the_oracle(source: Path, oracle: Result, tmp_path: Path) -> None:
    """Plain Bytewax does the same job, row for row, so that its cost may be compared."""
    cost = measure([sys.executable, "-m", "benchmarks.plain_bytewax", str(source), str(tmp_path)])
    assert differences(read_files(tmp_path), oracle) == []
    assert cost.cpu_s > 0.1
    assert cost.peak_mb > 20


@pytest.mark.parametrize(
    "tamper",
    [
        lambda r: replace(r, late=r.late + 1),
        lambda r: replace(r, duplicates=r.duplicates - 1),
        lambda r: replace(r, windows=r.windows[1:]),
        lambda r: replace(r, windows=pl.concat([r.windows, r.windows[:1]])),
        lambda r: replace(r, windows=r.windows.with_columns(pl.col("units").shift(1, fill_value=0))),
        lambda r: replace(r, windows=r.windows.with_columns(pl.col("battery_mean") + 1e-6)),
        lambda r: replace(r, quarantine=r.quarantine[1:]),
        lambda r: replace(r, quarantine=r.quarantine.with_columns(pl.col("raw").reverse())),
    ],
)
def test_every_difference_is_found(oracle: Result, tamper: Any) -> None:
    """A wrong count, a missing, doubled or changed window, or another quarantine is reported."""
    assert differences(oracle, oracle) == []
    assert differences(tamper(oracle), oracle)


def test_a_failing_contender_stops_the_benchmark() -> None:
    """A contender that ends badly is an error, not a fast run."""
    with pytest.raises(SystemExit, match="ended with code 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"])
