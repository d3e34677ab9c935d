"""The task book's cost per step, beside a loop that does less, in the same process and in turns.

A day of 200,000 tasks over 40 zones in windows of a minute: created, queued, assigned, started, done; some fail and are
tried again, some are cancelled, some move to another zone, some steps are told in the wrong order. The book is given a
window in each call, as the flow does, and then again an hour in each call.

- *dict loop*: plain Python keeps the last state and zone of each task and counts what is done, and judges nothing.

Both must agree on the work done. The cost is CPU time of the process, least of the runs, because a busy machine only
ever adds to it.

    python -m benchmarks.task_book [--tasks 200000] [--runs 3]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from domain.allocation.task_book import TaskBook
from domain.allocation.task_tables import STEP_SCHEMA

MINUTE_US = 60_000_000
DAY_US = 1_440 * MINUTE_US
ZONES = 40
SKEW_US = 2_000_000

_LIVES = {
    ("created", "queued", "assigned", "started", "done"): 0.93,
    ("created", "queued", "assigned", "started", "failed", "queued", "assigned", "started", "done"): 0.04,
    ("created", "queued", "cancelled"): 0.03,
}
_GAPS_S = {"created": 0, "queued": 1, "assigned": 300, "started": 120, "done": 90, "failed": 60, "cancelled": 200}

Measured = tuple[float, int]
"""CPU seconds, and the work done."""


def steps(tasks: int, seed: int = 11) -> pl.DataFrame:
    """Rows of STEP_SCHEMA in order of time."""
    random = np.random.default_rng(seed)
    lives = list(_LIVES)
    life = random.choice(len(lives), tasks, p=list(_LIVES.values()))
    length = np.array([len(one) for one in lives])[life]
    task = np.repeat(np.arange(tasks), length)
    name = np.concatenate([lives[one] for one in life])
    gap = np.array([_GAPS_S[one] for one in name]) * 1_000_000 * random.exponential(1, task.size)
    first = np.cumsum(length) - length
    since = np.cumsum(gap)
    at = random.integers(0, DAY_US, tasks)[task] + (since - since[first][task]).astype(np.int64)
    at += np.where(random.random(task.size) < 0.01, random.integers(-SKEW_US, SKEW_US, task.size), 0)
    zone = random.integers(0, ZONES, tasks)[task] + (random.random(task.size) < 0.002)
    has = np.isin(name, ("assigned", "started", "done", "failed"))
    frame = pl.DataFrame(
        {
            "site": "site-" + pl.Series(zone // 10).cast(pl.String),
            "zone": "zone-" + pl.Series(zone).cast(pl.String),
            "task": "task-" + pl.Series(task).cast(pl.String),
            "robot": pl.Series(random.integers(0, 50, tasks)[task]).cast(pl.String),
            "at_us": np.maximum(at, 0),
            "transition": name,
            "work_micro": random.integers(1, 6, tasks)[task] * 1_000_000,
            "priority": random.integers(0, 10, tasks)[task],
            "_identity": random.integers(0, 2**63, task.size).astype(np.uint64),
            "has": has,
        }
    )
    robot = pl.when("has").then("robot")
    site = pl.col("site").first().over("task")
    absent = [pl.lit(None, kind).alias(column) for column, kind in STEP_SCHEMA.items() if column not in frame.columns]
    return frame.with_columns(robot, site, *absent).select(STEP_SCHEMA.keys()).sort("at_us", "_identity")


def _book(calls_of_us: int) -> Callable[[pl.DataFrame], Measured]:
    def run(rows: pl.DataFrame) -> Measured:
        call = (pl.col("at_us") // calls_of_us).alias("call")
        parts = rows.with_columns(call).partition_by("call", maintain_order=True, as_dict=True, include_key=False)
        book, flows = TaskBook(), []
        began = time.process_time()
        for (call_at,), part in parts.items():
            flows.append(book.advance(part, (int(call_at) + 1) * calls_of_us).flows)
        cost = time.process_time() - began
        return cost, int(pl.concat(flows)["done_micro"].sum())

    return run


def _dict_loop(rows: pl.DataFrame) -> Measured:
    began = time.process_time()
    columns = [rows[name].to_list() for name in ("site", "zone", "task", "transition", "work_micro")]
    states: dict[tuple[str, str], tuple[str, str]] = {}
    done: dict[tuple[str, str], int] = defaultdict(int)
    for site, zone, task, to, work in zip(*columns, strict=True):
        key = site, task
        if to == "done" and states.get(key, ("", ""))[0] != "done":
            done[site, zone] += work
        states[key] = to, zone
    return time.process_time() - began, sum(done.values())


CONTENDERS: dict[str, Callable[[pl.DataFrame], Measured]] = {
    "task book, a minute a call": _book(MINUTE_US),
    "task book, an hour a call": _book(60 * MINUTE_US),
    "dict loop": _dict_loop,
}


def main() -> None:
    """Measure all contenders in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows = steps(options.tasks)
    costs: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.runs):
        done = set()
        for name, contender in CONTENDERS.items():
            cost, work = contender(rows)
            costs[name].append(cost)
            done.add(work)
        if len(done) > 1:
            raise SystemExit(f"contenders differ in the work done: {sorted(done)}")
    table = Table(title=f"{rows.height:,} steps of {options.tasks:,} tasks; all agree on the work done")
    for column in ("contender", "CPU us a step", "to dict loop"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    for name, spent in costs.items():
        least = min(spent)
        table.add_row(name, f"{1e6 * least / rows.height:.2f}", f"{least / min(costs['dict loop']):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
