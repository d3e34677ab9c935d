"""The audit by real Great Expectations: silent on an honest gate, loud on any other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from jsonschema import validate

from flows.reference.json_schemas import object_schema
from quality.audit_findings import Finding
from quality.audit_sample import Sample, SampledRow
from quality.registration import Registered, register
from schemas.contract import Contract, Rule, Severity
from schemas.outputs.signal_kinds import SIGNAL_KINDS
from tests.quality.audit_samples import ARRIVAL_US, ROBOT_STATE, message, messages, sabotaged, sample_of
from tests.quality.hard_values import CONTRACT, RULES, hard_frame

if TYPE_CHECKING:
    from quality.audit_validator import Validator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audit")]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LINES = messages(400)


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    from quality.audit_validator import Validator  # noqa: PLC0415 - takes seconds, which only one worker need spend

    return Validator(tmp_path_factory.mktemp("audit"))


def found(validator: Validator, registered: Registered, sample: Sample) -> dict[str, Finding]:
    from quality.audit import Auditor  # noqa: PLC0415 - see above

    findings = Auditor(registered, validator).audit(sample, "sample", NOW)
    by_code = {finding.evidence["rule"]: finding for finding in findings}
    assert len(by_code) == len(findings)
    for finding in findings:
        validate(finding.evidence, object_schema(SIGNAL_KINDS[finding.kind].evidence))
    return by_code


def with_rules(*rules: tuple[str, Severity, dict[str, Any]], **changes: Any) -> Registered:
    """robot.state with further rules."""
    made = tuple(Rule(f"rule{n}", severity, kind, kwargs) for n, (kind, severity, kwargs) in enumerate(rules))
    contract = replace(ROBOT_STATE.contract, rules=made, **changes)
    return register(contract)


def hard_contract(part: int) -> Contract:
    """Every fourth rule of the parity test, two in three of them critical."""
    rules = tuple(Rule(f"rule{n}", "critical" if n % 3 else "warning", *RULES[n]) for n in range(part, len(RULES), 4))
    return replace(CONTRACT, rules=rules)


def hard_messages() -> list[bytes]:
    """The hard values as JSON, and what JSON cannot say as the text that the decoder must refuse."""
    rows = hard_frame().with_columns(pl.col("at", "until").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")).to_dicts()
    return [json.dumps(row).encode() for row in rows]


@pytest.mark.parametrize("part", range(4))
def test_an_honest_gate_gives_no_finding_on_hard_values(validator: Validator, part: int) -> None:
    """Whatever the values, gate and Great Expectations agree on every row, and the decoder with itself."""
    registered = register(hard_contract(part))
    sample = sample_of(registered, hard_messages())
    kinds = {code for row in sample.rows for code in row.codes}
    assert len(kinds) > 15  # rules that fail somewhere, and codes of the decoder
    assert found(validator, registered, sample) == {}


def test_an_honest_gate_of_robot_state_gives_no_finding(validator: Validator) -> None:
    """Good, refused and undecodable messages, and one from the future, are judged alike by both lines."""
    sample = sample_of(ROBOT_STATE, LINES)
    assert {code for row in sample.rows for code in row.codes} >= {"decode.type", "battery.range", "time.future"}
    assert found(validator, ROBOT_STATE, sample) == {}


SABOTAGES = [
    ("battery.range", pl.col("battery") > 101, "great_expectations_only", [17, 117, 217, 317]),
    ("battery.range", pl.col("battery") >= 50, "gate_only", [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]),
    ("mode.values", pl.lit(value=False) & pl.col("mode").is_null(), "great_expectations_only", [41, 141, 241, 341]),
    ("robot.length", pl.col("robot").str.len_chars() > 1, "gate_only", [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]),
]


@pytest.mark.parametrize(("code", "fails", "side", "offsets"), SABOTAGES, ids=lambda value: str(value)[:30])
def test_a_sabotaged_gate_is_found_by_rule_and_offset(
    validator: Validator, code: str, fails: pl.Expr, side: str, offsets: list[int]
) -> None:
    """One wrong rule gives one critical mismatch that names the rule and where it differs."""
    sample = sample_of(sabotaged(ROBOT_STATE, code, fails), LINES)
    findings = found(validator, ROBOT_STATE, sample)
    finding = findings.pop(code)
    assert (finding.kind, finding.severity) == ("audit_mismatch", "critical")
    assert finding.evidence[f"{side}_offsets"] == [f"0:{offset}" for offset in offsets]
    assert finding.subject == f"telemetry/robot.state@1/{code}"
    assert f"first 0:{offsets[0]}" in finding.reason
    assert all(other.kind == "audit_failed" for other in findings.values())


def test_a_sabotaged_warning_is_found_too(validator: Validator) -> None:
    """A rule that refuses nothing leaves no verdict on rows: its compiled form is run again and compared."""
    wrong = sabotaged(ROBOT_STATE, "busy_within_available", pl.col("busy_s") >= pl.col("available_s") - 1)
    finding = found(validator, wrong, sample_of(wrong, LINES))["busy_within_available"]
    assert finding.kind == "audit_mismatch"
    assert finding.evidence["gate_only"] == 400 - 4


def test_a_gate_that_takes_the_future_for_the_present_is_found(validator: Validator) -> None:
    """The gate's own rule on event times ahead of their arrival is checked like the others."""
    sample = sample_of(ROBOT_STATE, LINES)
    blind = [row_without(row, "time.future") for row in sample.rows]
    finding = found(validator, ROBOT_STATE, replace_rows(sample, blind))["time.future"]
    assert finding.evidence["great_expectations_only_offsets"] == ["0:77", "0:177", "0:277", "0:377"]


