"""A seeded warehouse: telemetry, task lifecycles and sensor readings as a network delivers them, and the truth.

The same configuration gives the same bytes. Messages come in blocks of event time, so memory stays flat but
for the truth, which grows by some 25 MB per simulated day of 200 robots.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from domain.twin.config import WarehouseConfig
from domain.twin.delivery import Chunk, Delivery
from domain.twin.robot import MS_PER_S, Robot
from domain.twin.streams import (
    ROBOT_STATE,
    SENSOR_READING,
    TASK,
    RobotStates,
    SensorReadings,
    task_messages,
)
from domain.twin.trace import Trace, transitions
from domain.twin.truth import Truth, moment, places, robot_column, window_truth

STREAMS = (ROBOT_STATE, TASK, SENSOR_READING)


class Warehouse:
    """One run of a simulated warehouse.

    >>> from domain.twin.config import small
    >>> warehouse = Warehouse(small())
    >>> written = sum(len(chunk) for chunk in warehouse.chunks())
    >>> accounting = warehouse.truth().accounting
    >>> written == accounting.filter(pl.col("fate") != "lost")["messages"].sum()
    True
    """

    def __init__(self, config: WarehouseConfig) -> None:
        self._config = config
        self._delivery = {stream: Delivery(config, number) for number, stream in enumerate(STREAMS)}
        self._windows: list[pl.DataFrame] = []
        self._transitions: list[pl.DataFrame] = []
        self._state = "new"

    def chunks(self) -> Iterator[Chunk]:
        """All messages: per block of event time one chunk of each stream, in delivery order. To be read once."""
        if self._state != "new":
            raise ValueError("chunks() of a Warehouse can be read once; make a new one of the same config")
        self._state = "running"
        config = self._config
        robots = [Robot(config, index) for index in range(config.robots)]
        states, sensors = RobotStates(config), SensorReadings(config)
        end_of_run = config.duration_s * MS_PER_S
        for start in range(0, end_of_run, config.block_s * MS_PER_S):
            end = min(start + config.block_s * MS_PER_S, end_of_run)
            logs = [robot.run(end) for robot in robots]
            trace, steps = Trace(config, logs), transitions(logs)
            self._windows.append(window_truth(config, robots, trace, start, end))
            self._transitions.append(steps)
            for messages in (
                states.make(trace, start, end),
                task_messages(config, steps),
                sensors.make(trace, start, end),
            ):
                delivery = self._delivery[messages.stream]
                yield delivery.deliver(messages, end, last=end == end_of_run)
        self._state = "done"

    def truth(self) -> Truth:
        """What really happened. Known when all chunks have been read."""
        if self._state != "done":
            raise ValueError("the truth is known when all chunks have been read: exhaust chunks() first")
        rows = [
            (stream, fate, count)
            for stream, delivery in self._delivery.items()
            for fate, count in sorted(delivery.fates.items())
        ]
        columns = {"stream": pl.String, "fate": pl.String, "messages": pl.Int64}
        return Truth(
            windows=pl.concat(self._windows),
            transitions=self._named_transitions(),
            accounting=pl.DataFrame(rows, schema=columns, orient="row"),
        )

    def _named_transitions(self) -> pl.DataFrame:
        frame = pl.concat(self._transitions).rename({"robot": "robot_index", "zone": "zone_index"})
        order = ("time", "site", "zone", "robot", "task", "attempt", "transition", "units", "priority")
        columns = (moment(self._config, "time").alias("time"), *places(self._config))
        return frame.with_columns(*columns, robot_column(self._config)).select(order)
