"""Signals that flows raise themselves, as rows of the output `signal`."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from domain.streaming.frames import frame_of
from domain.streaming.partition import OFFSET
from domain.streaming.watermark import BEGINNING
from domain.streaming.windows import TIME, WINDOW_START
from quality.breaker import BreakerEvent
from schemas.batch import ROW, GatedBatch
from schemas.ids import subject
from schemas.outputs import SIGNAL

_NAMED = 20
"""So many are named in the evidence of one signal."""


def signal_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows of the output `signal`, their event time in microseconds."""
    if not rows:
        return frame_of((), SIGNAL.schema)
    time = SIGNAL.schema["event_time"]
    frame = pl.DataFrame(rows, schema={**SIGNAL.schema, "event_time": pl.Int64})
    return frame.with_columns(pl.col("event_time").cast(time))


def breaker_signals(batch: GatedBatch, events: list[BreakerEvent], newest_us: int) -> pl.DataFrame:
    """That the breaker of a partition opened or closed; `newest_us` is the newest event time before the batch."""
    rows: list[dict[str, object]] = []
    for event in events:
        verb = "reading pauses" if event.kind == "breaker_open" else "reading goes on"
        reason = (
            f"rule {event.code} failed for {event.ratio:.1%} of {event.block_rows} messages up to offset "
            f"{event.last_offset} (usual: {event.usual:.1%}); {verb}"
        )
        subject = f"{batch.raw.source}/{batch.raw.partition}/{event.last_offset}"
        evidence = {"rule": event.code, "ratio": event.ratio, "usual": event.usual, "offset": event.last_offset}
        severity = "critical" if event.kind == "breaker_open" else "info"
        rows.append(
            {
                "kind": event.kind,
                "subject": subject,
                "event_time": _event_time(batch, event.last_offset, newest_us),
                "severity": severity,
                "reason": reason,
                "evidence": msgspec.json.encode(evidence).decode(),
            }
        )
    return signal_frame(rows)


def _event_time(batch: GatedBatch, offset: int, newest_us: int) -> int:
    """Newest event time read up to an offset, `newest_us` before the batch; the arrival there if none was read."""
    upto = np.searchsorted(batch.raw.offsets[batch.good[ROW].to_numpy()], offset, side="right")
    newest = int(batch.good[TIME].to_physical().to_numpy()[:upto].max(initial=newest_us))
    if newest == BEGINNING:
        return int(batch.raw.arrival_us[np.searchsorted(batch.raw.offsets, offset)])
    return newest


def straggler_signal(partition: str, part: pl.DataFrame, *, booked: bool, within: str = "") -> pl.DataFrame:
    """Rows of a partition that came after their window was final for all partitions; `booked`: all the same.

    `within` names the step that is about where streams share one: others may have waited for the same rows.
    """
    # Of whole rows more of the same window may come later, even of the same microsecond, which is news of its own.
    if OFFSET in part.columns:
        told_at, last = part[TIME].to_physical().max(), f"/{part.select(pl.col(OFFSET).max()).item()}"
    else:
        told_at, last = part[WINDOW_START][0], ""
    outcome = (
        "they are booked with the next window"
        if booked
        else "estimates are without them; what it publishes itself is complete"
    )
    reason = (
        f"partition {partition} was silent or had ended, was passed over, and has {part.height} rows of a window that "
        f"is final where partitions are merged: {outcome}"
    )
    row: dict[str, object] = {
        "kind": "partition_returned",
        "subject": f"{within}/{partition}{last}" if within else f"{partition}{last}",
        "event_time": told_at,
        "severity": "warning",
        "reason": reason,
        "evidence": msgspec.json.encode({"rows": part.height}).decode(),
    }
    return signal_frame([row])


def split_signal(window_start: int, robots: pl.DataFrame) -> pl.DataFrame:
    """Robots that several partitions told of in one window; columns site and robot, in any order."""
    names = [subject(site, robot) for site, robot in robots.select("site", "robot").sort("site", "robot").iter_rows()]
    reason = (
        f"{len(names)} robots were told of by more than one partition, {names[0]} first: the topic is not partitioned "
        "by robot; each partition counts the robot's work from its own messages, so work is missing or doubled"
    )
    row: dict[str, object] = {
        "kind": "robot_in_two_partitions",
        "subject": names[0],
        "event_time": window_start,
        "severity": "critical",
        "reason": reason,
        "evidence": msgspec.json.encode({"robots": names[:_NAMED], "count": len(names)}).decode(),
    }
    return signal_frame([row])
