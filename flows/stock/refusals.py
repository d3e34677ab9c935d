"""Rows that passed the gate and were refused further on: to quarantine with their original bytes, and counted there.

The accounting of the partition has counted them as good, or late, already; a row that takes that back keeps the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from domain.inventory.stockroom import Findings
from domain.inventory.tables import KEY
from domain.streaming.partition import IDENTITY, OFFSET, PARTITION, RAW, Stream
from domain.streaming.windows import TIME
from flows.estimators import Rows
from flows.stock.arrivals import LATE, ORIGIN, SOURCE
from flows.stock.streams import CONTROL, COUNT, MOVE, SALES, SNAPSHOT
from flows.stock.tables import joined
from schemas.outputs import ACCOUNTING, QUARANTINE

_COUNTED: Final = ("event_id", *KEY, "time_us")
"""Ids are a stream's own: a count and another system's statement may share one."""


def refused_rows(
    rows: Mapping[str, pl.DataFrame], findings: Findings, unsold: pl.DataFrame, streams: Mapping[str, Stream]
) -> list[Rows]:
    """Outputs for all rows of a call, by kind, that were refused; `unsold` are the sales among them, with a code."""
    moves, counts = joined(findings.refused_moves), joined(findings.refused_counts)
    decisions = joined(findings.refused_decisions)
    codes: list[tuple[str, pl.DataFrame | None, Sequence[str]]] = [
        (MOVE, moves, [IDENTITY]),
        (SNAPSHOT, counts, _COUNTED),
        (COUNT, counts, _COUNTED),
        (CONTROL, decisions, ["event_id", "proposal", "time_us"]),
        *((kind, unsold, ORIGIN) for kind in SALES),
    ]
    return [
        output
        for kind, found, by in codes
        if found is not None and kind in rows
        for output in _refused(rows[kind], found, by, streams)
    ]


def _refused(rows: pl.DataFrame, codes: pl.DataFrame, by: Sequence[str], streams: Mapping[str, Stream]) -> list[Rows]:
    """Outputs for those of `rows` that `codes` (columns `by` and code) refuses."""
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
