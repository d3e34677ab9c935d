"""What really happened: work, busy and available time per robot, zone and window, and the demand behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.twin.config import WarehouseConfig
from domain.twin.robot import MS_PER_HOUR, MS_PER_S, Robot
from domain.twin.streams import robot_names
from domain.twin.trace import Trace

Int64 = npt.NDArray[np.int64]

_TOTALS = ("done", "units", "busy", "available")


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened in a run.

    `windows`: one row per robot, zone and window [window_start, window_start + truth_window_s): `window_start`
    (UTC), `site`, `zone`, `robot`, `tasks` and `units` done, `busy_s`, `available_s` and `intensity`, the tasks
    offered per available hour. `transitions`: one row per step of a task: `time` (UTC), `site`, `zone`, `robot`,
    `task`, `attempt`, `transition` (index into `TRANSITIONS`), `units`, `priority`. `accounting`: `stream`,
    `fate`, `messages`; every fate but `lost` was written, so they add up to the messages of the stream.
    """

    windows: pl.DataFrame
    transitions: pl.DataFrame
    accounting: pl.DataFrame

    def rollup(self, every: str, *by: str) -> pl.DataFrame:
        """Windows of length `every` (a polars duration) summed over what is not named in `by`.

        `intensity` becomes the mean weighted with available time; it is null where nobody was available.
        """
        offered = (pl.col("intensity") * pl.col("available_s")).sum()
        return (
            self.windows.with_columns(pl.col("window_start").dt.truncate(every))
            .group_by("window_start", *by)
            .agg(
                pl.col("tasks", "units", "busy_s", "available_s").sum(),
                pl.when(pl.col("available_s").sum() > 0).then(offered / pl.col("available_s").sum()).alias("intensity"),
            )
            .sort("window_start", *by)
        )


def window_truth(
    config: WarehouseConfig, robots: list[Robot], trace: Trace, start_ms: int, end_ms: int
) -> pl.DataFrame:
    """Truth of the windows in [start, end): columns of `Truth.windows`."""
    robot, time = _points(config, trace, start_ms, end_ms)
    inner = np.flatnonzero((np.diff(robot) == 0) & (np.diff(time) > 0))
    before, after = trace.before(robot, time), trace.after(robot, time)
    length = config.truth_window_s * MS_PER_S
    hour = (config.start.hour * 60 + config.start.minute) * 60_000 + time[inner]
    zone = after["zone"][inner].astype(np.int64)
    base = np.array([z.tasks_per_hour for z in config.zones])
    factor = np.array([r.factor for r in robots])
    profile = np.array(config.profile)[hour // MS_PER_HOUR % 24]
    frame = pl.DataFrame(
        {
            "window": time[inner] // length * length,
            "zone_index": zone,
            "robot_index": robot[inner],
            **{name: before[name][inner + 1] - before[name][inner] for name in _TOTALS},
            "intensity": base[zone] * factor[robot[inner]] * profile,
        }
    )
    return _named(config, frame.group_by("window", "zone_index", "robot_index").agg(_sums()))


def _points(config: WarehouseConfig, trace: Trace, start_ms: int, end_ms: int) -> tuple[Int64, Int64]:
    """Window edges of every robot and the moments at which it changed zone, by robot and time."""
    edges = np.arange(start_ms, end_ms + 1, config.truth_window_s * MS_PER_S)
    zone = trace.columns["zone"]
    moved = np.flatnonzero((np.diff(zone) != 0) & (np.diff(trace.robot) == 0)) + 1
    robot = np.concatenate([np.repeat(np.arange(config.robots), len(edges)), trace.robot[moved]])
    time = np.concatenate([np.tile(edges, config.robots), trace.time[moved]])
    order = np.lexsort((time, robot))
    return robot[order], time[order]


def _sums() -> list[pl.Expr]:
    return [
        pl.col("done").sum().cast(pl.Int64).alias("tasks"),
        pl.col("units").sum().cast(pl.Int64),
        pl.col("busy").sum().truediv(MS_PER_S).alias("busy_s"),
        pl.col("available").sum().truediv(MS_PER_S).alias("available_s"),
        pl.col("intensity").first(),
    ]


def _named(config: WarehouseConfig, frame: pl.DataFrame) -> pl.DataFrame:
    values = ("tasks", "units", "busy_s", "available_s", "intensity")
    return (
        frame.sort("window", "robot_index", "zone_index")
        .with_columns(moment(config, "window").alias("window_start"), *places(config), robot_column(config))
        .select("window_start", "site", "zone", "robot", *values)
    )


def moment(config: WarehouseConfig, column: str) -> pl.Expr:
    """Milliseconds since the start as Datetime[us, UTC]."""
    start = pl.lit(config.start, dtype=pl.Datetime("us", "UTC"))
    return start + pl.duration(milliseconds=pl.col(column), time_unit="us")


def places(config: WarehouseConfig) -> list[pl.Expr]:
    """Columns `site` and `zone` from `zone_index`."""
    index = pl.col("zone_index")
    sites = pl.Series([z.site for z in config.zones])
    zones = pl.Series([z.name for z in config.zones])
    return [pl.lit(sites).gather(index).alias("site"), pl.lit(zones).gather(index).alias("zone")]


def robot_column(config: WarehouseConfig) -> pl.Expr:
    """Column `robot` from `robot_index`."""
    return pl.lit(pl.Series(robot_names(config))).gather(pl.col("robot_index")).alias("robot")
