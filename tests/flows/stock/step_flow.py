"""The steps of the stock flow over two partitions of each stream, without engine, sources and sinks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from domain.streaming.partition import PartitionLogic, Stream
from domain.streaming.timeline import Timeline
from domain.streaming.watermark import TimeBounds
from flows.estimators import Rows
from flows.kinds import KINDS
from flows.setting_sections import Stock
from flows.state import StepState
from flows.steps import EstimateStep, Item, PartitionStep, Progress
from flows.stock.estimator import StockEstimator
from flows.valve import Valves
from flows.wiring import place
from quality.breaker import Breaker, BreakerRule
from quality.gate import Gate
from quality.registration import Registered, register
from schemas.batch import GatedBatch, RawBatch
from schemas.messages import Messages
from schemas.outputs import OUTPUTS
from schemas.registry import find_contract

from .site import DEDUPE_S, EXPIRES_S, PARTITIONS

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
ARRIVAL_US = 2**52
"""When rows arrive by the clock, which is long after all of them."""
SILENT_POLLS = 3

Lane = tuple[str, str]
"""A partition of a stream."""
LANES: list[Lane] = [(stream, partition) for stream in STREAMS for partition in PARTITIONS]


@cache
def _registered(stream: str) -> Registered:
    return register(find_contract(f"{stream}@1"))


def _stream(name: str) -> Stream:
    kind, registered = KINDS[name], _registered(name)
    return Stream(
        contract=registered.contract.key,
        suite_hash=registered.suite_hash,
        id_columns=registered.contract.idempotency_key,
        columns=kind.columns,
        bounds=TimeBounds(round(SETTINGS.window_s * 1e6), round(SETTINGS.disorder_s * 1e6), 0),
        dedupe_us=round(SETTINGS.dedupe_s * 1e6),
        carries=True,
        books=kind.books,
    )


@cache
def gated(lane: Lane, messages: tuple[bytes, ...], first: int) -> GatedBatch:
    """A batch as the gate gives it."""
    stream, partition = lane
    count = len(messages)
    offsets = np.arange(first, first + count, dtype=np.int64)
    arrival = np.full(count, ARRIVAL_US, dtype=np.int64)
    registered = _registered(stream)
    gate = Gate(registered, tuple({*KINDS[stream].columns, *registered.contract.idempotency_key}))
    return gate(RawBatch(stream, partition, Messages.of(list(messages)), offsets, arrival))


class StockFlow:
    """Reads batches of lanes, can be resumed at any moment, and keeps all that was told."""

    def __init__(self, parts: Path, partitions: Sequence[str] = PARTITIONS) -> None:
        self._parts = parts
        self.lanes = [lane for lane in LANES if lane[1] in partitions]
        self.told: list[Rows] = []
        self.read_so_far = dict.fromkeys(self.lanes, 0)
        self._start()

    def _start(self) -> None:
        specs = {name: _stream(name) for name in STREAMS}
        valves, rule = Valves(1.0), BreakerRule(100_000, 0.5, 10)
        window = specs[STREAMS[0]].bounds.window_us
        self._partitions = {
            lane: PartitionStep(
                PartitionLogic(specs[lane[0]], KINDS[lane[0]].aggregation(window)),
                KINDS[lane[0]],
                Breaker(rule),
                lambda raw: valves.of(raw.partition),
                StepState(self._parts),
                idle_polls=SILENT_POLLS,
            )
            for lane in self.lanes
        }
        timeline = Timeline([place(*lane) for lane in self.lanes], window, 0, to_the_last=True)
        self._estimates = EstimateStep(timeline, StockEstimator(SETTINGS, specs), StepState(self._parts))

    def read(self, lane: Lane, messages: Sequence[bytes]) -> None:
        """The next messages of a lane; none: another second of silence."""
        first = self.read_so_far[lane]
        self.read_so_far[lane] += len(messages)
        self._take(lane, self._partitions[lane].on_batch([gated(lane, tuple(messages), first)])[0])

    def go_silent(self, lane: Lane) -> None:
        """So long that the lane is idle."""
        for _ in range(SILENT_POLLS):
            self.read(lane, [])

    def end(self, lane: Lane) -> None:
        """The lane ends."""
        self._take(lane, self._partitions[lane].on_eof()[0])

    def finish(self) -> None:
        """All input has ended."""
        self.told += self._estimates.on_eof()[0]

    def resume(self) -> None:
        """Go on from what was stored, as after a kill or in the next run."""
        partitions = {lane: step.snapshot() for lane, step in self._partitions.items()}
        estimates = self._estimates.snapshot()
        self._start()
        for lane, state in partitions.items():
            self._partitions[lane].restore(state)
        self._estimates.restore(estimates)

    def _take(self, lane: Lane, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, tuple):
                self.told.append(item)
            else:
                progress: Progress = item
                self.told += self._estimates.on_batch([(place(*lane), progress)])[0]

    def table(self, name: str) -> pl.DataFrame:
        """All rows of an output, in order of its key."""
        frames = [rows for output, rows in self.told if output == name]
        return pl.concat([pl.DataFrame(schema=OUTPUTS[name].schema), *frames]).sort(OUTPUTS[name].key)

    def newest(self, name: str) -> pl.DataFrame:
        """The newest revision of each row."""
        by = OUTPUTS[name].latest_by
        return self.table(name).group_by(by).last().drop("revision", "final").sort(by)


def whole(parts: Path, lanes: Mapping[Lane, Sequence[bytes]]) -> StockFlow:
    """A run that reads each lane at once, one after the other, all to their ends."""
    flow = StockFlow(parts)
    for lane in flow.lanes:
        if messages := lanes.get(lane):
            flow.read(lane, messages)
    for lane in flow.lanes:
        flow.end(lane)
    flow.finish()
    return flow
