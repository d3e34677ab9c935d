"""A simulated warehouse whose robots fail often: the book knows what each has, recovery takes it once a failure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl
import pytest

from domain.allocation.recovery import Recovery
from domain.allocation.tables import ROBOT_SCHEMA
from domain.allocation.task_book import TaskBook
from domain.allocation.task_tables import STEP_SCHEMA
from domain.twin.config import small
from domain.twin.robot import MODES, TRANSITIONS, Robot
from tests.domain.allocation.recovery.fleets import CONFIG, MINUTE

pytestmark = pytest.mark.slow

HOURS = 4
MS = 1_000


def _steps(number, log, first):
    """Rows of STEP_SCHEMA of a robot's log."""
    for at, (time_ms, task, transition, _, zone, units, priority) in enumerate(log.tasks):
        name = TRANSITIONS[transition]
        yield {
            "site": "north",
            "zone": f"z{zone}",
            "task": f"{number}-{task}",
            "robot": f"r{number}" if name in ("assigned", "started", "done") else None,
            "at_us": time_ms * MS,
            "transition": name,
            "work_micro": units * 1_000_000,
            "priority": priority,
            "_identity": (first + at) * 1_000 + number,
        }


class Warehouse:
    """Robots, what is known of them, and what they had done."""

    def __init__(self):
        config = replace(small(), mtbf_h=0.5, mttr_s=400.0, duration_s=HOURS * 3_600)
        self.robots = [Robot(config, number) for number in range(config.robots)]
        self.seen = [0] * config.robots
        self.mode = ["idle"] * config.robots
        self.done, self.steps = 0, 0

    def minute(self, now):
        """Steps of a minute, and robots at its end."""
        said = []
        for number, robot in enumerate(self.robots):
            log = robot.run(now // MS)
            said += _steps(number, log, self.steps)
            self.steps += len(log.tasks)
            mode = MODES[robot._mode]
            if mode != "offline":  # such a robot is silent
                self.seen[number], self.mode[number] = now, mode
        self.done += sum(step["work_micro"] for step in said if step["transition"] == "done")
        rows = [{**dict.fromkeys(STEP_SCHEMA), **step} for step in said]
        return pl.DataFrame(rows, schema=STEP_SCHEMA).sort("at_us", "_identity"), self._known()

    def _known(self):
        base = {**dict.fromkeys(ROBOT_SCHEMA), "site": "north", "zone": "z", "active": True}
        rows = [{**base, "robot": f"r{n}", "seen_us": s, "mode": self.mode[n]} for n, s in enumerate(self.seen)]
        return pl.DataFrame(rows, schema=ROBOT_SCHEMA)

    def has(self):
        """Tasks in hand, by robot."""
        count = {f"r{n}": len(r._waiting) + (r._current is not None) for n, r in enumerate(self.robots)}
        return {robot: tasks for robot, tasks in count.items() if tasks}


def test_robots_that_fail_for_hours():
    """Every count is the warehouse's own; each reallocation begins once and ends once."""
    warehouse, book, recovery = Warehouse(), TaskBook(), Recovery(CONFIG)
    told, done = [], 0
    for minute in range(1, HOURS * 60 + 1):
        now = minute * MINUTE
        rows, robots = warehouse.minute(now)
        booked = book.advance(rows, now)
        assert booked.refused.height == 0
        done += booked.flows["done_micro"].sum()
        open_tasks = book.open()
        assert Counter(open_tasks["robot"].to_list()) == warehouse.has()
        told.append(recovery.advance(robots, open_tasks, book.outcomes(recovery.watched()), now))
        seen = recovery.as_allocated(open_tasks)
        held = seen.join(recovery.out(), on=("site", "robot")).filter(pl.col("failed_us") == now)
        assert held.height == 0, "a robot that has just failed has nothing"
    assert done == warehouse.done
    every = pl.concat(told)
    ends = every.filter(pl.col("status") != "reallocated")
    begun = every.filter(status="reallocated")
    assert begun["id"].is_unique().all()
    assert ends["id"].is_unique().all()
    assert set(ends["id"]) <= set(begun["id"])
    assert begun.height - ends.height == recovery.watched().join(begun, on=("site", "task"), how="semi").height
    assert {"undone", "kept"} <= set(ends["status"])
    assert begun.height > 50
