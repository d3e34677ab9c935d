"""Registering a contract compiles its rules or refuses them; nothing is left to find out while rows flow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from quality.registration import register
from schemas.contract import Contract, Field, Rule, Severity
from schemas.errors import ContractError
from schemas.registry import contracts
from tests.quality.hard_values import CONTRACT


def having(kind: str, kwargs: dict[str, Any], severity: Severity = "critical") -> Contract:
    return replace(CONTRACT, rules=(Rule("mine", severity, kind, kwargs),))


@pytest.mark.parametrize("key", sorted(contracts()))
def test_shipped_contracts_are_compiled_in_full(key: str) -> None:
    """No rule of a shipped contract needs the Great Expectations lane."""
    registered = register(contracts()[key])
    assert registered.gx_lane == ()
    assert len(registered.rules) == len(registered.suite["expectations"])


def compared(column: str, operator: str, parameter: object) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


BETWEEN = "expect_column_values_to_be_between"
NOT_EXACT = [
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["id", "at"]}),
    ("expect_column_mean_to_be_between", {"column": "f", "min_value": 0}),
    (BETWEEN, {"column": "i", "max_value": 2**53}),
    (BETWEEN, {"column": "i", "min_value": 0, "mostly": 0.9}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": 'col("i") > 1', "condition_parser": "pandas"}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("k", "!=", 1)}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("s", "==", "a\n")}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("i", "<", 2**53)}),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": r"\d"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "i", "column_B": "j", "ignore_row_if": "neither"}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["i", "k"], "sum_total": 1}),
]


@pytest.mark.parametrize(("kind", "kwargs"), NOT_EXACT)
def test_what_cannot_be_exact_goes_to_the_lane_or_is_refused(kind: str, kwargs: dict[str, Any]) -> None:
    """As a warning it is left to Great Expectations; as critical it is refused, since it decides on rows."""
    registered = register(having(kind, kwargs, "warning"))
    assert [e["meta"]["code"] for e in registered.gx_lane] == ["mine"]
    assert "mine" not in [rule.code for rule in registered.rules]
    with pytest.raises(ContractError, match="mine"):
        register(having(kind, kwargs))


WRONG = [
    ("expect_the_unexpected", {"column": "i"}),
    ("expect_column_values_to_be_dateutil_parseable", {"column": "s"}),
    (BETWEEN, {"column": "speed", "min_value": 0}),
    (BETWEEN, {"column": "s", "min_value": 0}),
    (BETWEEN, {"column": "at", "min_value": 0}),
    (BETWEEN, {"column": "i"}),
    (BETWEEN, {"column": "i", "min_value": 2, "max_value": 1}),
    (BETWEEN, {"column": "i", "min_value": "0"}),
    (BETWEEN, {"column": "f", "min_value": float("nan")}),
    ("expect_column_values_to_be_in_set", {"column": "s", "value_set": []}),
    ("expect_column_values_to_be_in_set", {"column": "s", "value_set": [1]}),
    ("expect_column_values_to_be_in_set", {"column": "i", "value_set": [True]}),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": "("}),
    ("expect_column_values_to_match_regex", {"column": "i", "regex": "a"}),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": "(a{1000}){1000}"}),  # too large for Polars alone
    ("expect_column_value_lengths_to_equal", {"column": "s"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "i", "column_B": "f"}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "i", "column_B": "k"}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["i"], "sum_total": 1}),
    ("expect_multicolumn_sum_to_equal", {"column_list": "i", "sum_total": 1}),
    ("expect_column_values_to_be_in_set", {"column": "s", "value_set": "idle"}),
    (BETWEEN, {"column": "i", "min_value": 0, "strict_min": "yes"}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": {}}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": {"type": "comparison"}}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": {"type": "and", "conditions": []}}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("s", "==", 1)}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("i", "~", 1)}),
    (BETWEEN, {"column": "i", "min_value": 0, "row_condition": compared("i", "IN", 1)}),
    ("expect_column_mean_to_be_between", {"column": "speed", "min_value": 0}),
]


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize(("kind", "kwargs"), WRONG)
def test_what_nothing_can_run_is_refused_at_any_severity(kind: str, kwargs: dict[str, Any], severity: Severity) -> None:
    """A rule that is wrong in itself never reaches a stream."""
    with pytest.raises(ContractError, match="mine"):
        register(having(kind, kwargs, severity))


def test_all_wrong_rules_are_named_at_once() -> None:
    """Two wrong rules make one error that names both."""
    rules = tuple(Rule(code, "info", BETWEEN, {"column": code}) for code in ("speed", "colour"))
    with pytest.raises(ContractError, match=r"2 rule\(s\)") as error:
        register(replace(CONTRACT, rules=rules))
    assert "speed" in str(error.value)
    assert "colour" in str(error.value)


def test_a_code_stands_for_one_rule() -> None:
    """A rule of the contract cannot take the code of a field's check."""
    rule = Rule("i.required", "info", BETWEEN, {"column": "i", "min_value": 0})
    with pytest.raises(ContractError, match=r"i\.required stands for two rules"):
        register(replace(CONTRACT, rules=(rule,)))


def test_a_mask_holds_64_rules_and_no_more() -> None:
    """The 64th rule still has its own bit; a 65th is refused."""
    required = sum(not field.may_be_null for field in CONTRACT.fields)
    fields = tuple(Field(f"n{n}", "integer", required=False, default=0) for n in range(64 - required))
    registered = register(replace(CONTRACT, fields=(*CONTRACT.fields, *fields)))
    row = {"i": 0, "j": 0, "id": "a", "at": 0} | {field.name: 0 for field in fields}
    frame = pl.DataFrame([row | {registered.contract.fields[-1].name: None}], schema=[*row])
    assert registered.masks(frame.cast({"at": pl.Datetime("us", "UTC")})).tolist() == [1 << 63]
    with pytest.raises(ContractError, match="holds 64"):
        register(replace(CONTRACT, fields=(*CONTRACT.fields, *fields, Field("last", "integer"))))
