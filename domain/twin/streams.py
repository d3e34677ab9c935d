"""The three message streams of a warehouse, as fields of contract version 1 and ways to break them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.twin import text
from domain.twin.config import WarehouseConfig
from domain.twin.robot import MODES, MS_PER_S, TRANSITIONS, Mode, Transition
from domain.twin.text import Fields
from domain.twin.trace import Trace

Int64 = npt.NDArray[np.int64]

NOT_UTF8 = "\ue000"
"""Stands for bytes that are not UTF-8 until messages become bytes; no name here contains it."""
FUTURE = timedelta(days=36_525)
"""How far ahead a timestamp of the future is: beyond the clock of any reader."""

ROBOT_STATE, TASK, SENSOR_READING = "robot.state", "task", "sensor.reading"


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages of one stream, not yet text. `times` are event times in ms since the start.

    `broken` gives, by kind of malformation, the fields that are replaced; `required` is a field that may not be
    missing; `conflict` the field by which a second message with the same id differs.
    """

    stream: str
    times: Int64
    fields: Fields
    broken: dict[str, Fields]
    required: str
    conflict: Fields

    def at(self, index: Int64) -> Messages:
        """Some of the messages."""
        return replace(self, times=self.times[index], fields=text.rows(self.fields, index))


class RobotStates:
    """The `robot.state` messages of successive stretches: numbers them, and reports units since the last."""

    def __init__(self, config: WarehouseConfig) -> None:
        self._config = config
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 2))))
        jitter, period = config.jitter_s, config.period_s
        self._phase_ms = self._rng.uniform(jitter, period - jitter, config.robots) * MS_PER_S
        self._epoch = np.zeros(config.robots, dtype=np.int64)
        self._next_seq = np.zeros(config.robots, dtype=np.int64)
        self._units = np.zeros(config.robots, dtype=np.int64)

    def make(self, trace: Trace, start_ms: int, end_ms: int) -> Messages:
        """Messages with event times in [start, end), by robot and time; a robot that is offline sends none."""
        config = self._config
        robots, times = self._schedule(start_ms, end_ms)
        state = trace.after(robots, times)
        sent = np.flatnonzero(state["mode"] != Mode.OFFLINE)
        robots, times = robots[sent], times[sent]
        state = {name: column[sent] for name, column in state.items()}
        epoch = state["boot_epoch"].astype(np.int64)
        units = state["units"].astype(np.int64)
        seq = self._number(robots, epoch)
        zone = state["zone"].astype(np.int64)
        mode = state["mode"].astype(np.int64)
        names = robot_names(config)
        epoch_text, seq_text = text.integers(epoch), text.integers(seq)
        ids = (
            text.names(names, robots).str.head(-1),
            *(pl.lit("-"), epoch_text, pl.lit("-"), seq_text, pl.lit('"')),
        )
        fields: Fields = {
            "event_id": pl.select(pl.concat_str(*ids)).to_series(),
            "robot": text.names(names, robots),
            "zone": text.names([z.name for z in config.zones], zone),
            "site": text.names([z.site for z in config.zones], zone),
            "boot_epoch": epoch_text,
            "seq": seq_text,
            "event_time": text.timestamps(config.start, times),
            "mode": text.names(MODES, mode),
            "battery": text.tenths(state["battery"]),
            "tasks_done": text.integers(state["done"] - state["done_base"]),
            "busy_s": text.seconds(state["busy"] - state["busy_base"]),
            "available_s": text.seconds(state["available"] - state["available_base"]),
            "queue_depth": text.integers(state["queue"]),
            "units": text.integers(self._since_last(robots, units)),
            "error": pl.Series(["null", '"motor_overload"']).gather((mode == Mode.FAULT).astype(np.int64)),
            "x": text.tenths(20.0 * zone + self._rng.uniform(0, 20, len(sent))),
            "y": text.tenths(self._rng.uniform(0, 40, len(sent))),
        }
        broken: dict[str, Fields] = {
            "wrong_type": {"battery": '"full"'},
            "unknown_enum": {"mode": '"flying"'},
            "out_of_range": {"battery": "140.5"},
            "invalid_utf8": {"error": f'"{NOT_UTF8}"'},
        }
        return Messages(ROBOT_STATE, times, fields, broken, "robot", {"queue_depth": "999"})

    def _schedule(self, start_ms: int, end_ms: int) -> tuple[Int64, Int64]:
        period = self._config.period_s * MS_PER_S
        ticks = np.arange(start_ms, end_ms, period)
        shape = (self._config.robots, len(ticks))
        jitter = self._rng.uniform(-1, 1, shape) * self._config.jitter_s * MS_PER_S
        times = (ticks + self._phase_ms[:, None] + jitter).astype(np.int64).ravel()
        return np.repeat(np.arange(shape[0]), shape[1]), times

    def _number(self, robots: Int64, epoch: Int64) -> Int64:
        n = len(robots)
        if n == 0:
            return robots
        new = np.empty(n, dtype=bool)
        new[0] = True
        new[1:] = (np.diff(robots) != 0) | (np.diff(epoch) != 0)
        starts = np.flatnonzero(new)
        going_on = self._epoch[robots[starts]] == epoch[starts]
        offset = np.where(going_on, self._next_seq[robots[starts]], 0)
        lengths = np.diff(np.append(starts, n))
        seq: Int64 = np.arange(n) - np.repeat(starts - offset, lengths)
        last = np.append(np.flatnonzero(np.diff(robots)), n - 1)
        self._epoch[robots[last]] = epoch[last]
        self._next_seq[robots[last]] = seq[last] + 1
        return seq

    def _since_last(self, robots: Int64, units: Int64) -> Int64:
        if len(robots) == 0:
            return units
        first = np.append(0, np.flatnonzero(np.diff(robots)) + 1)
        last = np.append(first[1:] - 1, len(robots) - 1)
        previous = np.empty_like(units)
        previous[1:] = units[:-1]
        previous[first] = self._units[robots[first]]
        self._units[robots[last]] = units[last]
        return units - previous


