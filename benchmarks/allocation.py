"""Allocation against the optimum of small sites, and beside naive methods on a large one.

Small: the best of all sequences of all robots, by enumeration; how far local search stays above it. Large: CPU seconds
of a whole `allocate`, rows with their reasons included, and what plans cost in seconds (`domain.allocation.costs`):

- nearest: tasks by class, each to the nearest robot of those with the fewest tasks;
- random: tasks by class, each to any robot of those with the fewest tasks;
- rounds: the first plan, before local search.

Run: python -m benchmarks.allocation [--instances N]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from domain.allocation.allocate import allocate
from domain.allocation.assign import assigned
from domain.allocation.candidates import with_ability
from domain.allocation.config import AllocationConfig
from domain.allocation.costs import NONE, cost_s
from domain.allocation.improve import Plan, improved
from domain.allocation.problem import Float64, Int64, Problem, problem
from domain.allocation.tables import ROBOT_SCHEMA, TASK_SCHEMA

NOW = 1_000_000_000_000_000
_S = 1_000_000


def robots(rng: np.random.Generator, count: int, side: float, zones: int) -> pl.DataFrame:
    """Idle robots anywhere on a square of `side` metres, a fifth of them low on battery; the first can do all tasks."""
    low = rng.random(count) < 0.2
    columns = {
        "site": ["site"] * count,
        "zone": [f"zone-{at}" for at in rng.integers(0, zones, count)],
        "robot": [f"robot-{at:04d}" for at in range(count)],
        "seen_us": NOW - rng.integers(0, 60, count) * _S,
        "mode": ["idle"] * count,
        "battery": np.where(low, rng.uniform(16, 30, count), rng.uniform(30, 100, count)),
        "x": rng.uniform(0, side, count),
        "y": rng.uniform(0, side, count),
        "capabilities": [["lift", "cold"] if at == 0 or rng.random() < 0.5 else ["lift"] for at in range(count)],
        "speed": rng.uniform(1.0, 2.0, count),
        "active": [True] * count,
    }
    return pl.DataFrame(columns, schema=ROBOT_SCHEMA)


def tasks(rng: np.random.Generator, count: int, side: float, zones: int) -> pl.DataFrame:
    """Queued tasks of a third of a unit to three, of all priorities, two in five due within half an hour."""
    due = rng.random(count) < 0.4
    columns = {
        "site": ["site"] * count,
        "zone": [f"zone-{at}" for at in rng.integers(0, zones, count)],
        "task": [f"task-{at:05d}" for at in range(count)],
        "priority": rng.integers(0, 10, count),
        "work_micro": (rng.uniform(0.3, 3, count) * 1e6).astype(np.int64),
        "created_us": NOW - rng.integers(0, 3_600, count) * _S,
        "due_us": [NOW + int(rng.integers(60, 1_800)) * _S if one else None for one in due],
        "requires": [["lift"] if rng.random() < 0.8 else ["cold"] for _ in range(count)],
        "x": rng.uniform(0, side, count),
        "y": rng.uniform(0, side, count),
        "depends_on": [[]] * count,
        "state": ["queued"] * count,
        "robot": [None] * count,
    }
    return pl.DataFrame(columns, schema=TASK_SCHEMA)


def site(
    seed: int, robot_count: int, task_count: int, *, crowded: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame, AllocationConfig]:
    """Tasks, robots and configuration of a random site; `crowded`: zones have limits below what they hold."""
    rng = np.random.default_rng(seed)
    side, zones = 20.0 * max(robot_count, 25) ** 0.5, max(robot_count // 25, 4)
    limit = robot_count // zones + 1 if crowded else None
    limits = {("site", f"zone-{at}"): limit for at in range(zones)} if limit else {}
    config = AllocationConfig(zone_limits=limits)
    return tasks(rng, task_count, side, zones), robots(rng, robot_count, side, zones), config


def instance(seed: int, robot_count: int, task_count: int, *, crowded: bool = False) -> Problem:
    """The same as a problem."""
    todo, fleet, config = site(seed, robot_count, task_count, crowded=crowded)
    held = todo.clear().with_columns(since_us=pl.lit(None, pl.Int64))
    todo = todo.with_columns(told=pl.lit(None, pl.String))
    return problem(with_ability(fleet, NOW, config), todo, held, NOW, config)


def optimum(small: Problem) -> float:
    """Least cost of all ways to put all tasks into sequences: every order of every set of tasks on every robot."""
    robot_count, task_count = small.robots.x.size, small.tasks.x.size
    orders = [order for size in range(task_count + 1) for order in itertools.permutations(range(task_count), size)]
    sequences = np.full((len(orders), task_count), NONE)
    for row, order in zip(sequences, orders, strict=True):
        row[: len(order)] = order
    sets = np.array([sum(1 << task for task in order) for order in orders])
    best = np.full((robot_count, 1 << task_count), np.inf)
    for robot in range(robot_count):
        np.minimum.at(best[robot], sets, cost_s(small, np.full(sets.size, robot), sequences))
    whose = np.array(list(itertools.product(range(robot_count), repeat=task_count)))
    mine = np.stack([((whose == robot) << np.arange(task_count)).sum(1) for robot in range(robot_count)], axis=1)
    total = best[np.arange(robot_count), mine].sum(1) + _congestion(small, whose)
    return float(total.min())


def _congestion(small: Problem, whose: Int64) -> Float64:
    """Cost of congestion when tasks are so given to robots: counted zone by zone."""
    cost = np.zeros(whose.shape[0])
    for zone in np.flatnonzero(np.isfinite(small.limit)):
        there = small.tasks.zone == zone
        count = np.full(whose.shape[0], small.blocked[zone])
        for robot in range(small.robots.x.size):
            count += small.standing[robot, zone] | (whose[:, there] == robot).any(1)
        cost += small.config.congestion_s * np.maximum(count - small.limit[zone], 0)
    return cost


def gap(seed: int, robot_count: int, task_count: int, *, crowded: bool = False) -> float:
    """By which share our plan costs more than the best one."""
    small = instance(seed, robot_count, task_count, crowded=crowded)
    return Plan(small, improved(small, assigned(small))).total_s() / optimum(small) - 1


def one_by_one(large: Problem, choose: Callable[[int, Int64, Int64], int]) -> Int64:
    """Tasks by class, each to one of the capable robots with the fewest tasks, which `choose` picks."""
    sequences = np.full((large.robots.x.size, large.config.depth), NONE)
    length = np.zeros(large.robots.x.size, dtype=np.int64)
    last = np.full(large.robots.x.size, NONE)
    for task in np.argsort(-large.tasks.weight, kind="stable"):
        able = np.flatnonzero(large.capable[large.tasks.kind[task]] & (length < large.config.depth))
        able = able[length[able] == length[able].min(initial=large.config.depth)]
        if able.size:
            robot = choose(int(task), able, last[able])
            sequences[robot, length[robot]] = last[robot] = task
            length[robot] += 1
    return sequences


def nearest(large: Problem) -> Int64:
    """Plan in which the nearest robot of those with the fewest tasks takes each."""

    def choose(task: int, able: Int64, last: Int64) -> int:
        x = np.where(last < 0, large.robots.x[able], large.tasks.x[last])
        y = np.where(last < 0, large.robots.y[able], large.tasks.y[last])
        return int(able[np.hypot(x - large.tasks.x[task], y - large.tasks.y[task]).argmin()])

    return one_by_one(large, choose)


def at_random(large: Problem) -> Int64:
    """Plan in which any robot of those with the fewest tasks takes each."""
    rng = np.random.default_rng(0)
    return one_by_one(large, lambda _, able, __: int(rng.choice(able)))


def small_sites(instances: int) -> None:
    print(
        f"{'robots':>7s}{'tasks':>6s}{'zones':>9s}{'sites':>6s}{'optimal':>9s}",
        *(f"{name:>7s}" for name in ("mean", "p95", "p99", "max")),
    )
    for robot_count, task_count, crowded in ((2, 6, False), (3, 6, False), (3, 6, True), (3, 7, False)):
        gaps = np.array([gap(seed, robot_count, task_count, crowded=crowded) for seed in range(instances)]) * 100
        figures = (gaps.mean(), *np.quantile(gaps, [0.95, 0.99]), gaps.max())
        zones = "limited" if crowded else "open"
        share = (gaps < 1e-6).mean()
        print(
            f"{robot_count:7d}{task_count:6d}{zones:>9s}{instances:6d}{share:9.3f}",
            *(f"{one:6.2f}%" for one in figures),
        )


def large_site(robot_count: int, task_count: int, *, crowded: bool) -> None:
    todo, fleet, config = site(0, robot_count, task_count, crowded=crowded)
    allocate(todo.head(10), fleet.head(10), NOW, config)  # imports and tables are not what is measured
    began = time.process_time()
    rows = allocate(todo, fleet, NOW, config)
    spent = time.process_time() - began
    large = instance(0, robot_count, task_count, crowded=crowded)
    ours = rows.assignments["cost_s"].sum()
    print(f"\n{robot_count} robots, {task_count} tasks{', limited zones' if crowded else ''}: {spent:.2f} CPU s")
    for name, plan in (("rounds", assigned(large)), ("nearest", nearest(large)), ("random", at_random(large))):
        print(f"  {name:8s} costs {Plan(large, plan).total_s() / ours:.2f} times ours ({np.sum(plan >= 0)} tasks)")
    print(f"  ours     {ours / task_count:.0f} s a task ({rows.assignments.height} tasks)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=200, help="small sites of each size")
    small_sites(parser.parse_args().instances)
    large_site(50, 500, crowded=False)
    large_site(500, 5_000, crowded=False)
    large_site(500, 5_000, crowded=True)


if __name__ == "__main__":
    main()
