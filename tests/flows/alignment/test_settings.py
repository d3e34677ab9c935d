"""What is wrong with the settings of alignment is told with the key and the fix, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.doctor import examine
from flows.run import run
from flows.settings import load
from schemas.errors import SettingsError

SOURCE = '[sources.robots]\nkind = "files"\ncontract = "robot.state@1"\npath = "robots.jsonl"\n'
ORDERS = SOURCE.replace("robots", "orders").replace("robot.state@1", "demand.line@1")


def written(folder: Path, text: str) -> Path:
    for name in ("robots", "orders"):
        (folder / f"{name}.jsonl").write_bytes(b"")
    path = folder / "takt.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("interval_s = 90", "alignment.interval_s must be a multiple of time.window_s"),
        ("expires_s = 600", "expires_s must be more than 900"),
        ("horizons_s = []", "alignment.horizons_s"),
        ('controller = "pid"', "alignment.controller"),
        ("utilisation = 1.2", "alignment.utilisation"),
        ("[[alignment.work]]\nsku = 'a'\nunits = 1", "alignment.work.0.zone"),
        ("[[alignment.work]]\nzone = 'z'\nunits = -1", "alignment.work.0.units"),
    ],
)
def test_what_the_section_says_is_wrong(tmp_path, section, words):
    """All in one message, as for every section."""
    with pytest.raises(SettingsError, match=r"(?s).*") as caught:
        load(written(tmp_path, f"{SOURCE}\n[alignment]\n{section}\n"), {})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('[[alignment.limits]]\nsite = "a"\n[[alignment.limits]]\nsite = "a"', "2 limits are of site a and zone *"),
        ("[[alignment.limits]]\nleast = 3\nmost = 2", "least number of robots lies between 0 and the most"),
        ('[[alignment.work]]\nzone="z"\nunits=1\n[[alignment.work]]\nzone="y"\nunits=2', "are about the same"),
        (
            'demand_lag_s=7200\n[[alignment.work]]\nzone="z"\nunits=1\n[stock]\nbucket="hour"\nhorizon=2',
            "would be over",
        ),
        ('[[alignment.work]]\nsku="a"\ncategory="b"\nzone="z"\nunits=1', "names both a SKU and a category"),
    ],
)
def test_what_contradicts_itself_is_told_before_the_run(tmp_path, section, words):
    """By the run and by the doctor alike, with the fix."""
    settings = load(written(tmp_path, f"{SOURCE}{ORDERS}\n[alignment]\n{section}\n"), {})
    with pytest.raises(SettingsError) as caught:
        run(settings)
    assert words in caught.value.what
    assert caught.value.fix
    found = {finding.check: finding for finding in examine(settings)}
    assert words in found["alignment"].found


def test_alignment_needs_robots(tmp_path):
    """A section without a source it works on is no silence."""
    text = SOURCE.replace("robot.state@1", "task@1") + "[alignment]\n"
    with pytest.raises(SettingsError, match=r"no source has the contract robot\.state"):
        run(load(written(tmp_path, text), {}))


def test_rules_need_demand(tmp_path):
    """Rules that no stream would ever meet are no silence either, for the run and the doctor."""
    settings = load(written(tmp_path, f'{SOURCE}[alignment]\n[[alignment.work]]\nzone = "z"\nunits = 1\n'), {})
    with pytest.raises(SettingsError, match="no source has a contract of demand"):
        run(settings)
    assert "no source has a contract of demand" in {f.check: f.found for f in examine(settings)}["alignment"]


def test_robots_need_alignment(tmp_path):
    """Master data of robots is for alignment alone."""
    text = SOURCE + ORDERS.replace("demand.line@1", "robot@1")
    with pytest.raises(SettingsError, match="only the alignment flow works on 'robot'"):
        run(load(written(tmp_path, text), {}))
