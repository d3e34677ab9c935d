"""Rows that passed the gate and were refused further on: to quarantine with their original bytes, and counted there.

The accounting of the partition has counted them as good, or late, already; a row that takes that back keeps the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from domain.inventory.counts import COUNT as COUNTED
from domain.inventory.counts import STATEMENT
from domain.inventory.stockroom import Findings
from domain.inventory.tables import KEY
from domain.streaming.partition import IDENTITY, Stream
from flows.carried import ORIGIN, refused
from flows.estimators import Rows
from flows.stock.streams import AMOUNTS, CONTROL, COUNT, MOVE, SNAPSHOT
from flows.stock.tables import joined

_COUNTED: Final = ("event_id", *KEY, "time_us")


def refused_rows(
    rows: Mapping[str, pl.DataFrame], findings: Findings, unfit: pl.DataFrame, streams: Mapping[str, Stream]
) -> list[Rows]:
    """Outputs for all rows of a call, by kind, that were refused; `unfit`, sales and forecasts of them, has a code."""
    moves, counts = joined(findings.refused_moves), joined(findings.refused_counts)
    decisions = joined(findings.refused_decisions)
    codes: list[tuple[str, pl.DataFrame | None, Sequence[str]]] = [
        (MOVE, moves, [IDENTITY]),
        (SNAPSHOT, _of_kind(counts, STATEMENT), _COUNTED),
        (COUNT, _of_kind(counts, COUNTED), _COUNTED),
        (CONTROL, decisions, ["event_id", "proposal", "time_us"]),
        *((kind, unfit, ORIGIN) for kind in AMOUNTS),
    ]
    return [
        output
        for kind, found, by in codes
        if found is not None and kind in rows
        for output in refused(rows[kind], found, by, streams)
    ]


def _of_kind(counts: pl.DataFrame | None, kind: str) -> pl.DataFrame | None:
    """Ids are a stream's own: a count and another system's statement may share one."""
    return None if counts is None else counts.filter(kind=kind)
