"""Stored state: parts lie beside the snapshots, each once, and go when no late snapshot names them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from domain.streaming.event_log import EventLog
from domain.streaming.parts import Part
from flows import state as module
from flows.state import StepState
from schemas.errors import RecoveryError

LARGE = b"x" * (module._SMALL + 1)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_small_parts_are_in_the_snapshot_and_large_ones_beside_it(tmp_path):
    """A snapshot holds small parts itself and names large ones; both read the same after it was taken up."""
    step = StepState(tmp_path)
    data = step.encode({"small": Part(b"abc"), "large": Part(LARGE), "number": 7, "of": {1: [b"raw", None]}})
    assert len(data) < 500
    assert [path.read_bytes() for path in files(tmp_path)] == [LARGE]
    state = StepState(tmp_path).decode(data)
    assert (state["small"].read(), state["large"].read()) == (b"abc", LARGE)
    assert (state["number"], state["of"]) == (7, {1: [b"raw", None]})


def test_a_part_is_written_once_whatever_the_snapshots(tmp_path):
    """The same part in many snapshots, also of a resumed step, is one file that is never written again."""
    part = Part(LARGE)
    step = StepState(tmp_path)
    first = step.encode(part)
    (only,) = files(tmp_path)
    written = only.stat().st_mtime_ns
    assert step.encode(part) == first
    resumed = StepState(tmp_path)
    assert resumed.encode(resumed.decode(first)) == first
    assert files(tmp_path) == [only]
    assert only.stat().st_mtime_ns == written


def test_parts_go_when_the_newest_snapshots_do_not_name_them(tmp_path):
    """What any of the last snapshots names stays; what a killed epoch left goes with the rest."""
    step = StepState(tmp_path)
    parts = [Part(bytes([n]) * len(LARGE)) for n in range(module._KEPT + 5)]
    for part in parts:
        step.encode(part)
    assert len(files(tmp_path)) == module._KEPT
    (folder,) = tmp_path.iterdir()
    (folder / "orphan").write_bytes(b"left by a killed run")
    step.encode(parts[-1])
    assert "orphan" not in [path.name for path in files(tmp_path)]


def test_a_missing_part_stops_with_the_fix(tmp_path):
    """State without one of its parts is no state: the error names the file."""
    data = StepState(tmp_path).encode(Part(LARGE))
    (only,) = files(tmp_path)
    only.unlink()
    with pytest.raises(RecoveryError, match=f"{only.name} of the stored state cannot be read") as error:
        StepState(tmp_path).decode(data)
    assert "backup" in error.value.fix


def test_a_full_disk_stops_with_the_fix(tmp_path, monkeypatch):
    """A part that cannot be written stops the flow before a snapshot names it."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(RecoveryError, match="No space left"):
        StepState(tmp_path).encode(Part(LARGE))


def test_a_part_that_cannot_be_removed_stops_with_the_fix(tmp_path, monkeypatch):
    """State that can only grow would fill the disk one day: better told now, with the place."""
    step = StepState(tmp_path)
    for n in range(module._KEPT):
        step.encode(Part(bytes([n]) * len(LARGE)))

    def refused(self: Path, *, missing_ok: bool) -> None:
        raise PermissionError(13, "Permission denied", str(self), missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(RecoveryError, match="cannot be removed: Permission denied"):
        step.encode(Part(LARGE))


@pytest.mark.slow
def test_a_log_writes_each_row_a_few_times_only(tmp_path):
    """A hundred snapshots of a growing log write some seven times its size, not fifty times, and give it back whole."""
    step, log = StepState(tmp_path), EventLog("time")
    written, seen = 0, set()
    rows = 20_000
    for n in range(100):
        log.append(pl.DataFrame({"time": range(n * rows, (n + 1) * rows)}))
        log.forget((n - 50) * rows)
        data = step.encode(log.snapshot())
        new = {path: path.stat().st_size for path in files(tmp_path) if path not in seen}
        written += sum(new.values())
        seen |= new.keys()
    frames = EventLog("time").restore(StepState(tmp_path).decode(data))
    times = pl.concat(frames)["time"]
    assert times.filter(times >= 49 * rows).to_list() == list(range(49 * rows, 100 * rows))
    assert written < 8 * 100 * rows * 8
