"""Compile expectations to Polars: one boolean expression per rule, true where a row fails.

Compiled are the kinds that look at one row alone and whose verdict can be had exactly as Great Expectations has
it on pandas: a missing value (null, NaN) is skipped, except by the null checks and where one side of a pair is
missing. Uniqueness is left to Great Expectations on purpose: what it says depends on where batches are cut.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from quality.arguments import Arguments, present
from quality.conditions import columns_of, compile_condition
from quality.patterns import to_rust
from quality.suite import Expectation
from schemas.contract import Contract

if TYPE_CHECKING:
    from polars._typing import ClosedInterval

_ANY: Final = ("string", "integer", "number", "boolean", "timestamp", "strings")
_CLOSED: Final[Mapping[tuple[bool, bool], ClosedInterval]] = {
    (False, False): "both",
    (True, False): "right",
    (False, True): "left",
    (True, True): "none",
}
"""Interval by (strict_min, strict_max)."""

_FEW: Final = 8
_ORDERED: Final = ("string", "integer", "number", "timestamp")


def compile_rule(expectation: Expectation, contract: Contract) -> pl.Expr:
    """Boolean expression, never null, true where a row fails the expectation.

    Raises NotCompilableError where only Great Expectations can decide, ContractError where the rule is wrong.
    """
    arguments = Arguments(expectation, contract)
    compile_kind = KINDS.get(arguments.kind)
    if compile_kind is None:
        raise arguments.not_compilable("this kind of expectation does not look at one row alone")
    condition = arguments.take("row_condition")
    arguments.take("condition_parser")
    fails = compile_kind(arguments)
    if condition is not None:
        fails &= compile_condition(condition, arguments)
    arguments.finish()
    return fails


def columns_read(expectation: Expectation) -> set[str]:
    """Names of the columns an expectation looks at."""
    kwargs = expectation["kwargs"]
    named = {kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs}
    return named | set(kwargs.get("column_list", ())) | columns_of(kwargs.get("row_condition"))


def _fails(holds: pl.Expr) -> pl.Expr:
    """Failure of a condition that is null, and so skipped, for a missing value."""
    return ~holds.fill_null(value=True)


def _not_null(arguments: Arguments) -> pl.Expr:
    return present(arguments.field("column", _ANY)).is_null()


def _null(arguments: Arguments) -> pl.Expr:
    return present(arguments.field("column", _ANY)).is_not_null()


def _within(column: pl.Expr, arguments: Arguments) -> pl.Expr:
    low, high = arguments.bound("min_value"), arguments.bound("max_value")
    strict_low, strict_high = arguments.flag("strict_min"), arguments.flag("strict_max")
    if low is None and high is None:
        raise arguments.wrong("min_value or max_value is needed")
    if low is not None and high is not None and low > high:
        raise arguments.wrong(f"min_value {low} is above max_value {high}")
    if high is None:
        return _fails(column > low if strict_low else column >= low)
    if low is None:
        return _fails(column < high if strict_high else column <= high)
    return _fails(column.is_between(low, high, closed=_CLOSED[strict_low, strict_high]))


def _between(arguments: Arguments) -> pl.Expr:
    return _within(present(arguments.field("column", ("integer", "number"))), arguments)


def _lengths_between(arguments: Arguments) -> pl.Expr:
    return _within(present(arguments.field("column", ("string",))).str.len_chars(), arguments)


def _lengths_equal(arguments: Arguments) -> pl.Expr:
    length = arguments.bound("value")
    if length is None:
        raise arguments.wrong("value is needed")
    return _fails(present(arguments.field("column", ("string",))).str.len_chars() == length)


def _member(arguments: Arguments) -> pl.Expr:
    field = arguments.field("column", ("string", "integer"))
    values = arguments.values("value_set")
    kind = str if field.type == "string" else int
    if not values or not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
        raise arguments.wrong(f"value_set must hold values of type {field.type}")
    column = present(field)
    # A few comparisons are three times as fast as a look-up in a set.
    return pl.any_horizontal([column == value for value in values]) if len(values) <= _FEW else column.is_in(values)


def _in_set(arguments: Arguments) -> pl.Expr:
    return _fails(_member(arguments))


def _not_in_set(arguments: Arguments) -> pl.Expr:
    return _fails(~_member(arguments))


def _found(arguments: Arguments) -> pl.Expr:
    column = present(arguments.field("column", ("string",)))
    pattern = str(arguments.take("regex", default=""))
    try:
        re.compile(pattern)
    except re.error as error:
        raise arguments.wrong(f"regex {pattern!r}: {error}") from error
    rust = to_rust(pattern)
    if rust is None:
        raise arguments.not_compilable(f"regex {pattern!r} is outside of what Python and Rust read alike")
    return column.str.contains(rust)


def _matches(arguments: Arguments) -> pl.Expr:
    return _fails(_found(arguments))


def _matches_not(arguments: Arguments) -> pl.Expr:
    return _fails(~_found(arguments))


def _pair(arguments: Arguments, holds: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    first = arguments.field("column_A", _ORDERED)
    second = arguments.field("column_B", (first.type,))
    a, b = present(first), present(second)
    ignore = arguments.take("ignore_row_if", default="both_values_are_missing")
    if ignore == "either_value_is_missing":
        return _fails(holds(a, b))
    if first.type == "integer" and (first.may_be_null or second.may_be_null):
        raise arguments.wrong("on integers that may be null set ignore_row_if: either_value_is_missing")
    if ignore == "both_values_are_missing":
        return ~holds(a, b).fill_null(value=False) & ~(a.is_null() & b.is_null())
    raise arguments.not_compilable(f"ignore_row_if {ignore!r}")


def _pair_greater(arguments: Arguments) -> pl.Expr:
    if arguments.flag("or_equal"):
        return _pair(arguments, lambda a, b: a >= b)
    return _pair(arguments, lambda a, b: a > b)


def _pair_equal(arguments: Arguments) -> pl.Expr:
    return _pair(arguments, lambda a, b: a == b)


def _sum_equal(arguments: Arguments) -> pl.Expr:
    fields = [arguments.field_named(name, ("integer",)) for name in arguments.values("column_list")]
    total = arguments.bound("sum_total")
    if len(fields) < 2 or total is None:  # noqa: PLR2004 - a sum of one is no sum
        raise arguments.wrong("column_list of at least two fields and sum_total are needed")
    if any(field.may_be_null for field in fields):
        raise arguments.not_compilable("a sum over fields that may be null")
    # Both pandas and Polars wrap around on overflow.
    return reduce(operator.add, [pl.col(field.name) for field in fields]) != total


KINDS: Final[Mapping[str, Callable[[Arguments], pl.Expr]]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_between": _between,
    "expect_column_value_lengths_to_be_between": _lengths_between,
    "expect_column_value_lengths_to_equal": _lengths_equal,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_pair_values_a_to_be_greater_than_b": _pair_greater,
    "expect_column_pair_values_to_be_equal": _pair_equal,
    "expect_multicolumn_sum_to_equal": _sum_equal,
}
"""Kinds that are compiled. What is not here is left to Great Expectations when the contract is registered."""
