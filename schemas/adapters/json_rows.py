"""Rows of a frame as JSON messages, so that tabular inputs go through the same gate as everything else."""

from __future__ import annotations

import msgspec
import polars as pl

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def as_json(frame: pl.DataFrame) -> list[bytes]:
    """One JSON object per row: timestamps as RFC 3339 in UTC (naive ones are UTC), nulls left out.

    >>> as_json(pl.DataFrame({"robot": ["r1"], "x": [None], "battery": [50.5]}))
    [b'{"robot":"r1","battery":50.5}']
    """
    texts = [_utc_text(name, dtype) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    rows = frame.with_columns(texts).iter_rows(named=True)
    return [_ENCODER.encode({k: v for k, v in row.items() if v is not None}) for row in rows]


def _utc_text(name: str, dtype: pl.Datetime) -> pl.Expr:
    column = pl.col(name)
    utc = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
    return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
