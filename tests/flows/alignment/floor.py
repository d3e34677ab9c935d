"""A floor whose capacity is aligned with demand: ten robots for forty minutes, their tasks, and who answers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from domain.twin.config import NO_DEFECTS, small
from domain.twin.streams import ROBOT_STATE, TASK
from domain.twin.warehouse import Warehouse
from flows.alignment.sections import Alignment
from flows.run import run
from flows.settings import FileSource, Settings
from tests.flows.warehouse import settings_of, table, tables

START = small().start
SPAN_S = 2_400.0
DECIDED = ("alignment", "setpoint", "assignment", "reallocation", "shedding")
"""Outputs of the alignment step."""
FILES = {ROBOT_STATE: "robots.jsonl", TASK: "tasks.jsonl", "robot": "master.jsonl", "control": "answers.jsonl"}

Row = tuple[float, bytes]
"""Event time in seconds and message."""


def alignment(**how: Any) -> Alignment:
    """Settings under which much happens in that time."""
    usual = {"interval_s": 180.0, "delay_s": 180.0, "ack_within_s": 240.0, "expires_s": 900.0, "hold_s": 900.0}
    return Alignment(**{**usual, "horizons_s": (900.0, 3600.0), "service_level_s": 120.0, **how})


@cache
def clean(seed: int = 7) -> dict[str, tuple[Row, ...]]:
    """Everything that robots said and that was said of tasks, in event order."""
    warehouse = Warehouse(replace(small(seed), defects=NO_DEFECTS))
    messages: dict[str, list[bytes]] = {ROBOT_STATE: [], TASK: []}
    for chunk in warehouse.chunks():
        if chunk.stream in messages:
            messages[chunk.stream] += chunk.messages
    end = START.timestamp() + SPAN_S
    timed = {stream: sorted((time_of(line), line) for line in lines) for stream, lines in messages.items()}
    return {stream: tuple(row for row in rows if row[0] < end) for stream, rows in timed.items()}


def time_of(message: bytes) -> float:
    """Event time in seconds."""
    return datetime.fromisoformat(json.loads(message)["event_time"]).timestamp()


def delivered(rows: Sequence[Row], reach_s: float, seed: int, doubled: float = 0.05) -> list[Row]:
    """Rows as a network delivers them that holds each back by up to `reach_s`, and doubles some."""
    dice = random.Random(seed)
    arrivals = [(time + dice.uniform(0, reach_s), time, message) for time, message in rows]
    again = [(at + dice.uniform(0, 300), time, message) for at, time, message in arrivals if dice.random() < doubled]
    return [(time, message) for _, time, message in sorted(arrivals + again)]


def written(folder: Path, streams: dict[str, Iterable[Row]]) -> Path:
    """Streams as files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for stream, rows in streams.items():
        name = FILES.get(stream, f"{stream}.jsonl")
        (folder / name).write_bytes(b"".join(message + b"\n" for _, message in rows))
    return folder


def settings_of_floor(folder: Path, inputs: Path, chosen: Alignment | None = None, **how: Any) -> Settings:
    """Settings of a run over the files in `inputs` that keeps everything in `folder`."""
    sources = {
        stream.partition(".")[0] if stream != ROBOT_STATE else "telemetry": FileSource(
            kind="files", contract=f"{stream}@1", path=inputs / name
        )
        for stream, name in FILES.items()
        if (inputs / name).exists()
    }
    update = {"sources": sources, "alignment": chosen or alignment()}
    return settings_of(folder, inputs, **how).model_copy(update=update)


def worked_off(folder: Path, streams: dict[str, Iterable[Row]], **how: Any) -> Settings:
    """Settings of a run that is over."""
    settings = settings_of_floor(folder, written(folder / "in", streams), **how)
    run(settings)
    return settings


def decided(settings: Settings) -> dict[str, str]:
    """All that was decided, as text."""
    return tables(settings, (*DECIDED, "signal"))


def at(seconds: float) -> str:
    """A time since the start as messages give it."""
    when = datetime.fromtimestamp(START.timestamp() + seconds, UTC)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def answer(setpoint: str, decision: str, seconds: float, name: str = "") -> Row:
    """An answer to a setpoint, some seconds after the start."""
    fields = {
        "event_id": name or f"{setpoint}-{decision}",
        "proposal": setpoint,
        "about": "setpoint",
        "decision": decision,
        "by": "fleet",
        "event_time": at(seconds),
    }
    return START.timestamp() + seconds, json.dumps(fields).encode()


def sums(settings: Settings) -> dict[str, int]:
    """Where the rows of all sources went."""
    counts = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")
    return table(settings, "accounting").select(pl.col(counts).sum()).row(0, named=True)
