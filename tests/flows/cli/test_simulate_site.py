"""`takt simulate site` makes what `takt run` takes at once, and `takt simulate check` holds the result against it."""

from __future__ import annotations

import json

import pytest

from tests.flows.cli.command import rows, takt


@pytest.mark.slow
def test_a_clean_site_is_worked_off_without_a_complaint(tmp_path, monkeypatch):
    """With perfect papers nothing is refused, no stock falls below zero, and the book is the stock and what leaked."""
    monkeypatch.setenv("TAKT_AUDIT__ENABLED", "false")
    told = takt(tmp_path, "simulate", "site", ".", "--days", "14", "--skus", "5", "--sites", "2", "--clean").stderr
    written = sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("*.jsonl"))
    assert f"{written:,} messages" in told
    takt(tmp_path, "run")
    assert rows(tmp_path, "SELECT sum(good)::BIGINT AS good, sum(rows_in)::BIGINT AS read FROM accounting") == [
        {"good": written, "read": written}
    ]
    broken = "SELECT subject FROM signal WHERE kind = 'stock_invariant_broken'"
    assert not rows(tmp_path, broken + " AND subject NOT LIKE '%/negative_in_transit'")
    checked = takt(tmp_path, "simulate", "check", ".").stdout
    assert "0 off" in checked
    assert "…" not in checked  # no number is cut, however narrow the terminal
    again = takt(tmp_path, "simulate", "site", ".", code=1).stderr
    assert "holds the lake of another simulated site" in again
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert len(truth["series"]) == 10


def test_a_folder_without_truth_is_refused(tmp_path):
    """A check of what was not simulated says how to make it."""
    told = takt(tmp_path, "simulate", "check", ".", code=1).stderr
    assert "there is no truth.json" in told
    assert "takt simulate site" in told


@pytest.mark.parametrize(("kind", "name"), [("site", "inventory_move.jsonl"), ("warehouse", "robot_state.jsonl")])
def test_files_that_are_there_are_not_replaced(tmp_path, kind, name):
    """They may be somebody's input."""
    (tmp_path / name).write_text("mine\n")
    told = takt(tmp_path, "simulate", kind, ".", code=1).stderr
    assert f"has a {name} already" in told
    assert "give another folder" in told
    assert (tmp_path / name).read_text() == "mine\n"
