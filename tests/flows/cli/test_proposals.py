"""Deciding about proposals by command: what is proposed, who may be asked, and what the book says after it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.flows.cli.command import rows, takt

SETTINGS = """
[audit]
enabled = false
[lake]
folder = "lake"
[recovery]
folder = "recovery"
[sources.moves]
kind = "files"
contract = "inventory.move@1"
path = "moves"
[sources.counts]
kind = "files"
contract = "inventory.count@1"
path = "counts.jsonl"
"""
DECISIONS = """
[sources.decisions]
kind = "files"
contract = "control@1"
path = "decisions"
"""


def move(day: int, quantity: int, reason: str) -> str:
    time = f"2026-03-{day:02d}T08:00:00Z"
    document = f"{reason}-{day}"
    return json.dumps(
        {
            "event_id": document,
            "site": "main",
            "sku": "bolt",
            "location": "shelf",
            "quantity": quantity,
            "uom": "each",
            "reason": reason,
            "document": document,
            "line": "1",
            "event_time": time,
            "record_time": time,
        }
    )


@pytest.fixture
def site(counted, tmp_path):
    """A copy of the site, for each test its own."""
    return shutil.copytree(counted, tmp_path / "site")


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A hundred bolts in the book and eighty on the shelf; the final look at the count is over."""
    tmp_path = tmp_path_factory.mktemp("counted")
    for folder in ("moves", "decisions"):
        (tmp_path / folder).mkdir()
    (tmp_path / "takt.toml").write_text(SETTINGS + DECISIONS, "utf-8")
    moves = [move(1, 100, "opening"), move(3, -1, "sale"), move(4, -1, "sale")]
    (tmp_path / "moves" / "1.jsonl").write_text("\n".join(moves) + "\n", "utf-8")
    count = {"event_id": "count-1", "site": "main", "sku": "bolt", "location": "shelf", "quantity": 80, "uom": "each"}
    times = {"as_of": "2026-03-01T12:00:00Z", "event_time": "2026-03-01T12:30:00Z"}
    (tmp_path / "counts.jsonl").write_text(json.dumps(count | times | {"document": "c", "counted_by": "ada"}), "utf-8")
    takt(tmp_path, "run")
    return tmp_path


def proposed(site) -> dict:
    (only,) = [json.loads(line) for line in takt(site, "proposals", "--format", "json").stdout.splitlines()]
    return only


def go_on(site, day: int) -> int:
    """Business goes on until a day; what is on hand then."""
    (site / "moves" / f"{day}.jsonl").write_text(move(day, -1, "sale") + "\n", "utf-8")
    takt(site, "run")
    return int(float(rows(site, "SELECT on_hand FROM stock_now")[0]["on_hand"]))


@pytest.mark.slow
def test_an_approved_proposal_is_booked_once_and_can_be_taken_back(site):
    """Approval twice is one adjustment; the reversal id takes it back; each row of the table names who decided."""
    open_ = proposed(site)
    assert float(open_["quantity"]) == -20
    for _ in range(2):
        takt(site, "approve", open_["proposal"], "--by", "bea", "--at", "2026-03-04T09:00:00Z", "--comment", "seen it")
    assert go_on(site, 5) == 77
    assert takt(site, "proposals", "--format", "json").stdout == ""
    (reversal,) = {row["reversal"] for row in rows(site, "SELECT reversal FROM adjustment")}
    takt(site, "approve", reversal, "--by", "cyd", "--at", "2026-03-05T09:00:00Z")
    assert go_on(site, 6) == 96
    told = rows(site, 'SELECT status, "by" FROM adjustment ORDER BY event_time')
    assert [(row["status"], row["by"]) for row in told] == [
        ("proposed", None),
        ("accepted", "bea"),
        ("reversed", "cyd"),
    ]


@pytest.mark.slow
def test_a_rejected_proposal_is_not_booked(site):
    """Nothing changes, and a later approval is refused and told with its reason."""
    open_ = proposed(site)
    takt(site, "reject", open_["proposal"], "--by", "bea", "--at", "2026-03-04T09:00:00Z")
    takt(site, "approve", open_["proposal"], "--by", "cyd", "--at", "2026-03-04T10:00:00Z")
    assert go_on(site, 5) == 97
    assert rows(site, "SELECT reasons FROM quarantine") == [{"reasons": ["proposal.decided"]}]


@pytest.mark.slow
def test_wrong_ids_and_settings_are_told_with_the_fix(site):
    """An unknown id, a decision after the proposal expires, no source of decisions, and a source that is one file."""
    known = proposed(site)["proposal"]
    assert f"{known} expires at 2026-03-09 12:45:00, this" in takt(site, "approve", known, code=1).stderr
    assert "`takt proposals` lists" in takt(site, "approve", "nobody", code=1).stderr
    (site / "takt.toml").write_text(SETTINGS, "utf-8")
    assert "no source reads decisions" in takt(site, "approve", known, code=1).stderr
    (site / "one.jsonl").write_text("", "utf-8")
    (site / "takt.toml").write_text(SETTINGS + DECISIONS.replace('"decisions"', '"one.jsonl"'), "utf-8")
    in_time = ("approve", known, "--at", "2026-03-04")
    assert "`sources.decisions.path` be a folder" in takt(site, *in_time, code=1).stderr
