"""One robot on the floor: what it does next, and what it reports of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import floor

STEP_S = 5
"""Simulated time of a step of the simulator."""
_DRAIN = {"busy": 14.0, "idle": 5.0, "charging": -100.0, "fault": 5.0, "offline": 0.0}
"""Battery spent in each mode, % per hour."""
_CHARGE_BELOW, _CHARGE_UNTIL = 20.0, 95.0


@dataclass(eq=False)
class Task:
    """A shelf is asked for at a goal."""

    name: str
    shelf: int
    zone: str
    queued: bool = True
    """Whether it waits for a robot."""
    attempt: int = 1


@dataclass(eq=False)
class Robot:
    """A robot's work and counters. `agent` is the simulator's own object of it, which is only looked at."""

    number: int
    agent: Any
    bay: floor.Cell
    battery: float
    removed: str = ""
    """Why it is out of service: fault, silent or decommissioned."""
    current: Task | None = None
    """The task it has started."""
    following: Task | None = None
    """The task it has been assigned to do next."""
    given_step: int = 0
    """When it was last given a task."""
    epoch: int = 1
    seq: int = 0
    done: int = 0
    busy_s: int = 0
    available_s: int = 0
    told_units: int = 0
    low: bool = field(default=False)

    @property
    def name(self) -> str:
        return f"agv-{self.number + 1:02d}"

    @property
    def home(self) -> str:
        """The zone it works in when there is work."""
        return floor.zone(self.bay)

    @property
    def cell(self) -> floor.Cell:
        return int(self.agent.x), int(self.agent.y)

    @property
    def pose(self) -> floor.Pose:
        return self.cell, floor.LOOKS.index(self.agent.dir.name)

    @property
    def carried(self) -> int | None:
        """The shelf on its back."""
        return self.agent.carrying_shelf.id if self.agent.carrying_shelf else None

    @property
    def mode(self) -> str:
        if self.removed:
            return "fault" if self.removed == "fault" else "offline"
        if self.current or self.carried:
            return "busy"
        return "charging" if self.low and self.cell == self.bay else "idle"

    @property
    def tasks(self) -> list[Task]:
        """Its tasks in hand, the started one first."""
        return [task for task in (self.current, self.following) if task]

    def action(self, slots: dict[int, floor.Cell]) -> int:
        """Its next step. One that is out of service is led to its bay by hand; first its shelf is put back."""
        bound = self._bound_for(slots)
        if self.cell == bound and bound != self.bay:
            return floor.TOGGLE_LOAD
        return floor.action(self.pose, bound, around_goals=bool(self.removed))

    def _bound_for(self, slots: dict[int, floor.Cell]) -> floor.Cell:
        task = None if self.removed else self.current
        if self.carried is None:
            return slots[task.shelf] if task else self.bay
        if task and task.shelf == self.carried:
            return floor.nearest_goal(self.pose, task.zone)
        return slots[self.carried]

    def pass_time(self) -> None:
        """Count a step in the mode it is in."""
        mode = self.mode
        self.busy_s += STEP_S * (mode == "busy")
        self.available_s += STEP_S * (mode in {"busy", "idle"})
        self.battery = min(100.0, max(0.0, self.battery - _DRAIN[mode] * STEP_S / 3600))
        self.low = self.battery < _CHARGE_BELOW or (self.low and self.battery < _CHARGE_UNTIL)

    def reboot(self) -> None:
        """Counters start again with a new boot epoch."""
        self.epoch += 1
        self.seq = self.done = self.busy_s = self.available_s = self.told_units = 0
