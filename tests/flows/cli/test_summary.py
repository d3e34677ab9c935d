"""What a run says at its end."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from flows.build import lake_location
from flows.cli.summary import summary
from flows.settings import Lake, Settings
from sinks.lake.writer import LakeWriter
from tests.sinks.lake.frames import rows_of

FAILURES = [("telemetry", "b.low", "info", 1200), ("telemetry", "a.high", "warning", 7), ("tasks", "c", "critical", 9)]


def said(folder: Path, failures: list[tuple[str, str, str, int]]) -> list[str]:
    """Lines of the summary after two epochs, each with two messages per source and these failures."""
    settings = Settings(lake=Lake(folder=folder))
    accounting = rows_of("accounting", 2).with_columns(source=pl.Series(["telemetry", "tasks"]), rows_in=2)
    writer = LakeWriter(lake_location(settings), "run", "throughput", "0")
    writer.resume(None)
    for _ in range(2):
        writer.append("accounting", accounting.with_columns(pl.col("rows_in").cast(pl.Int64)))
        if failures:
            columns = ("source", "code", "severity", "failed")
            named = pl.DataFrame(failures, schema=columns, orient="row")
            writer.append("rule_failures", rows_of("rule_failures", len(failures)).with_columns(named))
        writer.commit()
    writer.close()
    console = Console(file=StringIO(), width=100)
    console.print(summary(settings))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.slow
def test_rules_that_only_warn_are_named_in_one_line(tmp_path: Path) -> None:
    """Warnings and infos stand below the table, summed; without any there is no such line."""
    lines = said(tmp_path / "failing", FAILURES)
    assert lines[-1] == "warnings, which hold no message up: telemetry: a.high (warning) 14, b.low (info) 2,400"
    table = said(tmp_path / "fine", FAILURES[2:])
    assert table == lines[:-1]
    assert "│telemetry│      4│" in table[-2]
