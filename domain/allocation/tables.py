"""Columns of what goes into allocation and what comes out. Times are Int64 microseconds since the Unix epoch."""

from __future__ import annotations

from typing import Final

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

TASK_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "priority": pl.Int64,
    "work_micro": pl.Int64,
    "created_us": pl.Int64,
    "due_us": pl.Int64,
    "requires": pl.List(pl.String),
    "x": pl.Float64,
    "y": pl.Float64,
    "depends_on": pl.List(pl.String),
    "state": pl.String,
    "robot": pl.String,
}
"""An open task; (site, task) is unique. `work_micro` is millionths of a work unit, `x` and `y` metres on the site's
map, `priority` 0 (least urgent) to 9. `state` is created, queued, assigned or started; the last two have a robot.
Nullable: due_us, requires, x, y, depends_on, robot. Dependencies are tasks of the same site. Optional besides:
`since_us` Int64, when it took its state; robots do tasks in the order in which they were given them. And `told` String,
the robot that was recommended for it last."""

ROBOT_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "robot": pl.String,
    "seen_us": pl.Int64,
    "mode": pl.String,
    "battery": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
    "capabilities": pl.List(pl.String),
    "speed": pl.Float64,
    "active": pl.Boolean,
}
"""A robot; (site, robot) is unique. `mode` is idle, busy, charging, fault or offline; `battery` percent; `speed` m/s;
`active` false when decommissioned. Nullable: all but site, zone, robot. What is null of seen_us, mode and battery is
not known, and such a robot gets no work. Optional besides: OPTIONAL_SCHEMA; other columns are not looked at."""

OPTIONAL_SCHEMA: Final[Schema] = {"rate": pl.Float64, "errors": pl.Int64}
"""`rate`: work units that the robot does in a busy hour; `errors`: how many it reports. Null like absent."""

DONE_SCHEMA: Final[Schema] = {"site": pl.String, "task": pl.String}
"""Tasks that are done: dependencies that hold nothing up."""

COSTS: Final = ("wait_s", "battery_s", "travel_s", "work_s", "energy_s", "health_s", "congestion_s", "change_s")
"""Parts of a cost that a task has whatever its priority and due time."""

ASSIGNMENT_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "robot": pl.String,
    "sequence": pl.Int64,
    "expected_us": pl.Int64,
    "cost_s": pl.Float64,
    **dict.fromkeys((*COSTS, "priority_s", "lateness_s"), pl.Float64),
    "charge_first": pl.Boolean,
    "charge_pct": pl.Float64,
    "reason": pl.String,
}
"""A task that a robot should do, as its `sequence`-th (from 1) after what it has already; `zone` is the task's,
`expected_us` when it should be done. `cost_s` is the sum of its ten parts:

- `wait_s`, `battery_s`, `travel_s`, `work_s`: until the robot turns to it, charges for it, gets there, has done it;
- `priority_s`: what the time until it is done costs more because of its class; `lateness_s`: what being late costs;
- `energy_s`: battery used; `health_s`: old telemetry, errors; `congestion_s`: its share of robots above a zone's limit;
- `change_s`: another robot was told last to do it.

`charge_first`: it must charge before, to `charge_pct` percent (else null). Sorted by site, robot, sequence."""

WAITING_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "task": pl.String,
    "code": pl.String,
    "detail": pl.String,
}
"""An open task without a robot that gets none now, and why; `code` is one of WAITING. Sorted by site, task."""

WAITING: Final = {
    "dependency": "a task it depends on is not done",
    "dependency_missing": "a task it depends on is neither open nor done",
    "cycle": "it depends on itself, by way of others",
    "unservable": "no robot of the site has what it requires, or a full battery does not last for it",
    "no_robot": "no robot that could do it is able to work now",
    "later": "every robot that could do it has as much as it is given",
}

STUCK_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "kind": pl.String,
    "tasks": pl.List(pl.String),
    "robots": pl.List(pl.String),
    "reason": pl.String,
}
"""Tasks that will not get on by themselves, and the robots that have a part in it; `kind` is one of STUCK. Sorted by
site, kind, tasks; tasks are sorted by name but in cycles and deadlocks."""

STUCK: Final = {
    "cycle": "each of the tasks depends on the next, the last on the first; the first has the smallest name",
    "deadlock": "the same by way of robots: each waits for the next, or for the robot that has it",
    "missing": "the tasks depend on one that is neither open nor done",
    "unservable": "no robot of the site can do the tasks",
    "starvation": "the task could be done and has waited too long",
}
