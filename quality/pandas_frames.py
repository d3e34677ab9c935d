"""Decoded rows as Great Expectations sees them: a pandas frame in which no value has changed.

Polars turns an integer column with nulls into floats on its way to pandas, which moves integers beyond 2^53;
here it becomes a nullable integer column. Imports pandas when called, not before: it is slow to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Pandas copy of a frame of decoded columns, with a fresh index from 0."""
    import pandas as pd  # noqa: PLC0415 - see above

    return pd.DataFrame(
        {
            column.name: pd.array(column.to_list(), dtype="Int64")
            if column.dtype == pl.Int64 and column.null_count()
            else column.to_pandas()
            for column in frame.iter_columns()
        }
    )
