"""`takt simulate check`: what was made of a simulated site, held against the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer
from rich.table import Table

from dashboards.sql import query
from flows.build import lake_location
from flows.cli import site_demand_check as demand_check
from flows.cli import site_stock_check as stock_check
from flows.cli.common import out
from flows.cli.simulate_site import TRUTH
from flows.settings import load
from schemas.errors import SettingsError

EXAMPLE: Final = "Example: takt simulate check shop"

_TABLES: Final = {
    "demand": "SELECT * FROM demand",
    "stock": "SELECT site, sku, location, arg_max(on_hand, window_start)::BIGINT AS book FROM stock_position_latest "
    "GROUP BY ALL",
    "looks": "SELECT event_id, site, sku, location, class, slip FROM reconciliation WHERE stage = 'final'",
    "signals": "SELECT kind, subject, event_time FROM signal",
    "accounting": "SELECT sum(quarantined)::BIGINT AS quarantined, sum(duplicates)::BIGINT AS duplicates, "
    "sum(conflicts)::BIGINT AS conflicts FROM accounting",
}


def check(folder: Annotated[Path, typer.Argument(help="folder of `takt simulate site`, once it was run")]) -> None:
    """Hold what Takt made of a simulated site against the truth: demand, stock, counts, leaks, messages."""
    try:
        document = json.loads((folder / TRUTH).read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"there is no {TRUTH} in {folder}", fix="make it by `takt simulate site`") from None
    truth = {name: _frame(rows) for name, rows in document.items()}
    found = {name: _lake(folder, sql) for name, sql in _TABLES.items()}
    table = Table(title="estimate against truth", title_justify="left")
    table.add_column("what")
    for name in ("truth", "found", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in (*demand_check.lines(truth, found), *stock_check.lines(truth, found)):
        table.add_row(*line)
    out.print(table)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


def _lake(folder: Path, sql: str) -> pl.DataFrame:
    result = query(lake_location(load(folder / "takt.toml")), sql)
    return pl.DataFrame(result.rows, schema=result.columns, orient="row", infer_schema_length=None)