def task_messages(config: WarehouseConfig, transitions: pl.DataFrame) -> Messages:
    """One `task` message per transition; the robot is known from the assignment on."""
    column = {name: transitions[name].to_numpy() for name in transitions.columns}
    names, zone, step = robot_names(config), column["zone"], column["transition"]
    robot = text.names(names, column["robot"])
    task = pl.select(
        pl.concat_str(*(pl.lit('"task-'), robot.str.slice(1).str.head(-1), pl.lit("-"), text.integers(column["task"])))
    ).to_series()
    attempt = text.integers(column["attempt"])
    steps = pl.Series(TRANSITIONS).gather(step)
    parts = (task, pl.lit("-"), steps, pl.lit("-"), attempt, pl.lit('"'))
    unknown = pl.Series(step < Transition.ASSIGNED)
    fields: Fields = {
        "event_id": pl.select(pl.concat_str(*parts)).to_series(),
        "task": pl.select(pl.concat_str(task, pl.lit('"'))).to_series(),
        "site": text.names([z.site for z in config.zones], zone),
        "zone": text.names([z.name for z in config.zones], zone),
        "robot": pl.select(pl.when(unknown).then(pl.lit("null")).otherwise(robot)).to_series(),
        "event_time": text.timestamps(config.start, column["time"]),
        "transition": text.names(TRANSITIONS, step),
        "work_units": text.integers(column["units"]),
        "priority": text.integers(column["priority"]),
    }
    broken: dict[str, Fields] = {
        "wrong_type": {"priority": '"high"'},
        "unknown_enum": {"transition": '"teleported"'},
        "out_of_range": {"work_units": "-1"},
        "invalid_utf8": {"zone": f'"{NOT_UTF8}"'},
    }
    return Messages(TASK, column["time"], fields, broken, "task", {"work_units": "999"})


class SensorReadings:
    """Motor temperatures: 25 degrees and up to 30 more with the share of time the robot is busy."""

    def __init__(self, config: WarehouseConfig) -> None:
        self._config = config
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((config.seed, 3))))

    def make(self, trace: Trace, start_ms: int, end_ms: int) -> Messages:
        """Readings with event times in [start, end), by robot and time; none while the robot is offline."""
        config, period = self._config, self._config.sensor_period_s * MS_PER_S
        ticks = np.arange(start_ms, end_ms, period)
        robots = np.repeat(np.arange(config.robots), len(ticks))
        times = np.tile(ticks, config.robots) + robots * period // config.robots
        state = trace.after(robots, times)
        sent = np.flatnonzero(state["mode"] != Mode.OFFLINE)
        robots, times = robots[sent], times[sent]
        load = state["busy"][sent] / np.maximum(state["available"][sent], 1)
        value = np.clip(25 + 30 * load + self._rng.normal(0, 1.5, len(sent)), 0, 150)
        entity = text.names(robot_names(config), robots)
        ids = (entity.str.head(-1), pl.lit("-motor-"), text.integers(times // period), pl.lit('"'))
        fields: Fields = {
            "event_id": pl.select(pl.concat_str(*ids)).to_series(),
            "entity": entity,
            "metric": json.dumps("motor_temperature"),
            "value": text.tenths(value),
            "unit": json.dumps("Cel"),
            "event_time": text.timestamps(config.start, times),
        }
        broken: dict[str, Fields] = {
            "wrong_type": {"value": '"hot"'},
            "out_of_range": {"unit": '""'},
            "invalid_utf8": {"metric": f'"{NOT_UTF8}"'},
        }
        return Messages(SENSOR_READING, times, fields, broken, "entity", {"value": "199.9"})


def robot_names(config: WarehouseConfig) -> list[str]:
    """Names of the robots by index."""
    return [f"r{i:04d}" for i in range(config.robots)]
