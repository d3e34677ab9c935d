"""What doctor says of places that the user of the flow has no rights on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import msgspec
import pytest

from flows import doctor, recovery
from flows.build import FLOW, lake_location
from flows.doctor import examine
from flows.settings import Settings
from schemas.outputs import LATE
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.writer import LakeWriter
from tests.sinks.lake.frames import rows_of


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Of a flow that was there before."""
    (tmp_path / "day.jsonl").touch()
    with recovery.opened(tmp_path / "recovery", flow="throughput", now_us=0):
        pass
    connect(LakeLocation(tmp_path / "lake"), read_only=False).close()
    source = {"kind": "files", "contract": "robot.state@1", "path": tmp_path / "day.jsonl"}
    places = {name: {"folder": tmp_path / name} for name in ("lake", "recovery")}
    return Settings.model_validate({"sources": {"robots": source}, **places})


def wrong(settings: Settings) -> dict[str, str]:
    """What is wrong, by check."""
    return {finding.check: finding.found for finding in examine(settings) if finding.error}


def test_what_may_not_be_read_or_written_is_told(settings, monkeypatch):
    """Input, stored state and lake are held to what a start needs."""
    assert not wrong(settings)
    monkeypatch.setattr(os, "access", lambda _, rights: not rights & os.W_OK)
    assert wrong(settings).keys() == {"recovery", "lake"}
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "day.jsonl: user" in wrong(settings)["sources"]


def test_a_file_where_a_folder_belongs_is_told(settings, tmp_path):
    """By its name; rights would not help."""
    file = tmp_path / "day.jsonl"
    for place in (file, file / "below"):
        changes = {"lake": {"folder": place}, "recovery": {"folder": file / "state"}}
        found = wrong(Settings.model_validate(settings.model_dump() | changes))
        assert found.keys() == {"lake", "recovery"}
        assert found["lake"] == f"{place} cannot be made: {file} is not a folder"
        assert found["recovery"].endswith(f"state cannot be made: {file} is not a folder")


def test_a_lake_of_a_newer_takt_is_told(settings):
    """As a start would refuse it."""
    lake = connect(LakeLocation(settings.lake.folder), read_only=False)
    lake.execute("CREATE SCHEMA meta; CREATE TABLE meta.schema_version AS SELECT 99 AS version, 'x' AS fingerprint")
    lake.close()
    assert "layout version 99" in wrong(settings)["lake"]


def test_a_place_that_cannot_be_looked_at_stops_no_other_check(settings, monkeypatch):
    """What the system refuses is a finding of that check."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "lake")

    monkeypatch.setattr(doctor, "connect", refuse)
    assert wrong(settings) == {"lake": "[Errno 13] Permission denied: 'lake'"}


@pytest.fixture
def filled(settings) -> Settings:
    """Of a lake that a run has written into; files by name in `lake`."""
    with closing(LakeWriter(LakeLocation(settings.lake.folder), "run-1", FLOW, "lake-0")) as writer:
        writer.resume(None)
        writer.append(LATE.name, rows_of(LATE.name, 1))
        writer.commit()
    return settings


def begin(settings: Settings, run: str, *, wrote: bool = True) -> None:
    """Let the stored state be that of a run which was at work, and wrote into a lake."""
    folder = settings.recovery.folder
    file = folder / "run.json"
    file.write_bytes(msgspec.json.encode(recovery.Run(run, FLOW, 0)))
    with closing(sqlite3.connect(folder / "bytewax" / "part-0.sqlite3")) as store, store:
        store.execute("INSERT OR IGNORE INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, 1)")
        store.execute("DELETE FROM snaps")
        if wrote:
            store.execute("INSERT INTO snaps (step_id, state_key, snap_epoch) VALUES ('lake', 'lake-0', 1)")


def test_lake_and_state_of_different_runs_are_told(filled):
    """As a start would refuse them: state of another run, of none, or no lake. One that wrote nothing starts on any."""
    assert "holds results of run run-1, and" in wrong(filled)["lake"]
    begin(filled, "run-1")
    assert not wrong(filled)
    begin(filled, "run-2", wrote=False)
    assert "holds results of run run-1, and" in wrong(filled)["lake"]
    begin(filled, "run-2")
    assert "holds the state of run run-2, which the lake" in wrong(filled)["lake"]
    filled.lake.folder.rename(filled.lake.folder.with_name("elsewhere"))
    assert "holds the state of run run-2, which the lake" in wrong(filled)["lake"]
    begin(filled, "run-2", wrote=False)
    assert not wrong(filled)


def test_files_of_the_lake_that_are_not_as_they_were_written_are_told(filled):
    """What a power cut, a full backup disk or a hand in the folder leaves is found before a query finds it."""
    begin(filled, "run-1")
    (file,) = (filled.lake.folder / "data" / "internal" / LATE.name).iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], bytes(len(whole)), whole + b"1"):
        file.write_bytes(damaged)
        assert f"1 of 7 files of the lake {lake_location(filled)} are missing, cut or overwritten: {file}" in told(
            filled
        )
    file.unlink()
    assert f"overwritten: {file}" in told(filled)


def told(settings: Settings) -> str:
    """What is wrong with the lake, and with nothing else."""
    (found,) = wrong(settings).items()
    assert found[0] == "lake"
    return found[1]
