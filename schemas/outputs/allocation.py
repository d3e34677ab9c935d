"""Outputs about who should do what: recommended assignments, and what becomes of the work of robots that fail."""

from __future__ import annotations

from schemas.outputs.model import Column, Output

ASSIGNMENT = Output(
    name="assignment",
    grain="one row per site, task and review",
    comment="Which robot should do which queued task, in which order, and what that costs",
    columns=(
        Column("assignment", "string", "", "Id: a digest of site, task, robot and time of the review"),
        Column("site", "string", "", "Site"),
        Column("task", "string", "", "Task"),
        Column("robot", "string", "", "Robot that should do it"),
        Column("zone", "string", "", "Zone of the task"),
        Column("event_time", "timestamp", "UTC", "Time of the review, which replaces what an earlier one recommended"),
        Column("sequence", "integer", "1", "Its place among the robot's tasks, from 1"),
        Column("expected_at", "timestamp", "UTC", "When it should be done"),
        Column("cost_s", "number", "s", "Cost of the choice, in seconds: the sum of the parts that follow"),
        Column("wait_s", "number", "s", "Until the robot turns to it"),
        Column("battery_s", "number", "s", "Charging for it"),
        Column("travel_s", "number", "s", "Way to it"),
        Column("work_s", "number", "s", "Doing it"),
        Column("energy_s", "number", "s", "Battery used, in seconds of cost"),
        Column("health_s", "number", "s", "Doubt about the robot: old telemetry, errors"),
        Column("congestion_s", "number", "s", "Its share of robots above a zone's limit"),
        Column("priority_s", "number", "s", "What the time until it is done costs more because of its class"),
        Column("lateness_s", "number", "s", "After the time it is due"),
        Column("charge_first", "boolean", "", "Whether the robot must charge before it"),
        Column("charge_pct", "number", "%", "Up to which charge; null where it need not", nullable=True),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
    ),
    key=("site", "task", "event_time"),
    event_type="takt.signal.assignment.v1",
    topic="signals",
    flow="alignment",
    subject=("site", "robot"),
)

REALLOCATION = Output(
    name="reallocation",
    grain="one row per task, failure of its robot, and status",
    comment="Tasks taken from robots that failed or left, what that undoes, and how it ended",
    columns=(
        Column("reallocation", "string", "", "Id: a digest of site, task, robot and when it failed"),
        Column("site", "string", "", "Site"),
        Column("zone", "string", "", "Zone of the task"),
        Column("task", "string", "", "Task"),
        Column("from_robot", "string", "", "Robot that had it"),
        Column("to_robot", "string", "", "Robot that has it now, or should; null while none can", nullable=True),
        Column("event_time", "timestamp", "UTC", "When it took this status"),
        Column("status", "string", "", "reallocated; then undone (the robot returned), kept (it did it) or settled"),
        Column("cause", "string", "", "fault, offline, unreachable or decommissioned"),
        Column("failed_at", "timestamp", "UTC", "When the robot said so, was last heard of or found decommissioned"),
        Column("started", "boolean", "", "Whether it had begun: the task may be half done, and its load on the robot"),
        Column("action", "string", "", "What the fleet manager must undo: withdraw, restore or none"),
        Column("at_robot", "string", "", "Robot at which; null for none", nullable=True),
        Column("load_x", "number", "m", "Where the load was last, east; null where not known", nullable=True),
        Column("load_y", "number", "m", "Where it was last, north", nullable=True),
        Column("compensation", "string", "", "What must be undone, in a sentence"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
    ),
    key=("reallocation", "status"),
    event_type="takt.signal.reallocation.v1",
    topic="signals",
    flow="alignment",
    subject=("site", "from_robot"),
)
