"""Run the standard job with every contender in turn, check them against the oracle, and print what they cost.

Each run is a whole process, interpreter start and all; its cost is user plus system CPU time and peak resident
memory as the kernel counts them, children included. Contenders take turns, so that a busy spell of the machine
hits all of them; the table shows medians, and the least, which a busy machine disturbs less. A new contender
is one entry in `CONTENDERS`.

    python -m benchmarks.standard_job [--events 2000000] [--runs 3] [--only duckdb,bytewax] [--folder var/bench]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import events
from benchmarks.results import Result, differences, read_files, read_lake

ORACLE = "duckdb"
REFERENCE = "bytewax"


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that does the job.

    Run as `python -m <module> INPUT OUTPUT_FOLDER`; `read` takes its results from the folder afterwards,
    outside what is measured.
    """

    title: str
    module: str
    read: Callable[[Path], Result]


CONTENDERS: dict[str, Contender] = {
    "takt": Contender("Takt", "benchmarks.takt_job", read_lake),
    "duckdb": Contender("DuckDB batch query", "benchmarks.duckdb_batch", read_files),
    "bytewax": Contender("plain Bytewax operators", "benchmarks.plain_bytewax", read_files),
    "tuned": Contender("the same, tuned by hand", "benchmarks.tuned_bytewax", read_files),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def measure(command: Sequence[str]) -> Cost:
    """Run a command to its end and ask the kernel what it cost.

    Polars gets one thread, as DuckDB does by its own setting: every contender has one worker.
    """
    script = [sys.executable, "-I", "-S", str(Path(__file__).with_name("measure.py"))]
    done = subprocess.run(
        [*script, *command], stdout=subprocess.PIPE, check=True, env={**os.environ, "POLARS_MAX_THREADS": "1"}
    )
    cost = json.loads(done.stdout.splitlines()[-1])
    if cost["exit_code"]:
        raise SystemExit(f"{' '.join(command)} ended with code {cost['exit_code']}")
    return Cost(cost["cpu_s"], cost["wall_s"], cost["peak_mb"])


def _run(name: str, source: Path, folder: Path) -> tuple[Cost, Result]:
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    contender = CONTENDERS[name]
    cost = measure([sys.executable, "-m", contender.module, str(source), str(out)])
    return cost, contender.read(out)


def _medians(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(c, field) for c in costs) for field in ("cpu_s", "wall_s", "peak_mb")))


def _table(costs: dict[str, list[Cost]], verdicts: dict[str, str], count: int) -> Table:
    table = Table(title=f"Standard job, {count:,} events, medians of {len(next(iter(costs.values())))} runs")
    medians = {name: _medians(runs) for name, runs in costs.items()}
    headings = ("CPU us/event", "least", "x DuckDB", f"{REFERENCE} / this", "wall s", "peak MB")
    table.add_column("contender")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("rows")
    for name, cost in medians.items():
        table.add_row(
            CONTENDERS[name].title,
            f"{cost.cpu_s / count * 1e6:.2f}",
            f"{min(c.cpu_s for c in costs[name]) / count * 1e6:.2f}",
            _ratio(cost, medians.get(ORACLE)),
            _ratio(medians.get(REFERENCE), cost),
            f"{cost.wall_s:.1f}",
            f"{cost.peak_mb:.0f}",
            verdicts[name],
        )
    return table


def _ratio(one: Cost | None, other: Cost | None) -> str:
    return f"{one.cpu_s / other.cpu_s:.2f}" if one and other else "-"


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; the exit code is 1 when a contender's rows differ from the oracle's."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="runs per contender, taken in turns")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, separated by commas")
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="input and results go here")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := set(names) - set(CONTENDERS):
        parser.error(f"unknown contender {', '.join(sorted(unknown))}: choose from {', '.join(CONTENDERS)}")
    source = options.folder / f"events-{options.events}.ndjson"
    events.write(options.events, source)
    return _compete(names, source, options.events, options.runs)


def _compete(names: Sequence[str], source: Path, count: int, runs: int) -> int:
    console = Console(stderr=True)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    results: dict[str, Result] = {}
    for turn in range(runs):
        for name in names:
            cost, results[name] = _run(name, source, source.parent)
            costs[name].append(cost)
            console.print(f"run {turn + 1}/{runs} {name}: {cost.cpu_s / count * 1e6:.2f} us/event", highlight=False)
    oracle = results[ORACLE] if ORACLE in results else _run(ORACLE, source, source.parent)[1]
    found = {name: differences(result, oracle) for name, result in results.items()}
    verdicts = {name: "; ".join(found[name]) or "equal to the oracle" for name in names}
    Console(width=160).print(_table(costs, verdicts, count))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
