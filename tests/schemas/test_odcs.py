"""Contracts are read from ODCS documents, and a wrong document says all that is wrong with it at once."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from schemas.contract import Contract
from schemas.errors import ContractError
from schemas.odcs import read_contract
from schemas.registry import contracts, find_contract

SHIPPED = [
    "control@1",
    "demand.line@1",
    "forecast@1",
    "inventory.count@1",
    "inventory.move@1",
    "inventory.snapshot@1",
    "item@1",
    "pos.sale@1",
    "promotion@1",
    "robot.state@1",
    "robot@1",
    "sensor.reading@1",
    "task@1",
    "task@2",
]


DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def document(key: str = "robot.state@1") -> dict[str, Any]:
    return deepcopy(_shipped(key))


@cache
def _shipped(key: str) -> dict[str, Any]:
    name, version = key.split("@")
    text = files("schemas").joinpath("contracts", f"{name}.v{version}.odcs.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def read(doc: dict[str, Any]) -> Contract:
    return read_contract(yaml.dump(doc, Dumper=DUMPER), "here.odcs.yaml")


def test_the_contracts_of_takt_come_with_the_package() -> None:
    """Without any folder given, the shipped contracts are found by name and version."""
    assert sorted(contracts()) == SHIPPED


@pytest.mark.parametrize("key", SHIPPED)
def test_shipped_documents_conform_to_the_official_schema(key: str, real_data: Path) -> None:
    """The JSON schema published with ODCS 3.1.0 accepts each shipped document."""
    schema = json.loads((real_data / "standards" / "odcs" / "odcs-json-schema-v3.1.0.json").read_text())
    jsonschema.Draft201909Validator(schema).validate(document(key))


@pytest.mark.parametrize("key", SHIPPED)
def test_shipped_contracts_say_who_when_and_in_which_unit(key: str) -> None:
    """Each names an owner, a description per field, a unit per number, and how long it stays readable."""
    contract = find_contract(key)
    assert contract.owner
    assert contract.deprecation_days > 0
    assert all(field.description for field in contract.fields)
    measured = [f for f in contract.fields if f.type in ("integer", "number") and f.name != "value"]
    assert all(field.unit for field in measured)


def test_a_contract_reads_as_its_document_says() -> None:
    """Types, bounds, defaults, allowed values, rules and keys of robot.state arrive in the model."""
    contract = find_contract("robot.state@1")
    assert contract.key == "robot.state@1"
    assert (contract.idempotency_key, contract.entity_field, contract.event_time_field) == (
        ("event_id",),
        "robot",
        "event_time",
    )
    assert (contract.update_every_s, contract.future_tolerance_s) == (10.0, 300)
    battery, units, error = (contract.field(name) for name in ("battery", "units", "error"))
    assert (battery.type, battery.minimum, battery.maximum, battery.unit) == ("number", 0, 100, "%")
    assert (units.required, units.default, units.may_be_null) == (False, 0, False)
    assert (error.nullable, error.may_be_null) == (True, True)
    assert contract.field("mode").values == ("idle", "busy", "charging", "fault", "offline")
    assert [(rule.code, rule.severity) for rule in contract.rules] == [
        ("busy_within_available", "warning"),
        ("working_battery", "info"),
    ]


def test_every_problem_of_a_document_is_reported_at_once() -> None:
    """Five mistakes in one document make one error that names all five."""
    doc = document()
    fields = doc["schema"][0]["properties"]
    fields[0]["logicalType"] = "date"
    fields[8]["logicalTypeOptions"]["multipleOf"] = 5
    fields[13]["customProperties"][1]["value"] = "none"
    doc["schema"][0]["quality"][0]["severity"] = "fatal"
    doc["customProperties"][2]["value"] = "robbot"
    with pytest.raises(ContractError) as error:
        read(doc)
    for part in ("date", "multipleOf", "units: default 'none'", "fatal", "robbot"):
        assert part in str(error.value)
    assert "here.odcs.yaml" in str(error.value)


def _set(path: str, value: Any) -> Any:
    def change(doc: dict[str, Any]) -> None:
        *parts, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        place: Any = doc
        for part in parts:
            place = place[part]
        place[last] = value

    return change


WRONG = [
    (_set("kind", "Schema"), "kind"),
    (_set("apiVersion", "v2.2.2"), "v2.2.2"),
    (_set("team", {"description": "nobody"}), "team.name"),
    (_set("schema", []), "exactly one object"),
    (_set("customProperties.0.value", value=False), "closed must be true"),
    (_set("customProperties.1.value", ["robot", "seq"]), "idempotencyKey seq"),
    (_set("customProperties.1.value", []), "at least one field"),
    (_set("customProperties.3.value", "robot"), "eventTimeField robot"),
    (_set("customProperties.4.value", "soon"), "futureToleranceSeconds"),
    (_set("customProperties.4.value", -1), "must not be negative"),
    (_set("customProperties.5.property", "window"), "deprecationWindowDays"),
    (_set("slaProperties.0.unit", "d"), "frequency"),
    (_set("schema.0.properties.1.name", "event_id"), "named twice"),
    (_set("schema.0.properties.1.name", "_row"), "not a usable field name"),
    (_set("schema.0.properties.1.name", "class"), "not a usable field name"),
    (_set("schema.0.quality.0.implementation.kwargs.day", date(2026, 3, 2)), "plain JSON"),
    (_set("schema.0.quality.1.implementation.kwargs.min_value", math.inf), "plain JSON"),
    (_set("schema.0.properties.0.logicalTypeOptions", {"minLength": -1}), "bad length"),
    (_set("schema.0.properties.8.logicalTypeOptions", {"minimum": "0"}), "not a finite number"),
    (_set("schema.0.properties.8.logicalTypeOptions", {"minimum": 0, "exclusiveMinimum": 0}), "not both"),
    (_set("schema.0.properties.8.logicalTypeOptions", {"format": "f32"}), "f32"),
    (_set("schema.0.properties.13.required", value=True), "required excludes a default"),
    (_set("schema.0.properties.14.required", value=True), "required excludes nullable"),
    (_set("schema.0.properties.7.quality.0.mustBe", 3), "mustBe 0"),
    (_set("schema.0.properties.7.quality.0.severity", "info"), "always critical"),
    (_set("schema.0.quality.1.id", "busy_within_available"), "used twice"),
    (_set("schema.0.quality.0.engine", "soda"), "great-expectations"),
    (_set("schema.0.properties.0.logicalTypeOption", {}), "logicalTypeOption"),
    (_set("schem", []), "schem"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_document_is_refused_with_the_reason(change: Any, words: str) -> None:
    """Each mistake is a ContractError that names it; nothing misspelt passes in silence."""
    doc = document()
    change(doc)
    with pytest.raises(ContractError, match=words):
        read(doc)


@pytest.mark.parametrize("text", ["", "a: [", "- a", "\x00"])
def test_what_is_no_document_is_refused(text: str) -> None:
    """Empty files, broken YAML and lists are a ContractError as well."""
    with pytest.raises(ContractError):
        read_contract(text, "here.odcs.yaml")


def test_a_key_that_is_given_twice_is_refused() -> None:
    """YAML takes the last of both without a word, so a limit that somebody reads would not be the one in force."""
    text = files("schemas").joinpath("contracts", "robot.state.v1.odcs.yaml").read_text("utf-8")
    name = "\n  - name: robot.state\n"
    assert name in text
    with pytest.raises(ContractError, match=r"given twice: name \(line 34\)"):
        read_contract(text.replace(name, name + "    name: robot\n"), "robot.state.v1.odcs.yaml")


def test_a_folder_adds_contracts(tmp_path: Path) -> None:
    """A user's folder adds versions beside the shipped ones."""
    doc = document() | {"version": "2"}
    (tmp_path / "mine.odcs.yaml").write_text(yaml.safe_dump(doc))
    (tmp_path / "notes.txt").write_text("not a contract")
    assert sorted(contracts(tmp_path)) == sorted([*SHIPPED, "robot.state@2"])


def test_a_folder_cannot_replace_a_published_version(tmp_path: Path) -> None:
    """The same name and version again is refused, as rows are stored under it."""
    (tmp_path / "mine.odcs.yaml").write_text(yaml.safe_dump(document()))
    with pytest.raises(ContractError, match="exists already"):
        contracts(tmp_path)


def test_a_missing_contract_or_folder_says_what_there_is(tmp_path: Path) -> None:
    """The errors name the known contracts, and the folder that is not there."""
    with pytest.raises(ContractError, match="task@1"):
        find_contract("robot.stat@1")
    with pytest.raises(ContractError, match="nowhere"):
        contracts(tmp_path / "nowhere")
    (tmp_path / "bad.odcs.yaml").write_bytes(b"\xff")
    with pytest.raises(ContractError, match=r"bad\.odcs\.yaml"):
        contracts(tmp_path)
