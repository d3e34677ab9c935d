"""Messages of robots and tasks as lines of JSON, in the words of the contracts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from . import floor
from .robot import STEP_S, Robot, Task

SITE = "hall"
START = datetime(2026, 3, 2, tzinfo=UTC)
WORK_UNITS = 1
PRIORITY = 7
"""That of no task that may be given up: the simulator never stops to ask for a shelf."""
_ORDER = ("created", "failed", "queued", "assigned", "started", "done")
"""Transitions that a task may make within a step, in this order: each a millisecond after the one before."""


def moment(step: int) -> datetime:
    """When a step of the simulator ends."""
    return START + timedelta(seconds=step * STEP_S)


def robot_state(robot: Robot, step: int) -> bytes:
    """What a robot says of itself; it has then told of its work so far."""
    x, y = floor.metres(robot.cell)
    units = robot.done * WORK_UNITS
    message = {
        "event_id": f"{robot.name}-{robot.epoch}-{robot.seq}",
        "robot": robot.name,
        "zone": floor.zone(robot.cell),
        "site": SITE,
        "boot_epoch": robot.epoch,
        "seq": robot.seq,
        "event_time": moment(step),
        "mode": robot.mode,
        "battery": round(robot.battery, 1),
        "tasks_done": robot.done,
        "busy_s": robot.busy_s,
        "available_s": robot.available_s,
        "queue_depth": 1 if robot.following else 0,
        "units": units - robot.told_units,
        "error": "drive_blocked" if robot.mode == "fault" else None,
        "x": x,
        "y": y,
    }
    robot.told_units = units
    robot.seq += 1
    return msgspec.json.encode(message) + b"\n"


def robot_data(robot: Robot, status: str, step: int) -> bytes:
    """What a robot is from now on: active or decommissioned."""
    message = {
        "event_id": f"{robot.name}-{status}",
        "robot": robot.name,
        "site": SITE,
        "event_time": moment(step),
        "status": status,
        "speed": floor.CELL_M / STEP_S,
    }
    return msgspec.json.encode(message) + b"\n"


def task_step(task: Task, slot: floor.Cell, transition: str, step: int, robot: Robot | None) -> bytes:
    """A step in a task's life; its work begins at the shelf's slot."""
    x, y = floor.metres(slot)
    message = {
        "event_id": f"{task.name}-{transition}-{task.attempt}",
        "task": task.name,
        "site": SITE,
        "zone": task.zone,
        "robot": robot.name if robot else None,
        "event_time": moment(step) + timedelta(milliseconds=_ORDER.index(transition)),
        "transition": transition,
        "work_units": WORK_UNITS,
        "priority": PRIORITY,
        "x": x,
        "y": y,
    }
    return msgspec.json.encode(message) + b"\n"
