"""Robots and tasks for tests of recovery, and a recovery that is told of them."""

from __future__ import annotations

import polars as pl

from domain.allocation.failures import RecoveryConfig
from domain.allocation.recovery import Recovery
from domain.allocation.tables import ROBOT_SCHEMA
from domain.allocation.task_tables import OPEN_SCHEMA, OUTCOME_SCHEMA

SECOND = 1_000_000
MINUTE = 60 * SECOND
CONFIG = RecoveryConfig(unreachable_us=3 * MINUTE, grace_us=15 * MINUTE, steady_us=2 * MINUTE, flap_us=24 * 60 * MINUTE)


def robots(now, **said):
    """Robots of zone z at site north by name: a mode, or values of columns. `seen_us` is now if not said."""
    usual = {"site": "north", "zone": "z", "seen_us": now, "battery": 80.0, "x": 1.5, "y": 2.0, "active": True}
    listed = [{"robot": name} | (one if isinstance(one, dict) else {"mode": one}) for name, one in said.items()]
    data = [{**dict.fromkeys(ROBOT_SCHEMA), "mode": "idle", **usual, **one} for one in listed]
    return pl.DataFrame(data, schema=ROBOT_SCHEMA)


def tasks(**said):
    """Open tasks of site north by name: (state, robot, since_us)."""
    usual = {"site": "north", "zone": "z", "priority": 5, "work_micro": 1_000_000, "created_us": 0}
    data = [
        {**dict.fromkeys(OPEN_SCHEMA), **usual, "task": name, "state": state, "robot": robot, "since_us": since}
        for name, (state, robot, since) in said.items()
    ]
    return pl.DataFrame(data, schema=OPEN_SCHEMA)


def outcomes(**said):
    """Tasks that ended, by name: (state, robot)."""
    data = [("north", name, state, robot, 0) for name, (state, robot) in said.items()]
    return pl.DataFrame(data, schema=OUTCOME_SCHEMA, orient="row")


class Told:
    """A recovery, and what it told."""

    def __init__(self, config=CONFIG):
        self.recovery = Recovery(config)
        self.rows = []

    def review(self, minute, fleet, open_tasks, ended=None):
        """(task, status, from, to) of a review at a minute; `fleet` is {robot: mode or values}."""
        now = minute * MINUTE
        told = self.recovery.advance(robots(now, **fleet), open_tasks, outcomes(**(ended or {})), now)
        self.rows += told.to_dicts()
        return [(r["task"], r["status"], r["from_robot"], r["to_robot"]) for r in told.to_dicts()]

    def holder(self, open_tasks, task="t"):
        """(state, robot) of a task as allocation sees it."""
        return self.recovery.as_allocated(open_tasks).filter(task=task).select("state", "robot").row(0)
