"""Tasks and robots of tests: rows that differ from a plain one in what is said."""

from __future__ import annotations

import polars as pl

from domain.allocation.tables import ASSIGNMENT_SCHEMA, DONE_SCHEMA, OPTIONAL_SCHEMA, ROBOT_SCHEMA, TASK_SCHEMA

NOW = 1_700_000_000_000_000
S = 1_000_000

TASK = {
    "site": "s",
    "zone": "a",
    "priority": 5,
    "work_micro": 1_000_000,
    "created_us": NOW,
    "x": 0.0,
    "y": 0.0,
    "state": "queued",
}
ROBOT = {
    "site": "s",
    "zone": "a",
    "seen_us": NOW,
    "mode": "idle",
    "battery": 90.0,
    "x": 0.0,
    "y": 0.0,
    "capabilities": ["lift"],
    "active": True,
}
PARTS = [name for name in ASSIGNMENT_SCHEMA if name.endswith("_s") and name != "cost_s"]


def tasks(**changes):
    """A row for each name, with what it changes in a plain task."""
    schema = {**TASK_SCHEMA, "since_us": pl.Int64}
    rows = [dict.fromkeys(schema) | TASK | {"task": name} | change for name, change in changes.items()]
    return pl.DataFrame(rows, schema=schema)


def robots(**changes):
    """The same of robots."""
    schema = ROBOT_SCHEMA | OPTIONAL_SCHEMA
    rows = [dict.fromkeys(schema) | ROBOT | {"robot": name} | change for name, change in changes.items()]
    return pl.DataFrame(rows, schema=schema)


def done(*names):
    """Tasks of site s that are done."""
    return pl.DataFrame([("s", name) for name in names], schema=DONE_SCHEMA, orient="row")
