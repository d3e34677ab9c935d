"""`takt demo`: a simulated warehouse day with known truth through the whole pipeline, without a broker."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.markup import escape
from rich.table import Table

from dashboards.render import render
from dashboards.sql import query
from domain.twin.config import WarehouseConfig
from flows.build import lake_location
from flows.cli.common import out
from flows.cli.run_progress import run_progress
from flows.cli.simulate import FILES, write
from flows.cli.summary import summary
from flows.run import run as run_flow
from flows.settings import Settings, load
from schemas.errors import SettingsError

_MARK = "made by takt demo"
_PERIOD_S = 20  # of robots' reports: counters add up however often they are told, and the day is to fit into a minute

_SETTINGS = f"""# {_MARK}; `takt demo` removes this folder and makes it anew
[lake]
folder = "lake"

[recovery]
folder = "recovery"

[audit]
folder = "audit"
drain_s = 30

[time]
window_s = 300
disorder_s = 5
lateness_s = 60

""" + "\n".join(
    f'[sources.{Path(file).stem}]\nkind = "files"\ncontract = "{stream}@1"\npath = "{file}"\n'
    for stream, file in FILES.items()
)

_ZONES_NOW = (
    "SELECT site, entity AS zone, window_start, tasks, round(rate, 1) AS per_hour, round(rate_lo, 1) AS low, "
    "round(rate_hi, 1) AS high FROM throughput_latest WHERE level = 'zone' "
    "ORDER BY window_start DESC, site, zone LIMIT 5"
)
_WHY_REJECTED = "SELECT reasons, count(*) AS messages, any_value(detail) AS example FROM quarantine GROUP BY reasons"
_WHAT_IS_THERE = "SELECT DISTINCT output, grain FROM meta.columns"
_QUERIES = (_ZONES_NOW, _WHY_REJECTED, _WHAT_IS_THERE)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="demo", epilog="Example: takt demo --robots 50")(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="where the demo works; made anew each time")] = Path("var/demo"),
    robots: Annotated[int, typer.Option(min=1, max=1000, help="size of the fleet")] = 200,
) -> None:
    """Simulate a warehouse day, run it through the pipeline, and hold the estimates against the truth."""
    start = time.monotonic()
    _clear(folder)
    messages = write(WarehouseConfig(robots=robots, period_s=_PERIOD_S), folder)
    simulated = time.monotonic()
    settings_file = folder / "takt.toml"
    settings_file.write_text(_SETTINGS, "utf-8")
    settings = load(settings_file, {})
    with run_progress() as told:
        run_flow(settings, told)
    done = time.monotonic()
    out.print(
        f"\n{robots} robots, one day: {messages:,} messages simulated in {simulated - start:.0f} s, "
        f"worked off in {done - simulated:.0f} s\n"
    )
    out.print(summary(settings))
    out.print(_truth_table(settings, folder))
    out.print(f"[bold]data quality[/]: {folder / 'audit' / 'docs' / 'index.html'}")
    for number, sql in enumerate(_QUERIES, 1):
        out.print(f'[bold]query {number}[/]: {_program()} sql -s {settings_file} -c "{escape(sql)}"', soft_wrap=True)
        if number == 1:
            out.print(escape(render(query(lake_location(settings), sql), "table", width=out.width)))


def _program() -> str:
    """The command as it can be typed here, also where the environment is not on the path."""
    program = Path(sys.argv[0]).absolute()
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else "takt"


def _clear(folder: Path) -> None:
    marked = folder / "takt.toml"
    if folder.exists() and any(folder.iterdir()) and not (marked.exists() and _MARK in marked.read_text("utf-8")):
        raise SettingsError(f"{folder} holds something that is not a demo", fix="give another folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        marked.write_text(f"# {_MARK}\n", "utf-8")
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be made anew: {error.strerror}", fix="give another folder with --folder, or its rights"
        ) from error


_ESTIMATED = """
    SELECT site, entity AS zone, sum(tasks)::BIGINT AS tasks, sum(available_s) / 3600 AS hours
    FROM throughput_latest WHERE level = 'zone' GROUP BY ALL
"""
_COUNTED = "SELECT site, zone, sum(done)::BIGINT AS done FROM service_time_latest GROUP BY ALL"


def _truth_table(settings: Settings, folder: Path) -> Table:
    """Tasks and rates per zone: what really happened, what Takt says, and what counting messages would say."""
    truth = (
        pl.read_parquet(folder / "truth.parquet")
        .group_by("site", "zone")
        .agg(pl.col("tasks").sum().alias("true_tasks"), (pl.col("available_s").sum() / 3600).alias("true_hours"))
    )
    both = truth
    for sql in (_ESTIMATED, _COUNTED):
        result = query(lake_location(settings), sql)
        both = both.join(pl.DataFrame(result.rows, schema=result.columns, orient="row"), on=("site", "zone"))
    table = Table(title="estimate against truth: tasks in a day, and tasks per available robot-hour")
    table.title_justify = table.caption_justify = "left"
    table.caption = "messages were lost: counting 'done' messages falls short, cumulative counters do not"
    table.add_column("zone", no_wrap=True)
    for name in ("true", "Takt", "error", "from 'done' messages", "error", "true rate", "Takt"):
        table.add_column(name, justify="right")
    for row in both.sort("site", "zone").iter_rows(named=True):
        table.add_row(
            f"{row['site']}/{row['zone']}",
            f"{row['true_tasks']:,}",
            f"{row['tasks']:,}",
            _error(row["tasks"], row["true_tasks"]),
            f"{row['done']:,}",
            _error(row["done"], row["true_tasks"]),
            f"{row['true_tasks'] / row['true_hours']:.2f}",
            f"{row['tasks'] / row['hours']:.2f}",
        )
    return table


def _error(value: float, truth: float) -> str:
    return f"{value / truth - 1:+.2%}"
