"""What a contender made of the standard job, in one shape, and whether two of them agree row for row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dashboards.sql import query
from sinks.lake.catalog import LakeLocation

_WINDOWS_SQL = """
    SELECT robot, window_start, sum(messages)::BIGINT, sum(units)::BIGINT,
           sum(battery_mean * messages) / sum(messages), max(queue_max)
    FROM robot_window_latest GROUP BY robot, window_start
"""

WINDOWS: dict[str, pl.DataType | type[pl.DataType]] = {
    "robot": pl.String,
    "window_start": pl.Datetime("us", "UTC"),
    "events": pl.Int64,
    "units": pl.Int64,
    "battery_mean": pl.Float64,
    "queue_max": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Result:
    """Results of one run.

    `windows` has the columns of `WINDOWS`; `quarantine` has `raw` (String or Binary) and, where the contender uses the
    rule names of the job, `reasons` (List[String]); `late` and `duplicates` count the rows refused as such.
    """

    windows: pl.DataFrame
    quarantine: pl.DataFrame
    late: int
    duplicates: int


def read_files(out: Path) -> Result:
    """Results of a contender that leaves windows, quarantine and refused as Parquet or JSON lines in `out`."""
    refused = dict(_read(out, "refused").select("verdict", "rows").iter_rows())
    return Result(
        windows=_read(out, "windows"),
        quarantine=_read(out, "quarantine").select("raw", "reasons"),
        late=refused.get("late", 0),
        duplicates=refused.get("duplicate", 0),
    )


def read_lake(out: Path) -> Result:
    """Results of Takt, from its lake. Its rule codes are its own, so reasons are not compared."""
    location = LakeLocation(out / "lake")
    windows = query(location, _WINDOWS_SQL)
    quarantine = query(location, "SELECT raw FROM quarantine")
    ((late, duplicates),) = query(location, "SELECT sum(late)::BIGINT, sum(duplicates)::BIGINT FROM accounting").rows
    return Result(
        windows=pl.DataFrame(windows.rows, schema=WINDOWS, orient="row"),
        quarantine=pl.DataFrame(quarantine.rows, schema={"raw": pl.Binary}, orient="row"),
        late=late,
        duplicates=duplicates,
    )


def _read(out: Path, name: str) -> pl.DataFrame:
    parquet = out / f"{name}.parquet"
    return pl.read_parquet(parquet) if parquet.exists() else pl.read_ndjson(out / f"{name}.jsonl")


def differences(mine: Result, oracle: Result) -> list[str]:
    """What differs from the oracle, in words; empty when nothing does. Means may differ by rounding."""
    found = [
        f"{name}: {getattr(mine, name)}, oracle {getattr(oracle, name)}"
        for name in ("late", "duplicates")
        if getattr(mine, name) != getattr(oracle, name)
    ]
    return found + _window_differences(mine, oracle) + _quarantine_differences(mine, oracle)


def _window_differences(mine: Result, oracle: Result) -> list[str]:
    key = ["robot", "window_start"]
    both = _windows(mine).join(_windows(oracle), on=key, how="full", suffix="_oracle", coalesce=True)
    exact = ("events", "units", "queue_max")
    same = [pl.col(name).eq_missing(pl.col(f"{name}_oracle")) for name in exact]
    close = (pl.col("battery_mean") - pl.col("battery_mean_oracle")).abs() < 1e-9
    wrong = both.filter(~pl.all_horizontal(*same, close.fill_null(value=False)))
    if wrong.height:
        return [f"{wrong.height} of {both.height} windows differ, the first: {wrong.sort(key).row(0, named=True)}"]
    if mine.windows.height != oracle.windows.height:
        return [f"{mine.windows.height} windows, oracle {oracle.windows.height}: some are doubled"]
    return []


def _windows(result: Result) -> pl.DataFrame:
    start = result.windows["window_start"]
    if start.dtype == pl.String:
        start = start.str.to_datetime("%+", time_unit="us", time_zone="UTC")
    elif start.dtype == pl.Datetime("us"):
        start = start.dt.replace_time_zone("UTC")
    return result.windows.with_columns(start).select(pl.col(n).cast(t) for n, t in WINDOWS.items())


def _quarantine_differences(mine: Result, oracle: Result) -> list[str]:
    columns = [name for name in ("raw", "reasons") if name in mine.quarantine.columns]
    one, other = (
        r.quarantine.select(columns).with_columns(pl.col("raw").cast(pl.Binary)).sort("raw") for r in (mine, oracle)
    )
    if one.height != other.height:
        return [f"{one.height} rows in quarantine, oracle {other.height}"]
    return [] if one.equals(other) else ["the quarantine holds other rows or reasons"]
