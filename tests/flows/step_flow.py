"""The steps of a flow over two partitions of each stream, without engine, sources and sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import polars as pl

from domain.streaming.partition import PartitionLogic
from domain.streaming.windows import Closed
from flows import build, wiring
from flows.coarser import CoarserStep
from flows.estimators import Rows
from flows.kinds import kind_of
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

PARTITIONS = ("0", "1")
Lane = tuple[str, str]
"""A partition of a source."""
ARRIVAL_US = 2**52
"""When rows arrive by the clock, which is long after all of them."""
SILENT_POLLS = 3


@cache
def _registered(contract: str) -> Registered:
    return register(find_contract(contract))


@cache
def _gate(contract: str, *, aligned: bool) -> Gate:
    registered = _registered(contract)
    columns = kind_of(contract, contract, aligned=aligned).columns
    return Gate(registered, tuple({*columns, *registered.contract.idempotency_key}))


@cache
def _gated(lane: Lane, gate: Callable[[RawBatch], GatedBatch], messages: tuple[bytes, ...], first: int) -> GatedBatch:
    """A batch as the gate gives it."""
    count = len(messages)
    offsets = np.arange(first, first + count, dtype=np.int64)
    arrival = np.full(count, ARRIVAL_US, dtype=np.int64)
    return gate(RawBatch(*lane, Messages.of(list(messages)), offsets, arrival))


def _input(name: str, settings: Settings, partitions: Sequence[str]) -> Input:
    registered, aligned = _registered(settings.sources[name].contract), settings.alignment is not None
    contract = registered.contract
    kind = kind_of(contract.key, name, aligned=aligned)
    return Input(
        name=name,
        source=cast("Any", None),
        partitions=tuple(partitions),
        key=lambda raw: raw.partition,
        kind=kind,
        gate=_gate(contract.key, aligned=aligned),
        stream=build._spec(settings, kind, registered),
        valves=Valves(1.0),
        breaker=BreakerRule(100_000, 0.5, 10),
        idle_polls=SILENT_POLLS,
    )


class StepFlow:
    """Reads batches of lanes, can be resumed at any moment, and keeps all that was told."""

    def __init__(self, parts: Path, settings: Settings, partitions: Sequence[str] = PARTITIONS) -> None:
        self._parts = parts
        self._of = partitions
        self.settings = settings
        self.lanes: list[Lane] = [(name, partition) for name in settings.sources for partition in partitions]
        self.told: list[Rows] = []
        self.read_so_far = dict.fromkeys(self.lanes, 0)
        self._start()

    def _start(self) -> None:
        self._inputs = {name: _input(name, self.settings, self._of) for name in self.settings.sources}
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
        return wiring._estimate_step(step, places, ahead, None, self._parts)

    def read(self, lane: Lane, messages: Sequence[bytes]) -> None:
        """The next messages of a lane; none: another second of silence."""
        first = self.read_so_far[lane]
        self.read_so_far[lane] += len(messages)
        batch = _gated(lane, self._inputs[lane[0]].gate, tuple(messages), first)
        self._take(lane, self._partitions[lane].on_batch([batch])[0])

    def go_silent(self, lane: Lane) -> None:
        """So long that the lane is idle."""
        for _ in range(SILENT_POLLS):
            self.read(lane, [])

    def passed_over(self, lane: Lane) -> bool:
        """Whether a step does not wait for the lane: it fell silent, and nothing was heard of it since."""
        steps = (step for name, step in self._estimates.items() if lane[0] in self._steps[name].sources)
        return any(step._timeline._of(place(*lane)).idle for step in steps)

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

    def newest(self, name: str) -> pl.DataFrame:
        """The newest revision of each row."""
        by = OUTPUTS[name].latest_by
        return self.table(name).group_by(by).last().drop("revision", "final").sort(by)

    def read_whole(self, lanes: Mapping[Lane, Sequence[bytes]]) -> Self:
        """Each lane at once, one after the other, all to their ends."""
        for lane in self.lanes:
            if messages := lanes.get(lane):
                self.read(lane, messages)
        for lane in self.lanes:
            self.end(lane)
        self.finish()
        return self
