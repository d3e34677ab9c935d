"""JSON messages made column by column: each field is a Series of JSON text, each message their concatenation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

Int64 = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64] | Int64
Fields = dict[str, pl.Series | str]
"""JSON text of each field of a message: a Series with one entry per message, or the same text for all."""

MILLIS = pl.Series([f"{i:03d}" for i in range(1_000)])
_TENTHS = pl.Series([f"{i / 10:.1f}" for i in range(2_001)])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compose(fields: Fields) -> pl.Series:
    """Messages from their fields, in the order of the fields."""
    parts: list[pl.Expr] = []
    literal = "{"
    series: list[pl.Series] = []
    for name, value in fields.items():
        literal += f"{json.dumps(name)}:"
        if isinstance(value, str):
            literal += value
        else:
            parts += [pl.lit(literal), pl.col(str(len(series)))]
            series.append(value.alias(str(len(series))))
            literal = ""
        literal += ","
    parts.append(pl.lit(literal.removesuffix(",") + "}"))
    return pl.DataFrame(series).select(pl.concat_str(parts)).to_series()


def rows(fields: Fields, index: Int64) -> Fields:
    """The fields of some of the messages."""
    # One frame for all: to gather each Series by itself costs ten times as much where few are wanted.
    picked = pl.DataFrame({name: v for name, v in fields.items() if not isinstance(v, str)})[index]
    return {name: v if isinstance(v, str) else picked[name] for name, v in fields.items()}


def names(values: Sequence[str], index: Int64) -> pl.Series:
    """JSON strings picked from a table of values."""
    return pl.Series([json.dumps(v) for v in values]).gather(index)


def integers(values: Numbers) -> pl.Series:
    """JSON integers."""
    return pl.Series(values.astype(np.int64)).cast(pl.String)


def tenths(values: npt.NDArray[np.float64]) -> pl.Series:
    """JSON numbers between 0 and 200, rounded to one decimal."""
    return _TENTHS.gather(np.rint(values * 10).astype(np.int64))


def seconds(values_ms: Numbers) -> pl.Series:
    """JSON numbers: milliseconds not below zero, written as seconds with three decimals."""
    whole, millis = np.divmod(values_ms.astype(np.int64), 1_000)
    return pl.select(pl.concat_str(integers(whole), pl.lit("."), MILLIS.gather(millis))).to_series()


def timestamps(start: datetime, times_ms: Int64) -> pl.Series:
    """JSON strings: RFC 3339 with milliseconds in UTC, of times since `start`."""
    since = (start - _EPOCH) // timedelta(milliseconds=1) + times_ms
    whole, millis = np.divmod(since, 1_000)
    first, last = (int(whole.min()), int(whole.max())) if len(whole) else (0, 0)
    table = pl.Series(np.datetime_as_string(np.arange(first, last + 1).astype("datetime64[s]")))
    columns = (pl.lit('"'), table.gather(whole - first), pl.lit("."), MILLIS.gather(millis), pl.lit('Z"'))
    return pl.select(pl.concat_str(*columns)).to_series()
