"""The steps of a flow that aligns capacity with demand, over two partitions of each stream, without engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.setting_sections import FileSource, Stock, Time
from flows.settings import Settings
from tests.flows.step_flow import PARTITIONS, SILENT_POLLS, Lane, StepFlow

from .floor import alignment

__all__ = ["PARTITIONS", "FloorFlow", "Lane", "settings_of_steps", "whole"]

SOURCES = {
    "telemetry": "robot.state@1",
    "tasks": "task@2",
    "masters": "robot@1",
    "answers": "control@1",
    "orders": "demand.line@1",
}
WINDOW_S = 60.0


def settings_of_steps(without: str = "", **how: Any) -> Settings:
    """Settings of all sources but one; `how` are settings of alignment."""
    work = ({"zone": "pick", "sku": "nut", "units": 0.5}, {"zone": "dock", "sku": "bolt", "units": 2.0})
    usual = {"demand_lag_s": 600.0, "delay_s": 120.0, "grace_s": 300.0, "stale_s": 90.0, "unreachable_s": 90.0}
    return Settings(
        sources={
            name: FileSource(kind="files", contract=key, path=Path(name))
            for name, key in SOURCES.items()
            if name != without
        },
        time=Time(window_s=WINDOW_S, disorder_s=5.0, lateness_s=30.0, dedupe_s=600.0, idle_after_s=SILENT_POLLS),
        stock=Stock(window_s=300.0, disorder_s=5.0, dedupe_s=86_400.0, bucket="hour", horizon=2),
        alignment=alignment(**{**usual, "work": work, **how}),
    )


class FloorFlow(StepFlow):
    """A flow of these settings, unless others are given."""

    def __init__(self, parts: Path, settings: Settings | None = None) -> None:
        super().__init__(parts, settings or settings_of_steps())


def whole(parts: Path, lanes: Mapping[Lane, Sequence[bytes]], settings: Settings | None = None) -> FloorFlow:
    """A run that reads each lane at once, one after the other, all to their ends."""
    return FloorFlow(parts, settings).read_whole(lanes)
