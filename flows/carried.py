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
    told = _told(found, streams).with_columns(kind=pl.lit("quarantined"), reasons=pl.concat_list("code"))
    return [_quarantine(told), _recounted(told, "quarantined")]


def repeated(rows: pl.DataFrame, streams: Mapping[str, Stream]) -> list[Rows]:
    """Accounting of `rows` (sourced) that came before through another partition or source."""
    return [_recounted(_told(rows, streams), "duplicates")] if rows.height else []


def conflicting(rows: pl.DataFrame, streams: Mapping[str, Stream]) -> list[Rows]:
    """Quarantine and accounting of `rows` (sourced) that came before with other content."""
    if rows.height == 0:
        return []
    told = _told(rows, streams).with_columns(
        kind=pl.lit("conflict"),
        reasons=pl.concat_list(pl.lit("identity.conflict")),
        detail=pl.lit(
            "its identity was seen before with other content, in this partition or another, or in another source"
        ),
    )
    return [_quarantine(told), _recounted(told, "conflicts")]


def _told(rows: pl.DataFrame, streams: Mapping[str, Stream]) -> pl.DataFrame:
    contracts = {name: stream.contract for name, stream in streams.items()}
    hashes = {name: stream.suite_hash for name, stream in streams.items()}
    return rows.with_columns(
        pl.col(SOURCE).alias("source"),
        pl.col(PARTITION).alias("partition"),
        pl.col(OFFSET).alias("offset"),
        pl.col(RAW).alias("raw"),
        pl.lit(None, pl.String).alias("detail"),
        pl.col(SOURCE).replace_strict(contracts, return_dtype=pl.String).alias("contract"),
        pl.col(SOURCE).replace_strict(hashes, return_dtype=pl.String).alias("suite_hash"),
        pl.col(LATE).alias("late"),
    )


def _quarantine(told: pl.DataFrame) -> Rows:
    return QUARANTINE.name, told.select(QUARANTINE.schema.keys()).sort("source", "partition", "offset")


def _recounted(told: pl.DataFrame, into: str) -> Rows:
    """Accounting that takes rows from the good or the late into another count."""
    late = pl.col("late").cast(pl.Int64)
    nothing = dict.fromkeys(("rows_in", "quarantined", "duplicates", "conflicts"), pl.lit(0))
    counts = nothing | {"good": late - 1, "late": -late, into: pl.lit(1)}
    unknown = {"max_event_time": pl.lit(None), "final_until": pl.lit(None)}
    rows = told.with_columns(
        first_offset="offset",
        last_offset="offset",
        **{name: value.cast(pl.Int64) for name, value in counts.items()},
        **{name: value.cast(ACCOUNTING.schema[name]) for name, value in unknown.items()},
    )
    return ACCOUNTING.name, rows.select(ACCOUNTING.schema.keys()).sort("source", "partition", "first_offset")
