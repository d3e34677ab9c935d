"""Quarantine from the command line: list, replay in vain, replay after a fix."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from tests.flows.cli.command import rows, takt

SETTINGS = """
contracts = "contracts"
[lake]
folder = "lake"
[recovery]
folder = "recovery"
[audit]
enabled = false
[sources.robots]
kind = "files"
contract = "robot.state@{version}"
path = "in"
"""


def message(seq: int, **more: object) -> bytes:
    event = {
        "event_id": f"e{seq}",
        "robot": "r1",
        "zone": "z1",
        "site": "s1",
        "boot_epoch": 1,
        "seq": seq,
        "event_time": f"2026-03-02T08:00:{seq:02d}Z",
        "mode": "busy",
        "battery": 50.0,
        "tasks_done": seq,
        "busy_s": seq * 1.0,
        "available_s": seq * 1.0,
        "queue_depth": 0,
    }
    return json.dumps({**event, **more}).encode()


def second_version(folder: Path) -> None:
    """A contract version that knows one field more."""
    text = files("schemas").joinpath("contracts", "robot.state.v1.odcs.yaml").read_text("utf-8")
    name = "      - name: units\n"
    assert name in text
    added = "      - { name: firmware, logicalType: string, required: false, logicalTypeOptions: { maxLength: 64 } }\n"
    (folder / "contracts" / "robot.state.v2.odcs.yaml").write_text(
        text.replace(name, added + name).replace('version: "1"', 'version: "2"'), "utf-8"
    )


@pytest.mark.slow
def test_replay_counts_attempts_and_succeeds_after_the_fix(tmp_path):
    """A message with an unknown field is rejected, again at a replay, and counts once the contract knows it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "contracts").mkdir()
    strange = message(5, firmware="2.1")
    lines = [*(message(n) for n in range(1, 5)), strange, message(6)]
    (tmp_path / "in" / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "takt.toml").write_text(SETTINGS.format(version=1), "utf-8")
    takt(tmp_path, "run")
    assert "decode.unknown_field" in takt(tmp_path, "quarantine", "list").stdout
    misspelt = ("--reason", "decode.unknown_fields", "--dry-run")
    told = takt(tmp_path, "quarantine", "replay", "--source", "robots", *misspelt, code=1).stderr
    assert "for 'decode.unknown_fields'" in told
    assert "it has: decode.unknown_field\n" in told

    takt(tmp_path, "quarantine", "replay", "--source", "robots")
    takt(tmp_path, "run")
    (attempts,) = rows(tmp_path, "SELECT attempts, reasons, raw FROM quarantine_attempts")
    assert (attempts["attempts"], attempts["reasons"]) == (2, ["decode.unknown_field"])

    second_version(tmp_path)
    (tmp_path / "takt.toml").write_text(SETTINGS.format(version=2), "utf-8")
    told = takt(tmp_path, "quarantine", "replay", "--source", "robots").stderr
    assert "1 messages; 1 would pass the gate now" in told
    takt(tmp_path, "run")
    (counted,) = rows(
        tmp_path, "SELECT sum(rows_in) AS rows_in, sum(good) AS good, sum(quarantined) AS bad FROM accounting"
    )
    assert counted == {"rows_in": 8, "good": 6, "bad": 2}


@pytest.mark.slow
def test_a_second_replay_gives_only_what_still_waits(tmp_path):
    """What passed, or is on its way, is not given again; what failed again is; `--again` gives all, and counts nothing.

    Two messages are rejected; the fix is for one of them.
    """
    (tmp_path / "in").mkdir()
    (tmp_path / "contracts").mkdir()
    lines = [message(1), message(2, firmware="2.1"), message(3, battery=179.0), message(4)]
    (tmp_path / "in" / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "takt.toml").write_text(SETTINGS.format(version=1), "utf-8")
    takt(tmp_path, "run")
    second_version(tmp_path)
    (tmp_path / "takt.toml").write_text(SETTINGS.format(version=2), "utf-8")

    def replay(*options: str) -> tuple[str, str]:
        """What a replay tells, and what the source was given."""
        before = set((tmp_path / "in").iterdir())
        told = takt(tmp_path, "quarantine", "replay", "--source", "robots", *options).stderr
        return told, "".join(path.read_text() for path in set((tmp_path / "in").iterdir()) - before)

    assert "2 messages; 1 would pass" in replay("--dry-run")[0]
    assert replay()[1].encode() == lines[1] + b"\n" + lines[2] + b"\n"
    told, given = replay()
    assert ("0 messages" in told, "2 more were replayed before" in told, given) == (True, True, "")
    takt(tmp_path, "run")
    told, given = replay()
    assert ("1 messages; 0 would pass" in told, "1 more were" in told) == (True, True)
    assert given.encode() == lines[2] + b"\n"
    takt(tmp_path, "run")

    sums = "SELECT sum(good) AS good, sum(quarantined) AS bad, sum(duplicates) AS duplicates FROM accounting"
    assert rows(tmp_path, sums) == [{"good": 3, "bad": 4, "duplicates": 0}]
    throughput = "SELECT * EXCLUDE (recorded_at) FROM throughput_latest ORDER BY ALL"
    estimates = rows(tmp_path, throughput)
    assert replay("--again", "--reason", "decode.unknown_field")[1].encode() == lines[1] + b"\n"
    takt(tmp_path, "run")
    assert rows(tmp_path, sums) == [{"good": 3, "bad": 4, "duplicates": 1}]
    assert rows(tmp_path, throughput) == estimates


def test_replay_names_the_sources_there_are(tmp_path):
    """A wrong source name is answered with the right ones."""
    (tmp_path / "in").mkdir()
    (tmp_path / "contracts").mkdir()
    (tmp_path / "takt.toml").write_text(SETTINGS.format(version=1), "utf-8")
    told = takt(tmp_path, "quarantine", "replay", "--source", "robot", code=1).stderr
    assert "there is no source 'robot'" in told
    assert "robots" in told
