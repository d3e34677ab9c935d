"""One robot as a semi-Markov process: idle, busy, charging, fault, offline.

Tasks are offered to a robot only while it is available, as a Poisson process whose rate is the zone's demand
times the hour's factor times the robot's own factor (thinning: Lewis and Shedler, 1979). They wait in its
queue and are served in order. Exponential clocks of demand and failure are drawn anew whenever the robot
becomes available again, which their lack of memory allows. All times are whole milliseconds, so that sums of
busy and available time are exact.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from domain.twin.config import WarehouseConfig, Zone

MS_PER_S = 1_000
MS_PER_HOUR = 3_600_000
_NEVER = 1 << 62
_MAX_UNITS = 5
_BATCH = 256


class Mode(IntEnum):
    """Operating mode, in the order of `MODES`."""

    IDLE = 0
    BUSY = 1
    CHARGING = 2
    FAULT = 3
    OFFLINE = 4


MODES = ("idle", "busy", "charging", "fault", "offline")


class Transition(IntEnum):
    """Step in a task's life, in the order of `TRANSITIONS`."""

    CREATED = 0
    QUEUED = 1
    ASSIGNED = 2
    STARTED = 3
    DONE = 4
    FAILED = 5


TRANSITIONS = ("created", "queued", "assigned", "started", "done", "failed")

_TOTALS = ("busy", "available", "done", "units")
_AT_RESET = ("busy_base", "available_base", "done_base")  # totals when the counters were last reset
STATE_COLUMNS = ("time", "mode", "zone", "boot_epoch", "battery", "queue", *_TOTALS, *_AT_RESET)
"""A row holds from its time (ms) until the robot's next row. Battery (%), busy and available (ms) move on
linearly as the mode says; everything else stays."""

TASK_COLUMNS = ("time", "task", "transition", "attempt", "zone", "units", "priority")


@dataclass(slots=True)
class _Task:
    number: int
    zone: int
    units: int
    priority: int
    attempt: int = 1


@dataclass(slots=True)
class RobotLog:
    """What happened in a stretch of time: rows of `STATE_COLUMNS` and of `TASK_COLUMNS`, in time order."""

    states: list[tuple[float, ...]] = field(default_factory=list)
    tasks: list[tuple[int, ...]] = field(default_factory=list)


