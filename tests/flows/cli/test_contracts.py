"""Contracts from the command line: what there is, whether a document is good, what a version changes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from tests.flows.cli.command import takt

FIRST = files("schemas").joinpath("contracts", "robot.state.v1.odcs.yaml").read_text("utf-8")
SECOND = FIRST.replace('version: "1"', 'version: "2"').replace(
    "      - name: units\n",
    "      - { name: firmware, logicalType: string, required: false, logicalTypeOptions: { maxLength: 64 } }\n"
    "      - name: units\n",
)


def document(folder: Path, text: str, name: str = "robot.state.v2.odcs.yaml") -> str:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return name


@pytest.mark.slow
def test_list_has_takts_own_and_those_of_the_settings(tmp_path):
    """Each contract has version, owner, number of rules and the hash of its suite that rows in the lake carry."""
    document(tmp_path, SECOND, "mine/robot.state.v2.odcs.yaml")
    (tmp_path / "takt.toml").write_text('contracts = "mine"', "utf-8")
    listed = [json.loads(line) for line in takt(tmp_path, "contracts", "list", "--format", "json").stdout.splitlines()]
    found = {(c["contract"], c["version"]): c for c in listed}
    assert {("robot.state", "1"), ("robot.state", "2"), ("task", "1"), ("sensor.reading", "1")} <= found.keys()
    assert found["robot.state", "2"]["owner"] == "fleet-integration"
    assert found["robot.state", "2"]["rules"] == found["robot.state", "1"]["rules"] + 1
    assert len(found["robot.state", "2"]["suite_hash"]) == 64
    assert "robot.state" in takt(tmp_path, "contracts", "list").stdout


@pytest.mark.slow
def test_show_tells_fields_and_rules(tmp_path):
    """Units, bounds and codes of a contract by its name, and of a document by its path."""
    told = takt(tmp_path, "contracts", "show", "robot.state@1").stdout
    for words in ("battery", ">= 0, <= 100", "battery.range", "busy_within_available", "fleet-integration"):
        assert words in told
    assert "firmware" in takt(tmp_path, "contracts", "show", document(tmp_path, SECOND)).stdout


def test_show_names_the_contracts_there_are(tmp_path):
    """An unknown name is answered with the known ones, a missing document with what to give."""
    assert (
        "robot.state@1, robot@1, sensor.reading@1, task@1, task@2"
        in takt(tmp_path, "contracts", "show", "rob", code=1).stderr
    )
    assert "no.yaml does not exist" in takt(tmp_path, "contracts", "show", "no.yaml", code=1).stderr


def test_check_accepts_a_good_document(tmp_path):
    """A document that a flow could read is told with its rules and its suite."""
    told = takt(tmp_path, "contracts", "check", document(tmp_path, SECOND)).stdout
    assert "robot.state.v2.odcs.yaml: robot.state@2, 32 rules on every row, suite " in told


def test_check_names_file_place_and_fix_of_every_error(tmp_path):
    """Documents, rules, fields, names: each wrong document is told once, none hides another, and the exit code is 1."""
    wrong = {
        "c/broken.odcs.yaml": ("a: [\n", "not YAML"),
        "c/field.odcs.yaml": (SECOND.replace("logicalType: boolean", "").replace("number", "numeral"), "battery: "),
        "c/rule.odcs.yaml": (
            SECOND.replace("value_a_to_be", "value_to_be").replace("pair_values_a", "x"),
            "busy_within",
        ),
        "c/lacks.odcs.yaml": (SECOND.replace("tasks_done", "jobs_done"), "needs fields tasks_done (missing)"),
        "c/same.odcs.yaml": (FIRST, "robot.state@1 exists already (Takt's own)"),
        "c/third.yaml": (SECOND.replace('version: "2"', 'version: "3"'), "a flow would not find it"),
    }
    for name, (text, _) in wrong.items():
        document(tmp_path, text, name)
    document(tmp_path, SECOND, "c/good.odcs.yaml")
    told = takt(tmp_path, "contracts", "check", "c", "gone.odcs.yaml", code=1).stdout
    for name, (_, words) in wrong.items():
        (block,) = [block for block in told.split("wrong ") if block.startswith(name)]
        assert words in block
        assert "fix: " in block
    assert "gone.odcs.yaml does not exist" in told
    assert "ok    c/good.odcs.yaml: robot.state@2" in told


@pytest.mark.slow
def test_check_without_arguments_takes_the_folder_of_the_settings(tmp_path):
    """The folder of the settings is checked; where there is none, the error says what to give."""
    assert "give documents or a folder" in takt(tmp_path, "contracts", "check", code=1).stderr
    document(tmp_path, SECOND, "mine/robot.state.v2.odcs.yaml")
    (tmp_path / "takt.toml").write_text('contracts = "mine"', "utf-8")
    assert "robot.state@2" in takt(tmp_path, "contracts", "check").stdout


@pytest.mark.slow
def test_diff_judges_each_change(tmp_path):
    """Every change has a verdict in both directions; `--require` decides the exit code."""
    text = SECOND.replace("maximum: 100", "maximum: 90").replace("fleet-integration", "fleet")
    other = document(tmp_path, text)
    lines = takt(tmp_path, "contracts", "diff", "robot.state@1", other, "--format", "json").stdout.splitlines()
    changes = {change["subject"]: change for change in map(json.loads, lines)}
    assert changes.keys() == {"owner", "battery", "firmware"}
    assert (changes["owner"]["backward"], changes["owner"]["forward"]) == ("ok", "ok")
    assert changes["firmware"]["backward"] == "ok"
    assert "does not know it" in changes["firmware"]["forward"]
    assert changes["battery"]["change"] == "maximum 100 -> 90"
    assert "range" in changes["battery"]["backward"]
    assert "none; neither" in takt(tmp_path, "contracts", "diff", "robot.state@1", other).stderr
    good = document(tmp_path, SECOND, "good.odcs.yaml")
    takt(tmp_path, "contracts", "diff", "robot.state@1", good, "--require", "backward")
    takt(tmp_path, "contracts", "diff", "robot.state@1", good, "--require", "forward", code=1)


@pytest.mark.slow
def test_a_run_refuses_a_contract_without_the_fields_it_needs(tmp_path):
    """`takt doctor` and `takt run` say which field is missing, before anything is read."""
    document(tmp_path, SECOND.replace("tasks_done", "jobs_done"), "mine/robot.state.v2.odcs.yaml")
    (tmp_path / "in.jsonl").write_text("{}\n", "utf-8")
    (tmp_path / "takt.toml").write_text(
        'contracts = "mine"\n[sources.r]\nkind = "files"\ncontract = "robot.state@2"\npath = "in.jsonl"\n', "utf-8"
    )
    assert "needs fields tasks_done (missing)" in takt(tmp_path, "doctor", code=1).stdout
    assert "needs fields tasks_done (missing)" in takt(tmp_path, "run", code=1).stderr
