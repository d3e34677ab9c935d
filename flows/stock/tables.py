"""Frames of the core as rows of outputs: microseconds as timestamps, thousandths as decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from schemas.outputs import Output

_THOUSANDTH = 1_000


def table(output: Output, frame: pl.DataFrame, renamed: Mapping[str, str] = {}) -> pl.DataFrame:
    """Rows of an output of a frame with its columns; `renamed` tells which of them have another name there."""
    frame = frame.rename(dict(renamed), strict=False) if renamed else frame
    schema = frame.schema
    return frame.select(_column(column.name, column.kind, schema[column.name]) for column in output.columns)


def joined(frames: Iterable[pl.DataFrame]) -> pl.DataFrame | None:
    """All rows, or None where there are none."""
    some = [frame for frame in frames if frame.height]
    return pl.concat(some) if len(some) > 1 else next(iter(some), None)


def _column(name: str, kind: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind == "timestamp" and dtype == pl.Int64:
        return column.cast(pl.Datetime("us", "UTC"))
    if kind == "decimal" and dtype == pl.Int64:
        return (column.cast(pl.Decimal(38, 3)) / _THOUSANDTH).cast(pl.Decimal(18, 3))
    return column.cast(pl.Int64) if kind == "integer" else column
