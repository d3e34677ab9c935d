"""Frames of rows, and as bytes: stored state is versioned primitives and Arrow IPC, never classes; times as numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl


def frame_of(rows: Sequence[tuple[Any, ...]], schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """A frame of rows; of no rows one that is there: most calls have none of most kinds, and to make it takes long."""
    return pl.DataFrame(rows, schema=schema, orient="row") if rows else _empty(tuple(schema.items()))


@cache
def _empty(columns: tuple[tuple[str, pl.DataType | type[pl.DataType]], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


def to_bytes(frame: pl.DataFrame) -> bytes:
    """Arrow IPC bytes of a frame. For storage, not for comparison: bytes under nulls are undefined."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc(buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> pl.DataFrame:
    """Frame from `to_bytes`."""
    return pl.read_ipc(io.BytesIO(data))


def micros(times: pl.Series) -> npt.NDArray[np.int64]:
    """Microseconds of a column of times without nulls: Int64, or Datetime in microseconds.

    >>> micros(pl.Series([7]).cast(pl.Datetime("us", "UTC"))).tolist()
    [7]
    """
    # `to_physical` makes a query of it, which on few rows is dearer than most of what is done with them.
    return times.to_numpy().view(np.int64)
