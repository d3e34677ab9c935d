"""A contract with one field of each kind, a frame of hard values for it, and rules to hold against them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import polars as pl

from schemas.contract import Contract, Field

EXACT = 2**53
INT64 = 2**63

CONTRACT = Contract(
    name="hard",
    version="1",
    description="Hard values",
    owner="tests",
    fields=(
        Field("i", "integer"),
        Field("j", "integer"),
        Field("k", "integer", required=False, nullable=True),
        Field("f", "number", required=False, nullable=True),
        Field("g", "number", required=False, nullable=True),
        Field("s", "string", required=False, nullable=True),
        Field("u", "string", required=False, nullable=True),
        Field("id", "string"),
        Field("at", "timestamp"),
        Field("until", "timestamp", required=False, nullable=True),
    ),
    rules=(),
    idempotency_key=("id",),
    entity_field="id",
    event_time_field="at",
    future_tolerance_s=300,
    deprecation_days=0,
)

INTEGERS = (0, 1, -1, 2, 99, 100, 101, EXACT - 2, EXACT - 1, EXACT, EXACT + 1, -EXACT, -EXACT - 1, INT64 - 1, -INT64)
NUMBERS = (
    None,
    math.nan,
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1.0,
    100.0,
    math.nextafter(100.0, 101.0),
    math.nextafter(100.0, 99.0),
    float(EXACT),
    float(EXACT - 1),
    1.7976931348623157e308,
    math.inf,
    -math.inf,
)
STRINGS = (
    None,
    "",
    "a",
    "b",
    "ab",
    "A",
    "a\n",
    "a\r",
    "\n",
    "a\nb",
    "ba",
    " a",
    "a ",
    "a\x00",
    "\u00e9",  # e with acute, composed
    "e\u0301",  # the same, decomposed
    "\U0001f600",
    "a\u2028",
    "a\x85",
    "\u212a",  # Kelvin sign: equals k when case is ignored
    "\u0663",  # a digit to \d
    "nan",
    "None",
    "<NA>",
    "x" * 64,
    "x" * 65,
    "\u00e9" * 64,
    "\U0001f600" * 64,
    "\U0001f600" * 65,
    "$",
    "a-b",
    "a]b",
    "a.b",
    "idle",
)
TIMES = (None, 0, 1, -1, 1_772_323_199_999_999, 1_772_323_200_000_000, 9_214_646_399_999_999)


def hard_frame() -> pl.DataFrame:
    """Every hard value, and every pair of the first few, in columns of `CONTRACT`."""
    pairs = list(itertools.product(range(15), range(15)))
    rows = [_row(a, b) for a, b in pairs] + [_row(n, n + 1) for n in range(len(STRINGS))]
    schema = {field.name: field.dtype for field in CONTRACT.fields}
    return pl.DataFrame({"id": [f"r{n}" for n in range(len(rows))]} | _columns(rows)).cast(schema).select(*schema)


def _row(a: int, b: int) -> dict[str, Any]:
    def pick(values: tuple[Any, ...], at: int) -> Any:
        return values[at % len(values)]

    return {
        "i": pick(INTEGERS, a),
        "j": pick(INTEGERS, b),
        "k": pick((None, *INTEGERS), a),
        "f": pick(NUMBERS, a),
        "g": pick(NUMBERS, b),
        "s": pick(STRINGS, a),
        "u": pick(STRINGS, b),
        "at": pick(TIMES[1:], a),
        "until": pick(TIMES, b),
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, pl.Series]:
    return {
        name: pl.Series(
            name,
            [row[name] for row in rows],
            dtype=pl.Int64 if name in ("at", "until") else CONTRACT.field(name).dtype,
        )
        for name in rows[0]
    }


def _compare(column: str, operator: str, parameter: object) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


def _null(column: str, *, is_null: bool) -> dict[str, Any]:
    return {"type": "nullity", "column": {"name": column}, "is_null": is_null}


_BETWEEN = "expect_column_values_to_be_between"
_LENGTHS = "expect_column_value_lengths_to_be_between"
_MATCH = "expect_column_values_to_match_regex"
_MATCH_NOT = "expect_column_values_to_not_match_regex"
_IN = "expect_column_values_to_be_in_set"
_NOT_IN = "expect_column_values_to_not_be_in_set"
_GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
_EQUAL = "expect_column_pair_values_to_be_equal"

PATTERNS = (
    r"^a$",
    r"^a\Z",
    r"a$",
    r"^[!-~]+\Z",
    r"^[!-~]+$",
    r"^.$",
    r"^.\Z",
    r"^[^a]*\Z",
    r"a.b",
    r"a\.b",
    r"^(?:a|b){1,2}\Z",
    r"^(a|b)\Z|^x+\Z",
    r"^[a\]\-]+\Z",
    r"^\$\Z",
    r"\n",
    "\u00e9",
    r"^x{64}\Z",
    r"^x{64,}\Z",
    r"k",
    r"",
)

RULES: list[tuple[str, dict[str, Any]]] = [
    *(("expect_column_values_to_not_be_null", {"column": c}) for c in ("i", "k", "f", "s", "at", "until")),
    *(("expect_column_values_to_be_null", {"column": c}) for c in ("i", "k", "f", "s", "until")),
    *(
        (_BETWEEN, {"column": column} | bounds | strict)
        for column, bounds, strict in itertools.product(
            ("i", "k", "f"),
            (
                {"min_value": 0},
                {"max_value": 100},
                {"min_value": 0, "max_value": 100},
                {"min_value": -(EXACT - 1), "max_value": EXACT - 1},
                {"min_value": 0.5, "max_value": 99.5},
            ),
            ({}, {"strict_min": True}, {"strict_max": True}, {"strict_min": True, "strict_max": True}),
        )
    ),
    *(
        (_LENGTHS, {"column": "s"} | bounds)
        for bounds in (
            {"min_value": 1},
            {"max_value": 64},
            {"min_value": 1, "max_value": 64},
            {"min_value": 2, "max_value": 2},
            {"min_value": 1, "max_value": 64, "strict_min": True},
            {"min_value": 1, "max_value": 64, "strict_max": True},
        )
    ),
    *(("expect_column_value_lengths_to_equal", {"column": "s", "value": n}) for n in (0, 1, 2, 64)),
    *((kind, {"column": "s", "regex": pattern}) for kind in (_MATCH, _MATCH_NOT) for pattern in PATTERNS),
    *(
        (kind, {"column": column, "value_set": values})
        for kind in (_IN, _NOT_IN)
        for column, values in (
            ("s", ["a", "idle", "\u00e9", ""]),
            ("s", ["nan", "None", "<NA>"]),
            ("s", [f"v{n}" for n in range(20)] + ["a"]),
            ("i", [0, EXACT + 1, INT64 - 1]),
            ("i", [*range(20), EXACT]),
            ("k", [0, EXACT + 1, -INT64]),
        )
    ),
    *(
        (_GREATER, {"column_A": a, "column_B": b} | options)
        for (a, b), options in itertools.product(
            (("i", "j"), ("f", "g"), ("s", "u"), ("at", "until")),
            ({}, {"or_equal": True}, {"or_equal": True, "ignore_row_if": "either_value_is_missing"}),
        )
    ),
    *((_EQUAL, {"column_A": a, "column_B": b}) for a, b in (("i", "j"), ("f", "g"), ("s", "u"), ("at", "until"))),
    *((_EQUAL, {"column_A": a, "column_B": b, "ignore_row_if": "either_value_is_missing"}) for a, b in (("f", "g"),)),
    *(("expect_multicolumn_sum_to_equal", {"column_list": ["i", "j"], "sum_total": n}) for n in (0, 2, 100)),
    *(
        (_BETWEEN, {"column": "f", "min_value": 1, "row_condition": condition})
        for condition in (
            *(_compare("s", operator, "a") for operator in ("==", "!=")),
            *(_compare("s", operator, ["a", "idle"]) for operator in ("IN", "NOT_IN")),
            *(_compare("i", operator, 100) for operator in ("==", "!=", "<", "<=", ">", ">=")),
            *(_compare("i", operator, [0, 100]) for operator in ("IN", "NOT_IN")),
            *(_compare("k", operator, 100) for operator in ("==", "<", "<=", ">", ">=")),
            *(_compare("g", operator, 100.0) for operator in ("==", "!=", "<", "<=", ">", ">=")),
            *(_compare("g", operator, [0.0, 100.0]) for operator in ("IN", "NOT_IN")),
            *(_null(column, is_null=flag) for column in ("s", "g", "k") for flag in (True, False)),
            {"type": "and", "conditions": [_compare("s", "!=", "a"), _compare("i", ">", 0)]},
            {"type": "or", "conditions": [_compare("s", "==", "a"), _null("g", is_null=True)]},
        )
    ),
    ("expect_column_values_to_not_be_null", {"column": "s", "row_condition": _compare("i", ">", 0)}),
    (_GREATER, {"column_A": "f", "column_B": "g", "row_condition": _compare("s", "!=", "a")}),
]
"""Kind and kwargs of rules that the gate compiles; each verdict is held against Great Expectations."""


def expectation(number: int) -> dict[str, Any]:
    """Rule `number` of `RULES` as an expectation of a suite."""
    kind, kwargs = RULES[number]
    meta = {"code": f"rule{number}", "severity": "critical"}
    return {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": meta}
