"""Signals about stock, as rows of the output `signal`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import polars as pl

from flows.signals import signal_frame
from schemas.ids import subject

_MILLI: Final = 1_000


def invariant_signals(findings: pl.DataFrame) -> pl.DataFrame:
    """That an invariant of a balance broke or holds again; `findings` in FINDING_SCHEMA."""
    return signal_frame([_invariant(row) for row in findings.iter_rows(named=True)])


def _invariant(row: dict[str, Any]) -> dict[str, object]:
    where = f"{row['site']}/{row['sku']}/{row['location']}"
    broken, amount = row["broken"], row["amount"] / _MILLI
    what = f"{amount:g} {row['uom']} are missing for it to hold" if broken else "it holds again"
    return {
        "kind": "stock_invariant_broken" if broken else "stock_invariant_restored",
        "subject": subject(row["site"], row["sku"], row["location"], row["invariant"]),
        "event_time": row["time_us"],
        "severity": "warning" if broken else "info",
        "reason": f"{row['invariant']} at {where}: {what}, as of move {row['event_id']}",
        "evidence": msgspec.json.encode(
            {"invariant": row["invariant"], "missing": amount, "uom": row["uom"], "move": row["event_id"]}
        ).decode(),
    }


def leak_signals(leaks: pl.DataFrame) -> pl.DataFrame:
    """That stock goes, or comes, a little at a time; `leaks` in LEAK_SCHEMA."""
    return signal_frame([_leak(row) for row in leaks.iter_rows(named=True)])


def _leak(row: dict[str, Any]) -> dict[str, object]:
    names = [name for name in (row["site"], row["sku"], row["location"]) if name is not None]
    where = "/".join(names)
    evidence = {name: row[name] for name in ("leak", "event_id", "direction", "since_us", "counts", "statistic")}
    return {
        "kind": "stock_leak",
        "subject": subject(*names),
        "event_time": row["looked_us"],
        "severity": "warning",
        "reason": f"{where}: {row['reason']}",
        "evidence": msgspec.json.encode(evidence | {"quantity": row["quantity"] / _MILLI}).decode(),
    }


def drift_signals(drifts: pl.DataFrame) -> pl.DataFrame:
    """That demand is no longer what it was; `drifts` in `demand.estimates.DRIFTS`."""
    return signal_frame([_drift(row) for row in drifts.iter_rows(named=True)])


def _drift(row: dict[str, Any]) -> dict[str, object]:
    series = f"{row['site']}/{row['sku']}"
    return {
        "kind": "demand_drift",
        "subject": subject(row["site"], row["sku"]),
        "event_time": row["bucket_end"],
        "severity": "info",
        "reason": f"demand of {series} changed: its mean error went from {row['before']:.2f} to {row['after']:.2f} "
        "standard deviations",
        "evidence": msgspec.json.encode({"before": row["before"], "after": row["after"]}).decode(),
    }
