"""From a contract to a Great Expectations suite: plain JSON, the one source of every rule.

The suite is what the compiler compiles and what Great Expectations loads. Each expectation carries in `meta` a
stable `code`, by which quarantined rows name it, and a `severity`:

    <field>.required   the field is not null
    <field>.values     it is one of the allowed values
    <field>.range      it lies within its bounds
    <field>.length     its length in code points does
    <field>.pattern    its pattern is found in it

These are critical. The contract's own rules follow with their codes and severities. A row that fails a critical
rule is quarantined; failures of the others are counted and the row goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from quality.patterns import to_python
from schemas.contract import Contract, Field

Expectation = Mapping[str, Any]
"""`{"type": ..., "kwargs": {...}, "severity": ..., "meta": {"code": ..., "severity": ...}}`"""

Suite = Mapping[str, Any]
"""`{"name": "<contract>@<version>", "expectations": [...]}`"""


def make_suite(contract: Contract) -> Suite:
    """Suite of a contract; the order of its expectations is the order of reasons in quarantine."""
    expectations = [e for field in contract.fields for e in _of_field(field)]
    expectations += [_expectation(rule.expectation, rule.kwargs, rule.code, rule.severity) for rule in contract.rules]
    return {"name": contract.key, "expectations": expectations}


def suite_json(suite: Suite) -> str:
    """Canonical JSON: sorted keys, no blanks, ASCII. Equal suites have equal text."""
    return json.dumps(suite, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def suite_hash(suite: Suite) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits: names the rules in force wherever rows are stored."""
    return hashlib.sha256(suite_json(suite).encode()).hexdigest()


def _expectation(kind: str, kwargs: Mapping[str, Any], code: str, severity: str) -> Expectation:
    meta = {"code": code, "severity": severity}
    return {"type": kind, "kwargs": dict(kwargs), "severity": severity, "meta": meta}


def _of_field(field: Field) -> Iterator[Expectation]:
    def critical(name: str, kind: str, **kwargs: Any) -> Expectation:
        given = {key: value for key, value in kwargs.items() if value is not None}
        return _expectation(kind, {"column": field.name, **given}, f"{field.name}.{name}", "critical")

    if not field.may_be_null:
        yield critical("required", "expect_column_values_to_not_be_null")
    if field.values:
        yield critical("values", "expect_column_values_to_be_in_set", value_set=list(field.values))
    low = field.minimum if field.minimum is not None else field.exclusive_minimum
    high = field.maximum if field.maximum is not None else field.exclusive_maximum
    if low is not None or high is not None:
        yield critical(
            "range",
            "expect_column_values_to_be_between",
            min_value=low,
            max_value=high,
            strict_min=True if field.exclusive_minimum is not None else None,
            strict_max=True if field.exclusive_maximum is not None else None,
        )
    if field.min_length is not None or field.max_length is not None:
        yield critical(
            "length",
            "expect_column_value_lengths_to_be_between",
            min_value=field.min_length,
            max_value=field.max_length,
        )
    if field.pattern is not None:
        yield critical("pattern", "expect_column_values_to_match_regex", regex=to_python(field.pattern))
