"""Frames on their way into the lake: checked against their output, joined per epoch, fit for the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.errors import SinkError
from schemas.outputs import ACCOUNTING, RULE_FAILURES, Output

NUL_SIGN = "\N{SYMBOL FOR NULL}"
"""Stands in text columns where a NUL was: DuckLake's column statistics break on NUL and then lose rows in
filters. Original bytes are kept in `bytes` columns, which have no such trouble."""


def check_frame(output: Output, frame: pl.DataFrame) -> None:
    """Raise SinkError unless the frame has exactly the output's columns, types and non-null values."""
    wanted = output.schema
    if frame.columns != list(wanted):
        missing = [name for name in wanted if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in wanted]
        raise SinkError(
            f"frame for output {output.name} has other columns: missing {missing}, unknown {unknown}, "
            f"got {frame.columns}",
            fix=f"select the columns of OUTPUTS[{output.name!r}].schema, in its order",
        )
    wrong = {n: str(t) for n, t in frame.schema.items() if t != wanted[n]}
    if wrong:
        expected = {name: str(wanted[name]) for name in wrong}
        raise SinkError(
            f"frame for output {output.name} has types {wrong}, declared are {expected}",
            fix=f"cast to OUTPUTS[{output.name!r}].schema before the sink",
        )
    required = [c.name for c in output.columns if not c.nullable]
    nulls = {name: count for name in required if (count := frame[name].null_count())}
    if nulls:
        raise SinkError(
            f"frame for output {output.name} has nulls in columns declared without: {nulls}",
            fix="fill them, or declare the columns nullable in schemas/outputs",
        )


def join_epoch(output: Output, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rows of one epoch; accounting is summed per source and partition, failures also per rule."""
    frame = pl.concat(frames, rechunk=False) if len(frames) > 1 else frames[0]
    if output is ACCOUNTING:
        frame = _sum_accounting(frame)
    elif output is RULE_FAILURES:
        frame = _sum_failures(frame)
    return _without_nul(frame)


def _sum_accounting(frame: pl.DataFrame) -> pl.DataFrame:
    counts = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")
    return (
        frame.group_by("source", "partition", "contract", maintain_order=True)
        .agg(
            pl.col("first_offset").min(),
            pl.col("last_offset").max(),
            pl.col(counts).sum(),
            pl.col("max_event_time", "final_until").max(),
        )
        .select(frame.columns)
    )


def _sum_failures(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.group_by(pl.all().exclude("failed", "first_offset"), maintain_order=True)
        .agg(pl.col("failed").sum(), pl.col("first_offset").min())
        .select(frame.columns)
    )


def _without_nul(frame: pl.DataFrame) -> pl.DataFrame:
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    lists = [name for name, kind in frame.schema.items() if kind == pl.List(pl.String)]
    has_nul = (
        frame.select(
            *(pl.col(name).str.contains("\0", literal=True).any() for name in texts),
            *(pl.col(name).explode().str.contains("\0", literal=True).any() for name in lists),
        ).row(0)
        if texts or lists
        else ()
    )
    if not any(has_nul):
        return frame
    swap = pl.element().str.replace_all("\0", NUL_SIGN, literal=True)
    return frame.with_columns(
        *(pl.col(name).str.replace_all("\0", NUL_SIGN, literal=True) for name in texts),
        *(pl.col(name).list.eval(swap) for name in lists),
    )
