"""Whole runs of the stock flow over files or topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.setting_sections import FileSource
from flows.settings import Settings
from tests.flows.warehouse import settings_of

from .lanes import complete
from .site import DAYS
from .step_flow import SETTINGS, STREAMS

FILLED = [
    "demand",
    "stock_move",
    "stock_position",
    "reconciliation",
    "adjustment",
    "replenishment",
    "order_proposal",
    "quarantine",
    "late",
    "signal",
    "accounting",
    "rule_failures",
]
"""Tables that the sites leave rows in."""


def source_name(stream: str) -> str:
    """Name of a stream's source in settings."""
    return stream.replace(".", "-")


def write_all(folder: Path, days: int = DAYS) -> int:
    """Write each stream into a file, in order of arrival; how many messages there are."""
    total = 0
    for stream, messages in complete(days=days).items():
        rows = [one.raw for one in sorted(messages, key=lambda one: one.arrives_s)]
        (folder / f"{stream}.jsonl").write_bytes(b"".join(row + b"\n" for row in rows))
        total += len(rows)
    return total


def settings_of_stock(folder: Path, inputs: Path, **how: Any) -> Settings:
    """Settings of a run that reads every stream from its file in `inputs` and keeps everything in `folder`."""
    sources = {
        source_name(stream): FileSource(kind="files", contract=f"{stream}@1", path=inputs / f"{stream}.jsonl")
        for stream in STREAMS
    }
    return settings_of(folder, inputs, **how).model_copy(update={"sources": sources, "stock": SETTINGS})
