"""A data contract: what one kind of event must look like, and who stands for it.

The document is ODCS 3.1 (`schemas.odcs` reads it); this is the part of it that the program works with.
Models are closed: a message with a field the contract does not name is rejected, so that adding a field is a
new version and never an accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from schemas.outputs import POLARS_TYPES

FieldType = Literal["string", "integer", "number", "boolean", "timestamp", "strings"]
Severity = Literal["critical", "warning", "info"]
Scalar = str | int | float | bool
_PolarsType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a flat event.

    `required`: the key must be there. `nullable`: JSON null is allowed. An absent optional field reads as
    `default` (null without one). Bounds are inclusive unless the `exclusive_*` ones are set; lengths count
    Unicode code points. `unit` is UCUM, "1" for a plain number, "" where none makes sense.
    """

    name: str
    type: FieldType
    required: bool = True
    nullable: bool = False
    default: Scalar | None = None
    unit: str = ""
    description: str = ""
    values: tuple[str, ...] = ()
    """Allowed values of a string field; empty when any value is."""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    """Regular expression that must be found in the value (ECMA-262 as in ODCS: `$` is the very end)."""

    @property
    def dtype(self) -> _PolarsType:
        """Polars type of the decoded column."""
        return POLARS_TYPES[self.type]

    @property
    def may_be_null(self) -> bool:
        """Whether the decoded column can hold a null: JSON null, or absent without a default."""
        return self.nullable or (not self.required and self.default is None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A quality rule beyond what the fields say: a Great Expectations expectation with a code and severity."""

    code: str
    severity: Severity
    expectation: str
    kwargs: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one event type.

    `idempotency_key` names the fields whose values identify an event for ever; `entity_field` the thing it is
    about; `event_time_field` when it happened. An event time more than `future_tolerance_s` seconds after the
    arrival of its message is refused. `update_every_s`: how often one entity reports (None: on change).
    A version stays readable for `deprecation_days` days after its successor is published.
    """

    name: str
    version: str
    description: str
    owner: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    idempotency_key: tuple[str, ...]
    entity_field: str
    event_time_field: str
    future_tolerance_s: float
    deprecation_days: int
    update_every_s: float | None = None

    @property
    def key(self) -> str:
        """Name and version, as stored with every row: `robot.state@1`."""
        return f"{self.name}@{self.version}"

    def field(self, name: str) -> Field:
        """Field by name; KeyError where there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of all fields in document order."""
        return tuple(field.name for field in self.fields)
