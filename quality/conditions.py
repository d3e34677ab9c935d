"""Row conditions of expectations: which rows an expectation looks at, as a Polars expression.

As Great Expectations runs them on pandas: a comparison with a missing value is false, but `!=` and `NOT_IN` are
true of a missing value (and pandas is of two minds about missing integers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from quality.arguments import EXACT_INTEGER, Arguments, present
from schemas.contract import Field

_COMPARE: Final[Mapping[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "IN": lambda column, value: column.is_in(value),
    "NOT_IN": lambda column, value: ~column.is_in(value),
}
_TYPES: Final = ("string", "integer", "number")
_TRUE_OF_MISSING: Final = ("!=", "NOT_IN")


def compile_condition(condition: object, arguments: Arguments) -> pl.Expr:
    """True where a row is looked at, never null. Raises ContractError where it cannot be compiled."""
    if not isinstance(condition, Mapping):
        raise arguments.not_compilable("a row_condition must be a condition object, not text")
    match condition:
        case {"type": "and", "conditions": [*parts]} if parts:
            return pl.all_horizontal([compile_condition(part, arguments) for part in parts])
        case {"type": "or", "conditions": [*parts]} if parts:
            return pl.any_horizontal([compile_condition(part, arguments) for part in parts])
        case {"type": "nullity", "column": {"name": name}, "is_null": bool(is_null)}:
            column = present(arguments.field_named(name, _TYPES))
            return column.is_null() if is_null else column.is_not_null()
        case {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}:
            return _compare(arguments.field_named(name, _TYPES), operator, parameter, arguments)
    raise arguments.wrong(f"row_condition {condition!r} is not one that Great Expectations has")


def _compare(field: Field, operator: str, parameter: object, arguments: Arguments) -> pl.Expr:
    if operator not in _COMPARE:
        raise arguments.wrong(f"row_condition operator {operator!r}")
    if operator in _TRUE_OF_MISSING and field.type == "integer" and field.may_be_null:
        raise arguments.not_compilable(f"row_condition {operator} on integers that may be null")
    _check_parameter(field, operator, parameter, arguments)
    return _COMPARE[operator](present(field), parameter).fill_null(operator in _TRUE_OF_MISSING)


def columns_of(condition: object) -> set[str]:
    """Names of the columns a condition reads."""
    if not isinstance(condition, Mapping):
        return set()
    if "conditions" in condition:
        return {name for part in condition["conditions"] for name in columns_of(part)}
    return {condition["column"]["name"]}


def _check_parameter(field: Field, operator: str, parameter: object, arguments: Arguments) -> None:
    values = parameter if operator in ("IN", "NOT_IN") else [parameter]
    if not isinstance(values, list) or not values:
        raise arguments.wrong(f"row_condition {operator} needs a list of values")
    for value in values:
        if field.type == "string":
            right = isinstance(value, str)
        else:
            right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right:
            raise arguments.wrong(f"row_condition compares {field.name} ({field.type}) with {value!r}")
        if isinstance(value, int | float) and abs(value) > EXACT_INTEGER:
            raise arguments.not_compilable(f"row_condition value {value} is beyond 2^53 - 1")
        if field.type == "string" and not str(value).isprintable():
            raise arguments.not_compilable("row_condition text goes through pandas' query language")
