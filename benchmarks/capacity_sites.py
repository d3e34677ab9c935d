"""Two simulated sites with known truth for `benchmarks.capacity_calibration`, of different make.

*Twin*: the robots of `domain.twin.robot`, reporting every 10 s through `PresenceWindows`, 1 % of messages lost. From
8:00 on there is more work than they can do, so that what they do is what they can do.

*Own*: written for this, and sharing nothing with the twin or with the model. Robots of a zone differ in speed and in
the levels between which they charge, repairs are lognormal, a task broken off goes on after the repair, work and
service time of a task go together. There is never too much work; at the time of a forecast the robots are copied, and
the copies have all the work they can do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.streaming.partition import IDENTITY
from domain.throughput.presence import PresenceWindows
from domain.twin.config import NO_DEFECTS, WarehouseConfig, Zone
from domain.twin.robot import MODES, MS_PER_HOUR, MS_PER_S, Mode, Robot, Transition
from domain.twin.trace import Trace, transitions

Float64 = npt.NDArray[np.float64]

WINDOW_US = 60_000_000
HOUR_US = 3_600_000_000
_WINDOW_MS, _PERIOD_MS = 60_000, 10_000
START = datetime(2026, 3, 2, tzinfo=UTC)
HORIZONS_H = (0.25, 1.0, 4.0)
START_US = int(START.timestamp()) * 1_000_000


@dataclass(slots=True)
class Hour:
    """What was heard in an hour: PRESENCE rows, and work done by zone and window."""

    presence: pl.DataFrame
    work: pl.DataFrame


class TwinSite:
    """Thirty zones of eight robots."""

    def __init__(self, seed: int) -> None:
        self.name = f"twin {seed}"
        kinds: tuple[tuple[int, float, Literal["lognormal", "gamma"]], ...] = (
            (85, 0.5, "lognormal"),
            (100, 0.8, "gamma"),
            (150, 0.6, "lognormal"),
        )
        zones = tuple(
            Zone(self.name, f"{place:02d}-{mean}s", 1_900 / mean, mean, cv, law)
            for place in range(30)
            for mean, cv, law in [kinds[place % 3]]
        )
        profile = (0.4, 0.5, 0.6, 0.8, 1.0, 1.1, 1.2, 1.0, *(5.0,) * 16)
        self._config = WarehouseConfig(
            seed=seed, start=START, robots=8 * len(zones), zones=zones, profile=profile, defects=NO_DEFECTS
        )
        self._robots = [Robot(self._config, index) for index in range(self._config.robots)]
        self._rng = np.random.default_rng((seed, 99))
        self._phase = self._rng.integers(0, _PERIOD_MS, len(self._robots))
        self._windows = PresenceWindows(WINDOW_US)
        self._done: list[pl.DataFrame] = []
        self.jobs: list[pl.DataFrame] = []
        self.in_system: list[float] = []
        self.utilisation = 0.0
        """Highest of any robot in any hour."""

    def hours(self, count: int) -> Iterator[Hour]:
        """The hours of the day, one after the other."""
        for hour in range(count):
            start, end = hour * MS_PER_HOUR, (hour + 1) * MS_PER_HOUR
            logs = [robot.run(end) for robot in self._robots]
            steps = transitions(logs)
            self.jobs.append(steps)
            done = steps.filter(pl.col("transition") == int(Transition.DONE)).select(
                self._zone_names().alias("zone"), pl.col("time") / MS_PER_HOUR, "units"
            )
            self._done.append(done)
            self._windows.fold(self._messages(Trace(self._config, logs), start, end))
            presence = self._windows.close(START_US + end * 1000)
            worked = presence.group_by("robot").agg(pl.col("busy_us", "available_us").sum())
            self.utilisation = max(self.utilisation, *(worked["busy_us"] / worked["available_us"]).drop_nans())
            yield Hour(presence, _work(self.name, done))

    def _zone_names(self) -> pl.Expr:
        return pl.lit(pl.Series([z.name for z in self._config.zones])).gather(pl.col("zone").cast(pl.Int64))

    def _messages(self, trace: Trace, start: int, end: int) -> pl.DataFrame:
        ticks = np.arange(start, end, _PERIOD_MS)
        robot = np.repeat(np.arange(len(self._robots)), len(ticks))
        time = (ticks + self._phase[:, None]).ravel()
        state = trace.after(robot, time)
        self.in_system.append(float((state["queue"] + (state["mode"] == Mode.BUSY)).mean()))
        sent = (state["mode"] != Mode.OFFLINE) & (self._rng.random(len(time)) > 0.01)
        frame = pl.DataFrame({**state, "robot": robot, "time": time})
        names = pl.Series([f"r{i:03d}" for i in range(len(self._robots))])
        return frame.filter(pl.Series(sent)).select(
            pl.lit(names).gather(pl.col("robot")).alias("robot"),
            self._zone_names().alias("zone"),
            pl.lit(self.name).alias("site"),
            pl.col("boot_epoch").cast(pl.Int64),
            pl.col("time").alias("seq"),
            (START + pl.duration(milliseconds="time", time_unit="us")).alias("event_time"),
            pl.col("battery").round(1),
            (pl.col("done") - pl.col("done_base")).cast(pl.Int64).alias("tasks_done"),
            ((pl.col("busy") - pl.col("busy_base")) / MS_PER_S).alias("busy_s"),
            ((pl.col("available") - pl.col("available_base")) / MS_PER_S).alias("available_s"),
            pl.col("queue").cast(pl.Int64).alias("queue_depth"),
            pl.lit(0, pl.Int64).alias("units"),
            pl.lit(pl.Series(MODES)).gather(pl.col("mode").cast(pl.Int64)).alias("mode"),
            pl.lit(None, pl.Float64).alias("x"),
            pl.lit(None, pl.Float64).alias("y"),
            pl.int_range(pl.len(), dtype=pl.UInt64).alias(IDENTITY),
        )

    def forecast_hours(self, horizon_h: float) -> list[float]:
        """When to make forecasts, in hours since the start."""
        # Robots that went to charge before 8:00 may move to another zone after it, which a forecast does not foresee.
        return [9.25, 13.25] if horizon_h > 1 else [9.25 + hour for hour in range(8)]

    def truth(self, at_h: float, horizon_h: float) -> dict[str, float]:
        """Work done within a horizon, by zone."""
        within = pl.concat(self._done).filter(pl.col("time").is_between(at_h, at_h + horizon_h, closed="left"))
        done = dict(within.group_by("zone").agg(pl.col("units").sum()).iter_rows())
        return {zone.name: float(done.get(zone.name, 0)) for zone in self._config.zones}


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

    def __init__(self, seed: int) -> None:
        self.name = f"own {seed}"
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
            yield Hour(_presence(self.name, pl.concat(rows)), _work(self.name, tasks))

    def _look_ahead(self, now: float) -> None:
        copies = copy.deepcopy(self._robots)
        start = [robot.totals[3] for robot in copies]
        for horizon in HORIZONS_H:
            able: dict[str, float] = {}
            for robot, before in zip(copies, start, strict=True):
                robot.run(now + horizon, plenty=True)
                able[robot.zone] = able.get(robot.zone, 0.0) + robot.totals[3] - before
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


def _work(site: str, done: pl.DataFrame) -> pl.DataFrame:
    """Tasks done and their work by zone and window from `zone`, `time` (h) and `units`."""
    at = START_US + (pl.col("time") * HOUR_US).cast(pl.Int64)
    return (
        done.group_by("zone", (at // WINDOW_US * WINDOW_US).alias("window_start"))
        .agg(
            pl.len().cast(pl.Int64).alias("done"),
            (pl.col("units").sum() * 1e6).round().cast(pl.Int64).alias("work_micro"),
        )
        .with_columns(pl.lit(site).alias("site"))
    )
