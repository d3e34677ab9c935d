"""What doctor says of places that the user of the flow has no rights on."""

from __future__ import annotations

import os

import pytest

from flows import doctor, recovery
from flows.doctor import examine
from flows.settings import Settings
from sinks.lake.catalog import LakeLocation, connect


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
