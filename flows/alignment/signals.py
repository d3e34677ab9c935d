"""Signals of the step where capacity meets demand: setpoints that are not carried out, work that is stuck or lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import polars as pl

from flows.signals import signal_frame
from schemas.ids import subject

_STUCK_SEVERITY: Final[Mapping[str, str]] = {"deadlock": "critical"}
_NAMED: Final = 20
_TEXT: Final = 2_000
"""So many are named, and so many characters told, in one signal: a circle may have thousands of tasks."""


def exception_signals(exceptions: pl.DataFrame) -> pl.DataFrame:
    """Setpoints that are not carried out (EXCEPTION_SCHEMA)."""
    return signal_frame(
        [
            {
                "kind": f"setpoint_{row['kind']}",
                "subject": row["setpoint"],
                "event_time": row["time_us"],
                "severity": "critical" if row["kind"] == "lapsed" else "warning",
                "reason": row["reason"],
                "evidence": _json(row, "site", "zone", "robots", "in_force", "acknowledgement", "by", "comment"),
            }
            for row in exceptions.iter_rows(named=True)
        ]
    )


def stuck_signals(stuck: pl.DataFrame, at: int) -> pl.DataFrame:
    """Work that does not get on by itself (STUCK_SCHEMA); what is first about the same task is told together."""
    if not stuck.height:
        return signal_frame([])
    first = stuck.with_columns(first=pl.col("tasks").list.first().fill_null(""))
    together = first.group_by("site", "kind", "first", maintain_order=True).agg(
        pl.col("tasks", "robots").list.explode().drop_nulls().unique(maintain_order=True),
        pl.col("reason").str.join(" "),
    )
    return signal_frame(
        [
            {
                "kind": f"task_{row['kind']}",
                "subject": subject(row["site"], row["first"]),
                "event_time": at,
                "severity": _STUCK_SEVERITY.get(row["kind"], "warning"),
                "reason": row["reason"] if len(row["reason"]) <= _TEXT else f"{row['reason'][:_TEXT]}...",
                "evidence": _json(
                    {
                        **row,
                        "tasks": row["tasks"][:_NAMED],
                        "robots": row["robots"][:_NAMED],
                        "count": len(row["tasks"]),
                    },
                    *("site", "tasks", "robots", "count"),
                ),
            }
            for row in together.iter_rows(named=True)
        ]
    )


def dropped_signals(dropped: pl.DataFrame) -> pl.DataFrame:
    """Open tasks that were given up (DROPPED_SCHEMA)."""
    return signal_frame(
        [
            {
                "kind": "task_dropped",
                "subject": subject(row["site"], row["task"]),
                "event_time": row["dropped_us"],
                "severity": "warning",
                "reason": f"task {row['task']} of zone {row['zone']} no longer counts as open: {row['reason']}",
                "evidence": _json(row, "site", "zone", "task", "state", "robot", "work_micro", "heard_us"),
            }
            for row in dropped.iter_rows(named=True)
        ]
    )


def unmapped_signals(unmapped: pl.DataFrame, at: int) -> pl.DataFrame:
    """Demand that no rule turns into work (UNMAPPED_SCHEMA)."""
    return signal_frame(
        [
            {
                "kind": "demand_unmapped",
                "subject": subject(row["site"], row["sku"]),
                "event_time": at,
                "severity": "warning",
                "reason": f"no rule of alignment.work says how much work {row['sku']} is at {row['site']}: its demand "
                "is not in the work that zones will be asked for",
                "evidence": _json(row, "site", "sku", "category", "mean", "mapping"),
            }
            for row in unmapped.iter_rows(named=True)
        ]
    )


def _json(row: Mapping[str, object], *names: str) -> str:
    return msgspec.json.encode({name: row[name] for name in names}).decode()
