"""The throughput flow: telemetry in, throughput and machine health out.

source -> gate -> windows (per partition) --+--> lake, Kafka
                        |                   |
                        +-> estimate -------+
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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


def wire(
    name: str,
    inputs: Sequence[Input],
    sinks: Mapping[str, Sink[tuple[str, Rows]]],
    findings: Source[Rows] | None = None,
) -> Dataflow:
    """The flow over any sources and sinks; step ids are part of the stored state and must not change.

    `findings` of the audit join the results.
    """
    flow = Dataflow(name)
    results = [rows for one in inputs for rows in _wire_input(flow, one)]
    if findings is not None:
        results.append(op.input("audit:read", flow, findings))
    merged = op.merge("results", *results)
    routed = op.map("route", merged, _route)
    for sink_name, sink in sinks.items():
        op.output(sink_name, routed, sink)
    return flow


def _wire_input(flow: Dataflow, one: Input) -> list[Stream[Rows]]:
    raw = op.input(f"{one.name}:read", flow, one.source)
    gated = op.map(f"{one.name}:gate", raw, one.gate)
    keyed: KeyedStream[GatedBatch] = op.key_on(f"{one.name}:partition", gated, lambda batch: one.key(batch.raw))
    items = op.stateful_batch(f"{one.name}:windows", keyed, lambda state: _partition_step(one, state))
    rows = op.filter_map(f"{one.name}:rows", items, _rows)
    if one.kind.estimator is None:
        return [rows]
    progress = op.filter_map(f"{one.name}:progress", items, lambda pair: _progress(one.name, pair))
    return [rows, _wire_estimates(one, one.kind.estimator, progress)]


def _wire_estimates(
    one: Input, estimator: Callable[[int, str], Estimator], progress: KeyedStream[tuple[str, Progress]]
) -> Stream[Rows]:
    def build(state: bytes | None) -> EstimateStep:
        bounds = one.stream.bounds
        timeline = Timeline(one.partitions, bounds.window_us, bounds.lateness_us)
        step = EstimateStep(timeline, estimator(bounds.window_us, one.stream.contract))
        if state is not None:
            step.restore(state)
        return step

    estimates = op.stateful_batch(f"{one.name}:estimate", progress, build)
    return op.map(f"{one.name}:estimates", estimates, lambda pair: pair[1])


def _partition_step(one: Input, state: bytes | None) -> PartitionStep:
    window = one.stream.bounds.window_us
    logic = PartitionLogic(one.stream, one.kind.aggregation(window))
    step = PartitionStep(
        logic,
        one.kind,
        Breaker(one.breaker),
        lambda raw: one.valves.of(one.key(raw)),
        idle_polls=one.idle_polls,
    )
    if state is not None:
        step.restore(state)
    return step


def _rows(pair: tuple[str, Item]) -> Rows | None:
    item = pair[1]
    return item if isinstance(item, tuple) else None


def _progress(stream: str, pair: tuple[str, Item]) -> tuple[str, tuple[str, Progress]] | None:
    partition, item = pair
    return None if isinstance(item, tuple) else (stream, (partition, item))


def _route(rows: Rows) -> tuple[str, Rows]:
    return (_PART, rows)
