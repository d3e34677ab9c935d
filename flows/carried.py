"""Carried rows: where each comes from, and what becomes of those that are refused behind the gate.

The accounting of the partition has counted them as good, or late, already; a row that takes that back keeps the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from domain.streaming.partition import OFFSET, PARTITION, RAW, VALID, Stream
from domain.streaming.windows import TIME
from flows.estimators import Rows
from schemas.outputs import ACCOUNTING, QUARANTINE

SOURCE: Final = "_source"
LATE: Final = "_late"
"""Column that says whether a row was late in its partition."""
ORIGIN: Final = (SOURCE, PARTITION, OFFSET)
"""Columns that tell a row from every other."""


def sourced(place: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a place with their source, and whether they were late there."""
    late = pl.col(VALID) != pl.col(TIME).to_physical()
    return rows.with_columns(pl.lit(place.partition("/")[0]).alias(SOURCE), late.alias(LATE))


def refused(rows: pl.DataFrame, codes: pl.DataFrame, by: Sequence[str], streams: Mapping[str, Stream]) -> list[Rows]:
    """Quarantine and accounting of those `rows` (sourced) that `codes` (columns `by` and code) refuses."""
    codes = codes.select(*by, "code").unique(by)
    timed = rows.with_columns(pl.col(TIME).to_physical().alias("time_us"))
    found = timed.join(codes, on=by, how="inner", maintain_order="left")
    if found.height == 0:
        return []
    contracts = {name: stream.contract for name, stream in streams.items()}
    hashes = {name: stream.suite_hash for name, stream in streams.items()}
    told = found.select(
        pl.col(SOURCE).alias("source"),
        pl.col(PARTITION).alias("partition"),
        pl.col(OFFSET).alias("offset"),
        pl.col(RAW).alias("raw"),
        pl.lit("quarantined").alias("kind"),
        pl.concat_list("code").alias("reasons"),
        pl.lit(None, pl.String).alias("detail"),
        pl.col(SOURCE).replace_strict(contracts, return_dtype=pl.String).alias("contract"),
        pl.col(SOURCE).replace_strict(hashes, return_dtype=pl.String).alias("suite_hash"),
        pl.col(LATE).alias("late"),
    )
    quarantine = told.select(QUARANTINE.schema.keys()).sort("source", "partition", "offset")
    return [(QUARANTINE.name, quarantine), (ACCOUNTING.name, _recounted(told))]


def _recounted(told: pl.DataFrame) -> pl.DataFrame:
    late = pl.col("late").cast(pl.Int64)
    counts = {"rows_in": pl.lit(0), "good": late - 1, "late": -late, "quarantined": pl.lit(1)}
    rest = {"duplicates": pl.lit(0), "conflicts": pl.lit(0)}
    unknown = {"max_event_time": pl.lit(None), "final_until": pl.lit(None)}
    return (
        told.with_columns(
            first_offset="offset",
            last_offset="offset",
            **{name: value.cast(pl.Int64) for name, value in (counts | rest).items()},
            **{name: value.cast(ACCOUNTING.schema[name]) for name, value in unknown.items()},
        )
        .select(ACCOUNTING.schema.keys())
        .sort("source", "partition", "first_offset")
    )
