"""Arguments of one expectation, checked against the contract as they are taken."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

import polars as pl

from schemas.contract import Contract, Field
from schemas.errors import ContractError

EXACT_INTEGER: Final = 2**53 - 1
"""Great Expectations turns bounds into floats; up to here that changes no comparison with a 64-bit integer."""

_IGNORED: Final = frozenset({"column_index", "result_format", "catch_exceptions"})


class NotCompilableError(ContractError):
    """A sound expectation that the gate cannot decide exactly, row by row; Great Expectations can."""


class Arguments:
    """The kwargs of an expectation. Every one must be taken: what is not understood is not compiled."""

    def __init__(self, expectation: Mapping[str, Any], contract: Contract) -> None:
        self.kind = str(expectation["type"])
        self.place = f"{contract.key}, rule {expectation['meta']['code']} ({self.kind})"
        self.contract = contract
        self._left = {name: value for name, value in expectation["kwargs"].items() if name not in _IGNORED}

    def take(self, name: str, default: Any = None) -> Any:
        """Value of an argument, or `default` where it is absent or null."""
        value = self._left.pop(name, None)
        return default if value is None else value

    def finish(self) -> None:
        """Refuse to compile when an argument was not taken; `mostly` 1 says nothing and may stay."""
        if self._left.pop("mostly", 1) != 1:
            raise self.not_compilable("`mostly` judges a batch, not a row")
        if self._left:
            raise self.not_compilable(f"argument {', '.join(sorted(self._left))} is not understood")

    def field(self, name: str, types: Collection[str]) -> Field:
        """Field named by argument `name`, which must be of one of `types`."""
        return self.field_named(self.take(name), types)

    def field_named(self, value: object, types: Collection[str]) -> Field:
        """Field of the contract with that name and one of `types`."""
        if value not in self.contract.field_names:
            raise self.wrong(f"the contract has no field {value!r}")
        field = self.contract.field(str(value))
        if field.type not in types:
            raise self.wrong(f"field {field.name} is of type {field.type}, not {' or '.join(types)}")
        return field

    def bound(self, name: str) -> float | None:
        """Numeric argument that compares exactly, as an int where it is one."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(f"{name} {value!r} is not a finite number")
        if abs(value) > EXACT_INTEGER:
            raise self.not_compilable(f"{name} {value} is beyond 2^53 - 1, where integers are not exact")
        return int(value) if value == int(value) else float(value)

    def flag(self, name: str) -> bool:
        """Boolean argument, false where it is absent."""
        value = self.take(name, default=False)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} {value!r} is not true or false")
        return value

    def values(self, name: str) -> list[Any]:
        """List argument, empty where it is absent."""
        value = self.take(name, default=[])
        if not isinstance(value, list):
            raise self.wrong(f"{name} {value!r} is not a list")
        return value

    def wrong(self, problem: str) -> ContractError:
        """Error for a rule that nothing can run."""
        return ContractError(f"{self.place}: {problem}", fix="correct the rule in the contract")

    def not_compilable(self, problem: str) -> NotCompilableError:
        """Error for a rule that only Great Expectations can run."""
        return NotCompilableError(
            f"{self.place}: {problem}",
            fix="make it a warning or info, which Great Expectations checks on samples, or express it otherwise",
        )


def present(field: Field) -> pl.Expr:
    """Column of a field with NaN as null: Great Expectations takes NaN for missing."""
    column = pl.col(field.name)
    return column.fill_nan(None) if field.type == "number" else column
