"""Frames of any output with made-up, distinguishable rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from schemas.outputs import OUTPUTS, Column

START = datetime(2025, 3, 1, tzinfo=UTC)


def rows_of(output: str, count: int, *, first: int = 0) -> pl.DataFrame:
    """Frame of `count` rows numbered from `first`; every value is a function of column and number."""
    declared = OUTPUTS[output]
    numbers = range(first, first + count)
    data = {c.name: [_value(c, n) for n in numbers] for c in declared.columns}
    return pl.DataFrame(data, schema=declared.schema)


def _value(column: Column, number: int) -> object:
    values: dict[str, object] = {
        "string": f"{column.name}-{number}",
        "integer": number,
        "number": number / 7,
        "decimal": Decimal(number * 1_001) / 1_000,
        "boolean": number % 2 == 0,
        "timestamp": START + timedelta(minutes=number),
        "bytes": bytes([number % 256, 0, 255]),
        "strings": [f"rule-{number}", "R2"],
    }
    return values[column.kind]
