"""Another site for `benchmarks.capacity_calibration`, written for it: it shares nothing with the twin or the model.

Robots of a zone differ in speed and in the levels between which they charge, repairs are lognormal, a task broken off
goes on after the repair, work and service time of a task go together. There is never too much work; at the time of a
forecast the robots are copied, and the copies have all the work they can do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.capacity_hours import HORIZONS_H, HOUR_US, START_US, WINDOW_US, Hour, work_done

Float64 = npt.NDArray[np.float64]


@dataclass(slots=True)
class _OwnRobot:
    """A robot of the other simulator; times in hours."""

    rng: np.random.Generator
    zone: str
    demand: float
    speed: float
    low: float
    high: float
    battery: float
    failure: float
    """Hours able to work until it fails."""
    now: float = 0.0
    mode: str = "idle"
    left: float = 0.0
    """Hours until the mode ends, unless it is idle."""
    held: float = 0.0
    """Hours of service left of a task broken off."""
    task: float = 0.0
    """Work of the task in hand."""
    pace: float = 0.0
    """Work per hour of the task in hand."""
    totals: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Busy hours, available hours, tasks, work: in proportion where a task is under way."""
    log: list[tuple[float, str, float, float, float, float, float]] = field(default_factory=list)
    """Time, mode from then on, battery, totals; at each change."""
    done: list[tuple[float, float]] = field(default_factory=list)
    """Time and work of tasks done."""

    def work(self, *, whole: bool) -> float:
        """Work since the hour began, of whole tasks, or since ever, of all of them."""
        return sum(work for _, work in self.done) if whole else self.totals[3]

    def run(self, until: float, *, plenty: bool = False) -> None:
        """Go on to a time; with `plenty` there is always work."""
        while self.now < until - 1e-12:
            if self.mode == "idle":
                self._wait(until, plenty=plenty)
            else:
                ends = min(self.left, self.failure) if self.mode == "busy" else self.left
                self._spend(min(ends, until - self.now))
                self._end()

    def _wait(self, until: float, *, plenty: bool) -> None:
        if self.battery <= self.low + 1e-9:
            self._enter("charging", (self.high - self.battery) / _CHARGE)
            return
        task = 0.0 if plenty else float(self.rng.exponential(1 / self.demand))
        empty = (self.battery - self.low) / _DRAIN["idle"]
        passed = min(task, empty, self.failure, until - self.now)
        self._spend(passed)
        if passed == self.failure or self.failure <= 0:
            self._fail()
        elif passed == task:
            self._take()

    def _take(self) -> None:
        work = float(self.rng.gamma(2.0, 1.5))
        service = (0.3 + 0.7 * work / 3.0) * float(self.rng.lognormal(-0.08, 0.4)) / 40 / self.speed
        self.task, self.pace = work, work / service
        self._enter("busy", service)

    def _end(self) -> None:
        if self.mode == "busy" and self.failure <= 1e-12:
            self._fail()
        elif self.left <= 1e-12:
            if self.mode == "busy":
                self.totals[2] += 1
                self.done.append((self.now, self.task))
            if self.mode in {"fault", "offline"}:
                self.failure = float(self.rng.exponential(_MTBF_H))
            left, self.held = self.held, 0.0
            self._enter("busy" if left > 0 else "idle", left)

    def _fail(self) -> None:
        self.held = self.left if self.mode == "busy" else 0.0
        spread = np.sqrt(np.log(2.0))
        repair = _MTTR_H * float(self.rng.lognormal(-(spread**2) / 2, spread))
        self._enter("offline" if self.rng.random() < 0.5 else "fault", repair)

    def _enter(self, mode: str, left: float) -> None:
        self.mode, self.left = mode, left
        self.log.append((self.now, mode, self.battery, *self.totals))

    def _spend(self, passed: float) -> None:
        self.now += passed
        self.left -= passed
        self.battery = max(self.battery - _DRAIN[self.mode] * passed, 0.0)
        if self.mode in {"idle", "busy"}:
            self.failure -= passed
            self.totals[1] += passed
        if self.mode == "busy":
            self.totals[0] += passed
            self.totals[3] += self.pace * passed


_CHARGE = 45.0
_DRAIN = {"idle": 4.0, "busy": 13.0, "charging": -_CHARGE, "fault": 4.0, "offline": 4.0}
_MTBF_H, _MTTR_H = 12.0, 0.3


