"""A small simulated warehouse as input of the whole flow, and the lake's tables as comparable text."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from domain.twin.config import small
from domain.twin.streams import ROBOT_STATE
from domain.twin.warehouse import STREAMS, Warehouse
from flows.build import lake_location
from flows.settings import AuditSettings, BreakerSettings, FileSource, Lake, Recovery, Settings, Time
from schemas.outputs import OUTPUTS
from sinks.lake.catalog import connect

CONTRACT = "robot.state@1"
SOURCE = "telemetry"
_FILLED = "SELECT table_name FROM ducklake_table_info('lake') WHERE file_count > 0"


@dataclass(frozen=True)
class Day:
    """Messages of robots in the order of their delivery, and how many of them met which fate."""

    messages: tuple[bytes, ...]
    fates: dict[str, int]

    @property
    def ndjson(self) -> bytes:
        return b"".join(m + b"\n" for m in self.messages)


def small_day(seed: int = 7, stream: str = ROBOT_STATE) -> Day:
    """Ten robots for an hour with every defect at a visible rate: some 3,700 messages of robots."""
    return _small_days(seed)[stream]


@cache
def _small_days(seed: int) -> dict[str, Day]:
    warehouse = Warehouse(small(seed))
    messages: dict[str, list[bytes]] = {stream: [] for stream in STREAMS}
    for chunk in warehouse.chunks():
        messages[chunk.stream] += chunk.messages
    fates = warehouse.truth().accounting
    return {
        stream: Day(tuple(lines), dict(fates.filter(stream=stream).select("fate", "messages").iter_rows()))
        for stream, lines in messages.items()
    }


def settings_of(
    folder: Path,
    path: Path,
    *,
    every_s: float = 0.2,
    workers: int = 1,
    time: Time | None = None,
    breaker: BreakerSettings | None = None,
    follow: bool = False,
) -> Settings:
    """Settings of a run that keeps everything in `folder` and reads `path`."""
    return Settings(
        lake=Lake(folder=folder / "lake"),
        recovery=Recovery(folder=folder / "recovery", snapshot_every_s=every_s),
        sources={SOURCE: FileSource(kind="files", contract=CONTRACT, path=path, follow=follow)},
        time=time or Time(),
        breaker=breaker or BreakerSettings(),
        audit=AuditSettings(enabled=False),
        workers=workers,
    )


def settings_of_all(folder: Path, inputs: Path, **how: Any) -> Settings:
    """Settings of a run that reads every stream of the warehouse, each from its own file in `inputs`."""
    sources = {
        stream.partition(".")[0]: FileSource(kind="files", contract=f"{stream}@1", path=inputs / f"{stream}.jsonl")
        for stream in STREAMS
    }
    return settings_of(folder, inputs, **how).model_copy(update={"sources": sources})


def write_all(inputs: Path) -> int:
    """Write the day's streams into a folder, one file each; how many messages there are."""
    for stream in STREAMS:
        (inputs / f"{stream}.jsonl").write_bytes(small_day(stream=stream).ndjson)
    return sum(len(small_day(stream=stream).messages) for stream in STREAMS)


def table(settings: Settings, name: str) -> pl.DataFrame:
    """A lake table or view without `recorded_at`, in an order of its own; counts summed over epochs."""
    with closing(connect(lake_location(settings), read_only=True)) as connection:
        return _table(connection, name, _filled(connection))


def _table(connection: duckdb.DuckDBPyConnection, name: str, filled: set[str]) -> pl.DataFrame:
    rows = "" if name.removesuffix("_latest") in filled else " WHERE false"
    frame = connection.sql(f"SELECT * EXCLUDE (recorded_at) FROM {name}{rows}").pl()
    if name == "accounting":
        frame = _totals(frame)
    if name == "rule_failures":
        rule = pl.all().exclude("failed", "first_offset")
        frame = frame.group_by(rule).agg(pl.col("failed").sum(), pl.col("first_offset").min())
    return frame.sort([k for k in OUTPUTS[name.removesuffix("_latest")].key if k in frame.columns])


def _filled(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Tables with files: to look for rows where there are none costs DuckLake ten times what reading hundreds does."""
    return {name for (name,) in connection.execute(_FILLED).fetchall()}


def _totals(accounting: pl.DataFrame) -> pl.DataFrame:
    counts = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")
    return accounting.group_by("source", "partition", "contract").agg(
        pl.col("first_offset").min(),
        pl.col("last_offset").max(),
        pl.col(counts).sum(),
        pl.col("max_event_time", "final_until").max(),
    )


def text_of(frame: pl.DataFrame) -> str:
    """Rows as text, a line each, from which every value can be read back exactly."""
    return "\n".join(map(repr, [frame.columns, *frame.iter_rows()]))


FILLED = [
    "robot_window",
    "throughput",
    "service_time",
    "sensor_window",
    "quarantine",
    "late",
    "accounting",
    "rule_failures",
]
"""Tables that a day in the warehouse leaves rows in."""


def tables(settings: Settings, names: Iterable[str] = OUTPUTS) -> dict[str, str]:
    """All rows of these lake tables and views, or of every table."""
    return {name: text_of(frame) for name, frame in frames(settings, names).items()}


def frames(settings: Settings, names: Iterable[str]) -> dict[str, pl.DataFrame]:
    """Several tables and views, each as by `table`."""
    # One connection and transaction for all: each costs as much as some tables do.
    with closing(connect(lake_location(settings), read_only=True)) as connection:
        connection.execute("BEGIN")
        filled = _filled(connection)
        return {name: _table(connection, name, filled) for name in names}
