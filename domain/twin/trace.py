"""What the robots did in a stretch of time, as columns that can be read at any moment of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.twin.config import WarehouseConfig
from domain.twin.robot import MS_PER_HOUR, STATE_COLUMNS, TASK_COLUMNS, Mode, RobotLog, battery_slopes

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_ROBOT_STRIDE = 1 << 42  # ms: far beyond any simulated time, so that (robot, time) is one sorted number


class Trace:
    """State of all robots in a stretch, piecewise linear between the rows of their logs."""

    def __init__(self, config: WarehouseConfig, logs: Sequence[RobotLog]) -> None:
        rows = np.array([row for log in logs for row in log.states], dtype=np.float64)
        lengths = [len(log.states) for log in logs]
        self.robot: Int64 = np.repeat(np.arange(len(logs)), lengths)
        self.columns = {name: rows[:, i] for i, name in enumerate(STATE_COLUMNS)}
        self.time: Int64 = self.columns["time"].astype(np.int64)
        self._key = self.robot * _ROBOT_STRIDE + self.time
        self._first: Int64 = np.cumsum([0, *lengths[:-1]])
        self._slopes = np.array(battery_slopes(config))

    def after(self, robots: Int64, times: Int64) -> dict[str, Float64]:
        """State of each robot at each time (ms), with what happened at that very time."""
        return self._read(np.searchsorted(self._key, robots * _ROBOT_STRIDE + times, side="right") - 1, times)

    def before(self, robots: Int64, times: Int64) -> dict[str, Float64]:
        """State of each robot just before each time (ms)."""
        row = np.searchsorted(self._key, robots * _ROBOT_STRIDE + times, side="left") - 1
        return self._read(np.maximum(row, self._first[robots]), times)

    def _read(self, row: Int64, times: Int64) -> dict[str, Float64]:
        state = {name: column[row] for name, column in self.columns.items()}
        mode = state["mode"].astype(np.int64)
        passed = times - state["time"]
        state["busy"] += np.where(mode == Mode.BUSY, passed, 0)
        state["available"] += np.where(mode <= Mode.BUSY, passed, 0)
        state["battery"] = np.clip(state["battery"] + self._slopes[mode] * passed / MS_PER_HOUR, 0, 100)
        return state


def transitions(logs: Sequence[RobotLog]) -> pl.DataFrame:
    """Task transitions of all robots: `robot` (index) and `TASK_COLUMNS`, all Int64, by robot and time."""
    rows = np.array([row for log in logs for row in log.tasks], dtype=np.int64).reshape(-1, len(TASK_COLUMNS))
    robot = np.repeat(np.arange(len(logs)), [len(log.tasks) for log in logs])
    return pl.DataFrame({"robot": robot, **{name: rows[:, i] for i, name in enumerate(TASK_COLUMNS)}})
