"""The steps of the stock flow over two partitions of each stream, without engine, sources and sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.setting_sections import FileSource, Stock
from flows.settings import Settings
from tests.flows.step_flow import Lane, StepFlow

from .site import DEDUPE_S, EXPIRES_S, PARTITIONS

__all__ = ["SETTINGS", "STREAMS", "Lane", "StockFlow", "whole"]

STREAMS = (
    "inventory.move",
    "inventory.count",
    "inventory.snapshot",
    "item",
    "demand.line",
    "pos.sale",
    "promotion",
    "forecast",
    "control",
)
SETTINGS = Stock(dedupe_s=DEDUPE_S, expires_s=EXPIRES_S, horizon=3)


class StockFlow(StepFlow):
    """A source of each stream, which has its name."""

    def __init__(self, parts: Path, partitions: Sequence[str] = PARTITIONS) -> None:
        sources = {name: FileSource(kind="files", contract=f"{name}@1", path=Path(name)) for name in STREAMS}
        settings = Settings(stock=SETTINGS).model_copy(update={"sources": sources})  # names of sources have no dots
        super().__init__(parts, settings, partitions)


def whole(parts: Path, lanes: Mapping[Lane, Sequence[bytes]]) -> StockFlow:
    """A run that reads each lane at once, one after the other, all to their ends."""
    return StockFlow(parts).read_whole(lanes)
