"""Robots of the simulated warehouse that do as setpoints say, late, and answer for it; and the flow that steers them.

Robots (`domain.twin.robot`: service times, batteries, failures) work off the tasks of one zone. Whoever is not wanted
there waits in another zone of the site, from where he comes when more are.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from domain.twin import text
from domain.twin.config import NO_DEFECTS, WarehouseConfig, Zone
from domain.twin.robot import _NEVER, MS_PER_S, TRANSITIONS, Mode, Robot, RobotLog, Transition, _Task
from domain.twin.streams import RobotStates, robot_names
from domain.twin.trace import Trace
from flows.setting_sections import FileSource, Time
from flows.settings import Settings

from .floor import START, alignment, answer, at
from .step_flow import FloorFlow

NOWHERE = Path("parts-are-too-small-for-files")
STEP_MS = 10_000
INTERVAL_S = 300.0
PICK, PARK = 0, 1
TELEMETRY, TASKS, ANSWERS = ("telemetry", "0"), ("tasks", "0"), ("answers", "0")


def twin(robots: int, service_s: float, **how: Any) -> WarehouseConfig:
    """A site whose robots start in the zone where nothing is done."""
    zones = (Zone("north", "pick", 0, service_s, 0.5), Zone("north", "park", 0, service_s, 0.5))
    usual = {"start": START, "period_s": 60, "drain_idle": 0.0, "drain_busy": 0.0, "mtbf_h": float("inf")}
    return WarehouseConfig(robots=robots, zones=zones, move_share=0.0, defects=NO_DEFECTS, **{**usual, **how})


class Hand(Robot):
    """A robot that does what it is given and goes where it is sent once it has nothing in hand."""

    def __init__(self, config: WarehouseConfig, index: int, zone: int) -> None:
        super().__init__(config, index)
        self._zone = self.sent_to = zone
        self._battery = config.charge_until

    def _next_offer(self) -> int:
        return _NEVER

    @property
    def zone(self) -> int:
        return self._zone

    @property
    def due(self) -> int:
        return min(self._done_at, self._low_at, self._failure_at, self._back_at)

    @property
    def takes_more(self) -> bool:
        """Whether another task may be given to it, one ahead of what it does."""
        return self._mode <= Mode.BUSY and not self._waiting and self._zone == self.sent_to

    def give(self, task: _Task) -> None:
        self._tell(Transition.ASSIGNED, task)
        self._waiting.append(task)
        if self._mode == Mode.IDLE:
            self._start()
        self._record()

    @property
    def may_move(self) -> bool:
        """Whether it was sent elsewhere and has nothing in hand."""
        return self._zone != self.sent_to and self._current is None and not self._waiting

    def move(self) -> None:
        self._zone = self.sent_to
        self._record()


@dataclass(order=True)
class Order:
    """A setpoint that is to be carried out."""

    effective_ms: int
    robots: int
    setpoint: str


@dataclass
class Crew:
    """Robots of one zone; `arriving` says how many tasks an hour come at a time in hours."""

    config: WarehouseConfig
    arriving: Callable[[float], float]
    delay_s: float
    at_work: int
    obeys: bool = True
    now: int = 0
    orders: list[Order] = field(default_factory=list)
    answers: list[tuple[int, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = self.config.robots
        self.robots = [Hand(self.config, i, PICK if i < self.at_work else PARK) for i in range(count)]
        self._logs = [RobotLog() for _ in range(count)]
        self._states = RobotStates(self.config)
        self._queue: deque[_Task] = deque()
        self._created: list[tuple[int, _Task]] = []
        self._number, self._owed = 0, 0.0

    def told(self, setpoints: pl.DataFrame) -> None:
        """Setpoints that were sent; each is accepted, and carried out when it is time."""
        for row in setpoints.iter_rows(named=True):
            decided = round((row["decided_at"] - START).total_seconds() * MS_PER_S)
            self.answers.append((max(self.now, decided) + MS_PER_S, row["setpoint"], "accepted"))
            self.orders.append(Order(decided + round(self.delay_s * MS_PER_S), row["robots"], row["setpoint"]))

    def go_on(self, until_ms: int) -> dict[str, list[bytes]]:
        """What is said up to a time, by source."""
        start = self.now
        while self.now < until_ms:
            self.now += STEP_MS
            self._arrive()
            for number, robot in enumerate(self.robots):
                if robot.due < self.now:
                    self._run(number)
            self._obey()
            self._deal()
        return {"telemetry": self._telemetry(start), "tasks": self._tasks(), "answers": self._answers()}

    def _arrive(self) -> None:
        self._owed += self.arriving(self.now / 3_600_000) * STEP_MS / 3_600_000
        while self._owed >= 1:
            self._owed -= 1
            self._number += 1
            task = _Task(number=self._number, zone=PICK, units=1, priority=5)
            self._queue.append(task)
            self._created.append((self.now, task))

    def _obey(self) -> None:
        due = [order for order in self.orders if order.effective_ms <= self.now]
        if not due:
            return
        last = max(due)
        if self.obeys:
            sent = [robot for robot in self.robots if robot.sent_to == PICK]
            other = [robot for robot in self.robots if robot.sent_to == PARK]
            for robot in other[: max(0, last.robots - len(sent))]:
                robot.sent_to = PICK
            for robot in sent[max(0, last.robots) :]:
                robot.sent_to = PARK
            for number, robot in enumerate(self.robots):
                if robot.may_move:
                    self._run(number)
                    robot.move()
        if all(robot.zone == robot.sent_to for robot in self.robots):
            self.answers += [(self.now, order.setpoint, "completed") for order in due]
            self.orders = [order for order in self.orders if order not in due]

    def _deal(self) -> None:
        for waiting in (0, 1):
            for number, robot in enumerate(self.robots):
                idle = robot._mode == Mode.IDLE
                if self._queue and robot.zone == PICK and robot.takes_more and (idle or waiting):
                    self._run(number)
                    robot.give(self._queue.popleft())

    def _run(self, number: int) -> None:
        """Bring a robot up to now: what happens to it then comes after all that is logged."""
        log, more = self._logs[number], self.robots[number].run(self.now)
        log.states += more.states
        log.tasks += more.tasks

    def _telemetry(self, start: int) -> list[bytes]:
        for number in range(len(self.robots)):
            self._run(number)
        made = self._states.make(Trace(self.config, self._logs), start, self.now)
        order = np.argsort(made.times, kind="stable")
        self._steps = [log.tasks for log in self._logs]
        self._logs = [RobotLog() for _ in self.robots]
        return [line.encode() for line in text.compose(made.at(order).fields)]

    def _tasks(self) -> list[bytes]:
        names = robot_names(self.config)
        rows = [(ms, task.number, step, None) for ms, task in self._created for step in ("created", "queued")]
        for name, steps in zip(names, self._steps, strict=True):
            rows += [(ms, number, TRANSITIONS[step], name) for ms, number, step, *_ in steps]
        self._created = []
        lines = []
        for number, (ms, task, step, robot) in enumerate(sorted(rows, key=lambda row: row[0])):
            name = f"t{task}"
            row = {"event_id": f"{name}-{step}-{ms}-{number}", "task": name, "site": "north", "zone": "pick"}
            row |= {"robot": robot, "transition": step, "work_units": 1, "priority": 5}
            lines.append(json.dumps(row | {"event_time": at(ms / MS_PER_S)}).encode())
        return lines

    def _answers(self) -> list[bytes]:
        said = sorted(one for one in self.answers if one[0] < self.now)
        self.answers = [one for one in self.answers if one[0] >= self.now]
        return [answer(name, decision, ms / MS_PER_S)[1] for ms, name, decision in said]


def settings_of_crew(**how: Any) -> Settings:
    """Of telemetry, tasks and answers."""
    sources = {"telemetry": "robot.state@1", "tasks": "task@2", "answers": "control@1"}
    usual = {"interval_s": INTERVAL_S, "delay_s": 300.0, "ack_within_s": 600.0, "expires_s": 3600.0, "hold_s": 3600.0}
    return Settings(
        sources={name: FileSource(kind="files", contract=key, path=Path(name)) for name, key in sources.items()},
        time=Time(window_s=INTERVAL_S, disorder_s=5.0, lateness_s=20.0, idle_after_s=3),
        alignment=alignment(**{**usual, "service_level_s": 36_000.0, **how}),
    )


class Loop:
    """The flow and the crew, each told what the other says, interval by interval."""

    def __init__(self, crew: Crew, **how: Any) -> None:
        self.crew = crew
        self.flow = FloorFlow(NOWHERE, settings_of_crew(**how))
        self.flow._steps = {"all:alignment": self.flow._steps["all:alignment"]}
        for lane in self.flow.lanes:
            if lane not in (TELEMETRY, TASKS):
                self.flow.go_silent(lane)
        self._told = 0
        self.there: list[int] = []
        self.queue: list[int] = []

    def run(self, hours: float) -> Loop:
        """Go on for so long."""
        for number in range(1, round(hours * 3600 / INTERVAL_S) + 1):
            said = self.crew.go_on(round((number * INTERVAL_S + 60.0) * MS_PER_S))
            if said["answers"]:
                self.flow.read(ANSWERS, said["answers"])
                self.flow.go_silent(ANSWERS)
            self.flow.read(TELEMETRY, said["telemetry"])
            self.flow.read(TASKS, said["tasks"])
            new = [rows for name, rows in self.flow.told[self._told :] if name == "setpoint"]
            self._told = len(self.flow.told)
            for rows in new:
                self.crew.told(rows.filter(status="sent", zone="pick"))
            self.there.append(sum(robot.zone == PICK for robot in self.crew.robots))
            self.queue.append(len(self.crew._queue))
        return self

    def setpoints(self) -> list[int]:
        """Robots of each setpoint that is no renewal, in order."""
        sent = self.flow.table("setpoint").filter(status="sent", zone="pick").sort("decided_at")
        return sent.filter(pl.col("renews").is_null())["robots"].to_list()
