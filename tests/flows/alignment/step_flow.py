"""The steps of a flow that aligns capacity with demand, over two partitions of each stream, without engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from domain.streaming.partition import PartitionLogic, Stream
from domain.streaming.timeline import Timeline
from domain.streaming.windows import Closed
from flows import build
from flows.coarser import CoarserStep
from flows.estimators import Rows
from flows.kinds import kind_of
from flows.setting_sections import FileSource, Stock, Time
from flows.settings import Settings
from flows.state import StepState
from flows.steps import EstimateStep, Item, PartitionStep, Progress
from flows.valve import Valves
from flows.wiring import Estimates, Input, place
from quality.breaker import Breaker, BreakerRule
from quality.gate import Gate
from quality.registration import Registered, register
from schemas.batch import GatedBatch, RawBatch
from schemas.messages import Messages
from schemas.outputs import OUTPUTS
from schemas.registry import find_contract

from .floor import alignment

SOURCES = {
    "telemetry": "robot.state@1",
    "tasks": "task@2",
    "masters": "robot@1",
    "answers": "control@1",
    "orders": "demand.line@1",
}
PARTITIONS = ("0", "1")
Lane = tuple[str, str]
"""A partition of a source."""
ARRIVAL_US = 2**52
"""When rows arrive by the clock, which is long after all of them."""
SILENT_POLLS = 3
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


@cache
def _registered(source: str) -> Registered:
    return register(find_contract(SOURCES[source]))


def _input(name: str, settings: Settings) -> Input:
    registered = _registered(name)
    contract = registered.contract
    kind = kind_of(contract.key, name, aligned=True)
    bounds, dedupe_us = build._bounds(settings, kind)
    return Input(
        name=name,
        source=cast("Any", None),
        partitions=PARTITIONS,
        key=lambda raw: raw.partition,
        kind=kind,
        gate=_gate(name),
        stream=Stream(
            contract=contract.key,
            suite_hash=registered.suite_hash,
            id_columns=contract.idempotency_key,
            columns=kind.columns,
            bounds=bounds,
            dedupe_us=dedupe_us,
            carries=kind.carries,
            books=kind.books,
        ),
        valves=Valves(1.0),
        breaker=BreakerRule(100_000, 0.5, 10),
        idle_polls=SILENT_POLLS,
    )


@cache
def _gate(source: str) -> Gate:
    registered = _registered(source)
    columns = kind_of(registered.contract.key, source, aligned=True).columns
    return Gate(registered, tuple({*columns, *registered.contract.idempotency_key}))


@cache
def _gated(lane: Lane, messages: tuple[bytes, ...], first: int) -> GatedBatch:
    """A batch as the gate gives it."""
    source, partition = lane
    count = len(messages)
    offsets = np.arange(first, first + count, dtype=np.int64)
    arrival = np.full(count, ARRIVAL_US, dtype=np.int64)
    return _gate(source)(RawBatch(source, partition, Messages.of(list(messages)), offsets, arrival))


class FloorFlow:
    """Reads batches of lanes, can be resumed at any moment, and keeps all that was told."""

    def __init__(self, parts: Path, settings: Settings | None = None) -> None:
        self._parts = parts
        self.settings = settings or settings_of_steps()
        self.lanes: list[Lane] = [(name, partition) for name in self.settings.sources for partition in PARTITIONS]
        self.told: list[Rows] = []
        self.read_so_far = dict.fromkeys(self.lanes, 0)
        self._start()

    def _start(self) -> None:
        self._inputs = {name: _input(name, self.settings) for name in self.settings.sources}
        self._partitions = {lane: self._partition(self._inputs[lane[0]]) for lane in self.lanes}
        self._steps = {one.name: one for one in build._estimates(self.settings, list(self._inputs.values()))}
        fed = {one.feed.to: one.feed.place for one in self._steps.values() if one.feed}
        self._estimates = {name: self._estimate(one, fed.get(name)) for name, one in self._steps.items()}
        self._coarser = {
            (name, lane): CoarserStep(one.bounds.window_us, None)
            for name, one in self._steps.items()
            for lane in self.lanes
            if lane[0] in one.sources and self._inputs[lane[0]].stream.bounds.window_us < one.bounds.window_us
        }

    def _partition(self, one: Input) -> PartitionStep:
        logic = PartitionLogic(one.stream, one.kind.aggregation(one.stream.bounds.window_us))
        valve = one.valves.of("0")
        return PartitionStep(
            logic, one.kind, Breaker(one.breaker), lambda _: valve, StepState(self._parts), idle_polls=one.idle_polls
        )

    def _estimate(self, step: Estimates, fed: str | None) -> EstimateStep:
        ahead = [fed] if fed else []
        places = [name for source in step.sources for name in self._inputs[source].places] + ahead
        bounds = step.bounds
        timeline = Timeline(
            places,
            bounds.window_us,
            bounds.lateness_us,
            to_the_last=step.to_the_last,
            ahead=ahead,
        )
        return EstimateStep(timeline, step.estimator(), StepState(self._parts), step.feed, step.within)

    def read(self, lane: Lane, messages: Sequence[bytes]) -> None:
        """The next messages of a lane; none: another second of silence."""
        first = self.read_so_far[lane]
        self.read_so_far[lane] += len(messages)
        self._take(lane, self._partitions[lane].on_batch([_gated(lane, tuple(messages), first)])[0])

    def go_silent(self, lane: Lane) -> None:
        """So long that the lane is idle."""
        for _ in range(SILENT_POLLS):
            self.read(lane, [])

    def end(self, lane: Lane) -> None:
        """The lane ends."""
        self._take(lane, self._partitions[lane].on_eof()[0])

    def finish(self) -> None:
        """All input has ended."""
        for name, step in self._estimates.items():
            self._tell(name, step.on_eof()[0])

    def resume(self, ended: Iterable[Lane] = ()) -> None:
        """Go on from what was stored, as after a kill or in the next run; of lanes it is said again that they ended."""
        stored = [{key: step.snapshot() for key, step in steps.items()} for steps in self._all_steps()]
        self._start()
        for steps, states in zip(self._all_steps()[:2], stored[:2], strict=True):
            for key, state in states.items():
                steps[key].restore(state)
        for key, state in stored[2].items():
            self._coarser[key] = CoarserStep(self._steps[key[0]].bounds.window_us, state)
        for lane in ended:
            self.end(lane)

    def _all_steps(self) -> list[dict[Any, Any]]:
        return [self._partitions, self._estimates, self._coarser]

    def _take(self, lane: Lane, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, tuple):
                self.told.append(item)
                continue
            for name, step in self._steps.items():
                if lane[0] in step.sources:
                    self._progress(name, lane, item)

    def _progress(self, name: str, lane: Lane, item: Progress) -> None:
        """As the flow is wired: windows put together, and only final ones where nothing else counts."""
        coarser = self._coarser.get((name, lane))
        for part in coarser.on_batch([item])[0] if coarser else [item]:
            one = part
            lateness = self._inputs[lane[0]].stream.bounds.lateness_us
            if isinstance(one, Closed) and lateness and not self._steps[name].bounds.lateness_us:
                one = Closed(one.final_until, one.final_until, one.on_time.clear(), one.final)
            self._tell(name, self._estimates[name].on_batch([(place(*lane), one)])[0])

    def _tell(self, name: str, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, tuple):
                self.told.append(item)
            else:
                feed = self._steps[name].feed
                assert feed is not None
                self._tell(feed.to, self._estimates[feed.to].on_batch([(feed.place, item)])[0])

    def table(self, name: str) -> pl.DataFrame:
        """All rows of an output, in order of its key."""
        frames = [rows for output, rows in self.told if output == name]
        table = pl.concat([pl.DataFrame(schema=OUTPUTS[name].schema), *frames])
        return table.sort(OUTPUTS[name].key, maintain_order=True)


def whole(parts: Path, lanes: Mapping[Lane, Sequence[bytes]], settings: Settings | None = None) -> FloorFlow:
    """A run that reads each lane at once, one after the other, all to their ends."""
    flow = FloorFlow(parts, settings)
    for lane in flow.lanes:
        if messages := lanes.get(lane):
            flow.read(lane, messages)
    for lane in flow.lanes:
        flow.end(lane)
    flow.finish()
    return flow
