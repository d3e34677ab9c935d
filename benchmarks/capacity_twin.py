"""The twin as a site for `benchmarks.capacity_calibration`, with known truth.

The robots of `domain.twin.robot`, reporting every 10 s through `PresenceWindows`, 1 % of messages lost. From 8:00 on
there is more work than they can do, so that what they do is what they can do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from benchmarks.capacity_hours import START, START_US, WINDOW_US, Hour, work_done
from domain.streaming.partition import IDENTITY
from domain.throughput.presence import PresenceWindows
from domain.twin.config import NO_DEFECTS, WarehouseConfig, Zone
from domain.twin.robot import MODES, MS_PER_HOUR, MS_PER_S, Mode, Robot, Transition
from domain.twin.trace import Trace, transitions

_PERIOD_MS = 10_000


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
            yield Hour(presence, work_done(self.name, done))

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