def test_a_verdict_of_the_decoder_that_does_not_repeat_is_found(validator: Validator) -> None:
    """A message the gate called undecodable and that decodes, and the reverse, are critical."""
    sample = sample_of(ROBOT_STATE, LINES)
    rows = list(sample.rows)
    rows[0] = SampledRow("0", 0, ARRIVAL_US, rows[0].raw, ("decode.json",))
    rows[3] = row_without(rows[3], "decode.type")
    finding = found(validator, ROBOT_STATE, replace_rows(sample, rows))["decode"]
    assert (finding.kind, finding.evidence["offsets"]) == ("audit_mismatch", ["0:0", "0:3"])


@pytest.mark.parametrize(("column", "why"), [("battery_percent", "battery_percent"), ("robot", "same type")])
def test_a_rule_that_could_not_run_is_an_alarm(validator: Validator, column: str, why: str) -> None:
    """A missing column or a column of another type is a mismatch, never "no row fails"."""
    expectations = [
        {**e, "kwargs": {**e["kwargs"], "column": column}} if e["meta"]["code"] == "battery.range" else e
        for e in ROBOT_STATE.suite["expectations"]
    ]
    broken = replace(ROBOT_STATE, suite={**ROBOT_STATE.suite, "expectations": expectations})
    findings = found(validator, broken, sample_of(ROBOT_STATE, LINES))
    assert list(findings) == ["battery.range"]
    assert findings["battery.range"].kind == "audit_mismatch"
    assert "could not judge" in findings["battery.range"].reason
    assert why in findings["battery.range"].reason


def test_rules_that_only_great_expectations_runs_fail_with_what_was_seen(validator: Validator) -> None:
    """Distributions and look-ahead patterns are held against accepted rows; those that hold are silent."""
    registered = with_rules(
        ("expect_column_mean_to_be_between", "warning", {"column": "battery", "min_value": 60, "max_value": 100}),
        ("expect_column_mean_to_be_between", "warning", {"column": "battery", "min_value": 40, "max_value": 60}),
        ("expect_column_values_to_match_regex", "info", {"column": "robot", "regex": r"^r(?!7)\d\Z"}),
        ("expect_column_values_to_be_unique", "warning", {"column": "event_id"}),
    )
    assert len(registered.gx_lane) == 4
    findings = found(validator, registered, sample_of(registered, LINES))
    assert {code: (f.kind, f.severity) for code, f in findings.items()} == {
        "rule0": ("audit_failed", "warning"),
        "rule2": ("audit_failed", "info"),
    }
    assert "observed 50.0 over 384" in findings["rule0"].reason
    assert "32 of 384" in findings["rule2"].reason


