"""The flow over any sources and sinks: events in, estimates and signals out.

source -> gate -> windows (per partition) --+--> lake, Kafka
                        |                   |
                        +-> estimate -------+

Each stream has an estimate step of its own, or shares one with streams that it meets in event time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from domain.streaming.partition import PartitionLogic
from domain.streaming.partition import Stream as StreamSpec
from domain.streaming.timeline import Timeline
from flows.estimators import Estimator, Rows
from flows.kinds import Kind
from flows.state import StepState
from flows.steps import EstimateStep, Item, PartitionStep, Progress
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
    for step in estimates:
        members = [one for one in inputs if one.name in step.sources]
        results.append(_wire_estimates(step, members, windows, parts))
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
    step: Estimates, members: Sequence[Input], windows: Mapping[str, KeyedStream[Item]], parts: Path
) -> Stream[Rows]:
    bounds = members[0].stream.bounds
    places = [name for one in members for name in one.places]

    def build(state: bytes | None) -> EstimateStep:
        # A partition of a topic may be empty, or end early: an end must still tell of the others.
        merged = members[0].kind.merged
        timeline = Timeline(places, bounds.window_us, bounds.lateness_us, to_the_last=merged)
        made = EstimateStep(timeline, step.estimator(), StepState(parts))
        if state is not None:
            made.restore(state)
        return made

    progress = [_wire_progress(step.name, one.name, windows[one.name]) for one in members]
    together = progress[0] if len(progress) == 1 else op.merge(f"{step.name}:merge", *progress)
    estimates = op.stateful_batch(f"{step.name}:estimate", together, build)
    return op.map(f"{step.name}:estimates", estimates, lambda pair: pair[1])


def _wire_progress(step: str, source: str, items: KeyedStream[Item]) -> KeyedStream[tuple[str, Progress]]:
    return op.filter_map(f"{source}:progress", items, lambda pair: _progress(step, source, pair))


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


def _progress(step: str, source: str, pair: tuple[str, Item]) -> tuple[str, tuple[str, Progress]] | None:
    partition, item = pair
    return None if isinstance(item, tuple) else (step, (place(source, partition), item))


def _route(rows: Rows) -> tuple[str, Rows]:
    return (_PART, rows)