class Robot:
    """A robot from the start of the simulation, advanced stretch by stretch."""

    def __init__(self, config: WarehouseConfig, index: int) -> None:
        self._config = config
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 1, index))))
        self._exponential = _stream(lambda: self._rng.standard_exponential(_BATCH))
        self._uniform = _stream(lambda: self._rng.random(_BATCH))
        self._service: dict[int, Iterator[float]] = {}
        self._start_hour_ms = (config.start.hour * 60 + config.start.minute) * 60_000
        self._peak = max(config.profile)
        self.factor = math.exp(config.robot_spread * float(self._rng.standard_normal()))
        """The robot's own factor on demand."""
        self._zone = index % len(config.zones)
        self._battery = config.charge_below + float(self._rng.random()) * (config.charge_until - config.charge_below)
        self._now, self._mode, self._epoch = 0, Mode.IDLE, 1
        self._busy = self._available = self._done = self._units = 0
        self._base = (0, 0, 0)
        self._waiting: deque[_Task] = deque()
        self._current: _Task | None = None
        self._tasks_seen = 0
        self._arrival_at = self._failure_at = self._done_at = self._low_at = self._back_at = _NEVER
        self._log = RobotLog()
        self._become_available()

    def run(self, until: int) -> RobotLog:
        """Advance to `until` (ms since the start) and return the log of the stretch."""
        self._log.states.insert(0, self._row())
        while True:
            due = min(self._arrival_at, self._done_at, self._low_at, self._failure_at, self._back_at)
            if due >= until:
                break
            self._pass_time(due)
            self._handle(due)
        self._pass_time(until)
        log, self._log = self._log, RobotLog()
        return log

    def _handle(self, due: int) -> None:
        if due == self._arrival_at:
            self._offer()
        elif due == self._done_at:
            self._finish()
        elif due == self._failure_at:
            self._fail()
        elif due == self._back_at:
            self._come_back()
        else:
            self._charge()

    def _pass_time(self, to: int) -> None:
        passed = to - self._now
        self._now = to
        self._battery = drained(self._config, self._mode, self._battery, passed)
        if self._mode <= Mode.BUSY:
            self._available += passed
            if self._mode == Mode.BUSY:
                self._busy += passed

    def _row(self) -> tuple[float, ...]:
        totals = (self._busy, self._available, self._done, self._units)
        state = (self._now, int(self._mode), self._zone, self._epoch, self._battery, len(self._waiting))
        return (*state, *totals, *self._base)

    def _record(self) -> None:
        self._log.states.append(self._row())

    def _tell(self, transition: Transition, task: _Task) -> None:
        row = (self._now, task.number, transition, task.attempt, task.zone, task.units, task.priority)
        self._log.tasks.append(row)

    def _next_offer(self) -> int:
        zone = self._config.zones[self._zone]
        rate = zone.tasks_per_hour * self.factor * self._peak
        return self._after(MS_PER_HOUR / rate) if rate > 0 else _NEVER

    def _after(self, mean_ms: float) -> int:
        return self._now + max(1, round(next(self._exponential) * mean_ms))

    def _offer(self) -> None:
        self._arrival_at = self._next_offer()
        hour = (self._start_hour_ms + self._now) // MS_PER_HOUR % 24
        if next(self._uniform) * self._peak >= self._config.profile[hour]:
            return
        self._tasks_seen += 1
        task = _Task(
            number=self._tasks_seen,
            zone=self._zone,
            units=1 + int(next(self._uniform) * _MAX_UNITS),
            priority=int(next(self._uniform) * 10),
        )
        for transition in (Transition.CREATED, Transition.QUEUED, Transition.ASSIGNED):
            self._tell(transition, task)
        self._waiting.append(task)
        if self._mode == Mode.IDLE:
            self._start()
        self._record()

    def _start(self) -> None:
        task = self._current = self._waiting.popleft()
        if task.zone not in self._service:
            self._service[task.zone] = _service_times(self._rng, self._config.zones[task.zone])
        self._done_at = self._now + max(1, round(next(self._service[task.zone]) * MS_PER_S))
        self._mode, self._low_at = Mode.BUSY, _NEVER
        self._tell(Transition.STARTED, task)

    def _finish(self) -> None:
        task = self._take_current()
        self._tell(Transition.DONE, task)
        self._done += 1
        self._units += task.units
        if self._battery <= self._config.charge_below:
            self._charge()
        else:
            self._go_on()
            self._record()

    def _take_current(self) -> _Task:
        task, self._current, self._done_at = self._current, None, _NEVER
        if task is None:
            raise AssertionError("a busy robot has a task")
        return task

    def _go_on(self) -> None:
        if self._waiting:
            self._start()
            return
        self._mode = Mode.IDLE
        spare = max(0.0, self._battery - self._config.charge_below)
        drain = self._config.drain_idle
        self._low_at = self._now + math.ceil(spare / drain * MS_PER_HOUR) if drain > 0 else _NEVER

    def _leave(self, mode: Mode, duration_ms: int) -> None:
        self._mode = mode
        self._arrival_at = self._failure_at = self._low_at = _NEVER
        self._back_at = self._now + max(1, duration_ms)
        self._record()

    def _charge(self) -> None:
        missing = self._config.charge_until - self._battery
        self._leave(Mode.CHARGING, math.ceil(missing / self._config.charge_rate * MS_PER_HOUR))

    def _fail(self) -> None:
        if self._mode == Mode.BUSY:
            task = self._take_current()
            self._tell(Transition.FAILED, task)
            task.attempt += 1
            self._tell(Transition.QUEUED, task)
            self._tell(Transition.ASSIGNED, task)
            self._waiting.appendleft(task)
        # A repair outlasts a few reports, so that the counters are told before they are reset.
        repair = self._config.mttr_s * next(self._exponential) + 3 * self._config.period_s
        offline = next(self._uniform) < self._config.offline_share
        self._leave(Mode.OFFLINE if offline else Mode.FAULT, round(repair * MS_PER_S))

    def _come_back(self) -> None:
        if self._mode == Mode.FAULT and next(self._uniform) < self._config.reset_share:
            self._epoch += 1
            self._base = (self._busy, self._available, self._done)
        # Nobody moves with work in hand: queued tasks belong to the zone they were given in.
        if self._mode == Mode.CHARGING and not self._waiting and next(self._uniform) < self._config.move_share:
            self._zone = self._other_zone()
        self._become_available()
        self._record()

    def _become_available(self) -> None:
        self._back_at = _NEVER
        self._arrival_at = self._next_offer()
        mtbf = self._config.mtbf_h * MS_PER_HOUR
        self._failure_at = self._after(mtbf) if math.isfinite(mtbf) else _NEVER
        self._go_on()

    def _other_zone(self) -> int:
        zones = self._config.zones
        others = [i for i, z in enumerate(zones) if z.site == zones[self._zone].site and i != self._zone]
        return others[int(next(self._uniform) * len(others))] if others else self._zone


def drained(config: WarehouseConfig, mode: Mode, battery: float, passed_ms: int) -> float:
    """Battery (%) after some time in a mode."""
    per_hour = battery_slopes(config)[mode]
    return min(100.0, max(0.0, battery + per_hour * passed_ms / MS_PER_HOUR))


def battery_slopes(config: WarehouseConfig) -> tuple[float, ...]:
    """Change of the battery in % per hour, by mode."""
    return (-config.drain_idle, -config.drain_busy, config.charge_rate, 0.0, 0.0)


def _stream(draw: Callable[[], npt.NDArray[np.float64]]) -> Iterator[float]:
    while True:
        yield from draw().tolist()


def _service_times(rng: np.random.Generator, zone: Zone) -> Iterator[float]:
    cv2 = zone.service_cv**2

    def draw() -> npt.NDArray[np.float64]:
        if zone.law == "gamma":
            return rng.gamma(1 / cv2, zone.service_s * cv2, _BATCH)
        sigma2 = math.log1p(cv2)
        return rng.lognormal(math.log(zone.service_s) - sigma2 / 2, math.sqrt(sigma2), _BATCH)

    return _stream(draw)