class OwnSite:
    """Zones of 1, 2, 5, 12, 30 and 80 robots."""

    def __init__(self, seed: int, *, whole: bool = False) -> None:
        """`whole`: truth is the work of tasks that were done; otherwise tasks under way count in proportion."""
        self.name = f"own {seed}"
        self._whole = whole
        rng = np.random.default_rng((seed, 98))
        self._robots = [
            _OwnRobot(
                rng=np.random.default_rng((seed, 97, size, place)),
                zone=f"{size:02d} robots",
                demand=float(rng.uniform(20, 60)),
                speed=float(rng.lognormal(-0.01, 0.15)),
                low=float(rng.uniform(17, 25)),
                high=float(rng.uniform(85, 97)),
                battery=float(rng.uniform(30, 95)),
                failure=float(rng.exponential(_MTBF_H)),
            )
            for size in (1, 2, 5, 12, 30, 80)
            for place in range(size)
        ]
        self._phase_h = rng.uniform(0, 10, len(self._robots)) / 3600
        self._truth: dict[tuple[float, float], dict[str, float]] = {}

    def hours(self, count: int) -> Iterator[Hour]:
        """The hours of the day, one after the other; each ends with a look at what could be done from then on."""
        for robot in self._robots:
            robot.log.append((0.0, "idle", robot.battery, *robot.totals))
        before = [np.zeros(3)] * len(self._robots)
        for hour in range(count):
            rows, done = [], []
            for place, robot in enumerate(self._robots):
                robot.run(hour + 1.0)
                read, before[place] = _readings(robot, hour, self._phase_h[place], before[place])
                rows.append(read.with_columns(pl.lit(f"r{place:03d}").alias("robot"), pl.lit(robot.zone).alias("zone")))
                done += [(robot.zone, time, work) for time, work in robot.done]
                robot.log, robot.done = robot.log[-1:], []
            if hour + 1 in self.forecast_hours(4.0):
                self._look_ahead(hour + 1.0)
            tasks = pl.DataFrame(
                done, schema={"zone": pl.String, "time": pl.Float64, "units": pl.Float64}, orient="row"
            )
            yield Hour(_presence(self.name, pl.concat(rows)), work_done(self.name, tasks))

    def _look_ahead(self, now: float) -> None:
        copies = copy.deepcopy(self._robots)
        start = [robot.work(whole=self._whole) for robot in copies]
        for horizon in HORIZONS_H:
            able: dict[str, float] = {}
            for robot, before in zip(copies, start, strict=True):
                robot.run(now + horizon, plenty=True)
                able[robot.zone] = able.get(robot.zone, 0.0) + robot.work(whole=self._whole) - before
            self._truth[now, horizon] = able

    def forecast_hours(self, horizon_h: float) -> list[float]:
        """When to make forecasts, in hours since the start."""
        del horizon_h
        return [8.0, 12.0, 16.0, 20.0]

    def truth(self, at_h: float, horizon_h: float) -> dict[str, float]:
        """Work that could be done within a horizon, by zone."""
        return self._truth[at_h, horizon_h]


def _readings(robot: _OwnRobot, hour: int, phase_h: float, before: Float64) -> tuple[pl.DataFrame, Float64]:
    """The last reading of each minute, and work since the last one sent; nothing is sent while offline."""
    log = [*robot.log, (robot.now, robot.mode, robot.battery, *robot.totals)]
    times = np.array([row[0] for row in log])
    at = hour + np.arange(1, 61) / 60 - phase_h
    mode = np.array([row[1] for row in log])[np.searchsorted(times, at, side="right") - 1]
    values = [np.interp(at, times, [row[column] for row in log]) for column in (2, 3, 4, 5)]
    sent = mode != "offline"
    totals = np.floor(np.stack(values[1:])[:, sent].T * [HOUR_US, HOUR_US, 1] + 1e-6)
    added = np.diff(np.vstack([before, totals]), axis=0).astype(np.int64)
    frame = pl.DataFrame(
        {
            "last_us": START_US + (at[sent] * HOUR_US).astype(np.int64),
            "mode": mode[sent],
            "battery": values[0][sent].round(1),
            **{name: added[:, place] for place, name in enumerate(("busy_us", "available_us", "tasks"))},
        }
    )
    return frame, totals[-1] if len(totals) else before


def _presence(site: str, rows: pl.DataFrame) -> pl.DataFrame:
    window = (pl.col("last_us") // WINDOW_US * WINDOW_US).alias("window_start")
    nowhere = pl.lit(None, pl.Float64)
    return rows.with_columns(window, pl.lit(site).alias("site"), nowhere.alias("x"), nowhere.alias("y"))