@pytest.mark.parametrize(("every_s", "fails"), [(5.0, False), (3.0, False), (12.0, True), (2.0, True), (None, False)])
def test_the_volume_is_held_against_the_update_frequency(
    validator: Validator, every_s: float | None, fails: bool
) -> None:
    """Ten robots that report each 5 s are silent under a contract of 5 s, and not under one of twice or half."""
    registered = with_rules(update_every_s=every_s)
    findings = found(validator, registered, sample_of(registered, LINES))
    assert list(findings) == ["volume.update_frequency"] * fails


def test_a_sample_of_another_suite_is_not_judged_by_this_one(validator: Validator) -> None:
    """After a change of rules an old sample gives a warning and no false mismatch."""
    other = with_rules(("expect_column_values_to_not_be_null", "critical", {"column": "error"}))
    findings = found(validator, ROBOT_STATE, sample_of(other, LINES))
    assert {code: finding.kind for code, finding in findings.items()} == {"suite": "audit_failed"}


def test_samples_without_any_decodable_row_are_audited(validator: Validator) -> None:
    """Where nothing can be decoded there is nothing to validate, and no finding."""
    assert found(validator, ROBOT_STATE, sample_of(ROBOT_STATE, [b"{", b"[]"])) == {}
    assert found(validator, ROBOT_STATE, sample_of(ROBOT_STATE, [message(1, battery=-1.0)])) == {}


def test_the_folder_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in the working folder name theirs so; Great Expectations takes no such path."""
    from quality import audit_validator  # noqa: PLC0415 - see above

    monkeypatch.chdir(tmp_path)
    audit_validator.Validator(Path("audit"))
    assert (tmp_path / "audit").is_dir()


def test_data_docs_name_suites_and_rules_and_keep_a_bounded_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site has an index, shows each rule by its code with its failing rows, and never grows beyond its bound."""
    from quality import audit_validator  # noqa: PLC0415 - see above
    from quality.audit import Auditor  # noqa: PLC0415

    history = 4  # each page more takes a second
    monkeypatch.setattr(audit_validator, "HISTORY", history)
    validator = audit_validator.Validator(tmp_path)
    auditor = Auditor(ROBOT_STATE, validator)
    sample = sample_of(ROBOT_STATE, LINES)
    for n in range(history + 2):
        auditor.audit(sample, f"sample{n}", NOW + timedelta(seconds=n))
    validator.publish()
    index = (tmp_path / "docs" / "index.html").read_text()
    assert "robot.state@1" in index
    assert "robot.state@1 accepted" in index
    pages = sorted((tmp_path / "docs").rglob("sample*.html"))
    assert len(pages) == 2 * history
    assert len(list((tmp_path / "results").rglob("sample*.json"))) == 2 * history
    assert not [page for page in pages if page.name == "sample0.html"]
    text = next(page for page in pages if "accepted" not in str(page)).read_text()
    for code in ("battery.range", "mode.values", "time.future", "busy_within_available"):
        assert code in text
    assert "4 unexpected values found" in text


def row_without(row: SampledRow, code: str) -> SampledRow:
    return SampledRow(row.partition, row.offset, row.arrival_us, row.raw, tuple(c for c in row.codes if c != code))


def replace_rows(sample: Sample, rows: list[SampledRow]) -> Sample:
    return Sample(sample.run, sample.source, sample.contract, sample.suite_hash, sample.seen, sample.rejected, rows)
