"""The flow over any sources and sinks: events in, estimates and signals out.

source -> gate -> windows (per partition) --+--> lake, Kafka
                        |                   |
                        +-> estimate -------+
                               |            |
                               +-> estimate +

A stream has an estimate step of its own, or shares one or two with streams that it meets in event time; and a step may
be fed by another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from domain.streaming.partition import PartitionLogic
from domain.streaming.partition import Stream as StreamSpec
from domain.streaming.timeline import Timeline
from domain.streaming.watermark import TimeBounds
from domain.streaming.windows import Closed
from flows.coarser import CoarserStep
from flows.estimators import Estimator, Rows
from flows.feed import Feed
from flows.kinds import Kind
from flows.progress_items import Progress
from flows.state import StepState
from flows.steps import EstimateStep, Item, PartitionStep
from flows.valve import Valves
from quality.breaker import Breaker, BreakerRule
from schemas.batch import GatedBatch, RawBatch

_PART = "0"
"""Sinks have one partition: one writer, one transaction per epoch."""


@dataclass(frozen=True, slots=True)
class Input:
    """One wired source."""

    name: str
    source: Source[RawBatch]
    partitions: tuple[str, ...]
    """Keys of its partitions, as `key` gives them."""
    key: Callable[[RawBatch], str]
    """Which partition's state a batch belongs to."""
    kind: Kind
    gate: Callable[[RawBatch], GatedBatch]
    stream: StreamSpec
    valves: Valves
    breaker: BreakerRule
    idle_polls: int

    @property
    def places(self) -> list[str]:
        """Its partitions as a timeline names them."""
        return [place(self.name, partition) for partition in self.partitions]


@dataclass(frozen=True, slots=True)
class Estimates:
    """One estimate step: `name` keys its state, `sources` are merged in event time for the estimator."""

    name: str
    sources: tuple[str, ...]
    estimator: Callable[[], Estimator]
    bounds: TimeBounds
    """Of its windows. What sources cut finer is put together. With no lateness it gets final windows alone."""
    to_the_last: bool = False
    """Whether windows are final as far as others came than partitions that have ended."""
    feed: Feed | None = None
    """What it hands to another of the steps."""

    @property
    def within(self) -> str:
        """Its name, if it is not that of its only source."""
        return "" if self.sources == (self.name,) else self.name


def place(source: str, partition: str) -> str:
    """A partition's name among those of all streams."""
    return f"{source}/{partition}"


def wire(
    name: str,
    inputs: Sequence[Input],
    estimates: Sequence[Estimates],
    sinks: Mapping[str, Sink[tuple[str, Rows]]],
    parts: Path,
    findings: Source[Rows] | None = None,
) -> Dataflow:
    """The flow over any sources and sinks; step ids are part of the stored state and must not change.

    Large parts of stored state go to the folder `parts`. `findings` of the audit join the results.
    """
    flow = Dataflow(name)
    windows = {one.name: _wire_input(flow, one, parts) for one in inputs}
    results = [op.filter_map(f"{source}:rows", items, _rows) for source, items in windows.items()]
    fed: dict[str, list[tuple[str, KeyedStream[Item]]]] = {}
    for step in estimates:
        members = [one for one in inputs if one.name in step.sources]
        told = _wire_estimates(step, members, windows, fed.get(step.name, []), parts)
        results.append(op.filter_map(f"{step.name}:estimates", told, _rows))
        if step.feed is not None:
            fed.setdefault(step.feed.to, []).append((step.feed.place, told))
    if findings is not None:
        results.append(op.input("audit:read", flow, findings))
    merged = op.merge("results", *results)
    routed = op.map("route", merged, _route)
    for sink_name, sink in sinks.items():
        op.output(sink_name, routed, sink)
    return flow


def _wire_input(flow: Dataflow, one: Input, parts: Path) -> KeyedStream[Item]:
    raw = op.input(f"{one.name}:read", flow, one.source)
    gated = op.map(f"{one.name}:gate", raw, one.gate)
    keyed: KeyedStream[GatedBatch] = op.key_on(f"{one.name}:partition", gated, lambda batch: one.key(batch.raw))
    return op.stateful_batch(f"{one.name}:windows", keyed, lambda state: _partition_step(one, state, parts))


def _wire_estimates(
    step: Estimates,
    members: Sequence[Input],
    windows: Mapping[str, KeyedStream[Item]],
    fed: Sequence[tuple[str, KeyedStream[Item]]],
    parts: Path,
) -> KeyedStream[Item]:
    ahead = [name for name, _ in fed]
    places = [name for one in members for name in one.places] + ahead

    progress = [_wire_member(step, one, windows[one.name]) for one in members]
    progress += [_wire_fed(step.name, name, items) for name, items in fed]
    together = progress[0] if len(progress) == 1 else op.merge(f"{step.name}:merge", *progress)
    return op.stateful_batch(
        f"{step.name}:estimate", together, lambda state: _estimate_step(step, places, ahead, state, parts)
    )


def _estimate_step(
    step: Estimates, places: Sequence[str], ahead: Sequence[str], state: bytes | None, parts: Path
) -> EstimateStep:
    # A partition of a topic may be empty, or end early: an end must still tell of the others.
    timeline = Timeline(
        places, step.bounds.window_us, step.bounds.lateness_us, to_the_last=step.to_the_last, ahead=ahead
    )
    made = EstimateStep(timeline, step.estimator(), StepState(parts), step.feed, step.within)
    if state is not None:
        made.restore(state)
    return made


def _wire_member(step: Estimates, one: Input, items: KeyedStream[Item]) -> KeyedStream[tuple[str, Progress]]:
    name = f"{step.name}:{one.name}" if one.name != step.name else one.name
    progress = op.filter_map(f"{name}:progress", items, _progress)
    if one.stream.bounds.window_us < step.bounds.window_us:
        window_us = step.bounds.window_us
        progress = op.stateful_batch(f"{name}:coarser", progress, lambda state: CoarserStep(window_us, state))
    if one.stream.bounds.lateness_us and not step.bounds.lateness_us:
        progress = op.map_value(f"{name}:final", progress, _final_alone)
    return op.map(f"{name}:placed", progress, lambda pair: (step.name, (place(one.name, pair[0]), pair[1])))


def _wire_fed(step: str, name: str, items: KeyedStream[Item]) -> KeyedStream[tuple[str, Progress]]:
    progress = op.filter_map(f"{step}:{name}:progress", items, _progress)
    return op.map(f"{step}:{name}:placed", progress, lambda pair: (step, (name, pair[1])))


def _partition_step(one: Input, state: bytes | None, parts: Path) -> PartitionStep:
    window = one.stream.bounds.window_us
    logic = PartitionLogic(one.stream, one.kind.aggregation(window))
    step = PartitionStep(
        logic,
        one.kind,
        Breaker(one.breaker),
        lambda raw: one.valves.of(one.key(raw)),
        StepState(parts),
        idle_polls=one.idle_polls,
    )
    if state is not None:
        step.restore(state)
    return step


def _rows(pair: tuple[str, Item]) -> Rows | None:
    item = pair[1]
    return item if isinstance(item, tuple) else None


def _progress(pair: tuple[str, Item]) -> tuple[str, Progress] | None:
    key, item = pair
    return None if isinstance(item, tuple) else (key, item)


def _final_alone(item: Progress) -> Progress:
    """Windows when they are final, without those that are on time."""
    if isinstance(item, Closed):
        return Closed(item.final_until, item.final_until, item.on_time.clear(), item.final)
    return item


def _route(rows: Rows) -> tuple[str, Rows]:
    return (_PART, rows)
