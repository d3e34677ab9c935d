"""From settings to a flow that can run: sources, gates, estimators and sinks put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from domain.streaming.partition import Stream
from domain.streaming.watermark import TimeBounds
from flows.estimators import Estimator, Rows
from flows.kinds import Kind, demand_fields, kind_of
from flows.progress import Told, Watched
from flows.recovery import PARTS, Run
from flows.settings import FileSource as FileSettings
from flows.settings import Settings
from flows.sources.files import PARTITION, FileSource, FileSourceOptions
from flows.valve import Valves
from flows.wiring import Estimates, Input, wire
from quality.breaker import BreakerRule
from quality.gate import Gate
from quality.registration import Registered, register
from schemas.batch import RawBatch
from schemas.registry import find_contract
from sinks.lake.catalog import LakeLocation
from sinks.lake.meta import ContractRecord
from sinks.lake.sink import LakeSink

if TYPE_CHECKING:
    from flows.audit import Audit

FLOW = "throughput"

_STOCK = "all:stock"
"""The step where demand and stock meet, named as no source can be."""


def lake_location(settings: Settings) -> LakeLocation:
    """Where the lake of these settings is."""
    postgres = settings.lake.postgres
    return LakeLocation(settings.lake.folder, postgres.get_secret_value() if postgres else None)


def build(settings: Settings, run: Run, audit: Audit | None = None, told: Told | None = None) -> Dataflow:
    """The throughput flow of these settings, audited and watched or not. Raises a TaktError that names what is missing.

    `told` hears how far sources that end have come.
    """
    gates = {name: register(find_contract(s.contract, settings.contracts)) for name, s in settings.sources.items()}
    inputs = [_input(name, settings, gates[name], run, audit, told) for name in settings.sources]
    findings = audit.findings(follow=settings.endless) if audit else None
    sinks = _sinks(settings, run, gates.values())
    return wire(FLOW, inputs, _estimates(settings, inputs), sinks, settings.recovery.folder / PARTS, findings)


def _estimates(settings: Settings, inputs: Sequence[Input]) -> list[Estimates]:
    """A step for each source that is estimated on its own, and one for all that are merged."""
    alone = [_alone(one, one.kind.estimator) for one in inputs if one.kind.estimator is not None]
    merged = {one.name: one.stream for one in inputs if one.kind.merged}
    if not merged:
        return alone
    from flows.stock.estimator import StockEstimator  # noqa: PLC0415 - River and SciPy take seconds to load

    return [*alone, Estimates(_STOCK, tuple(merged), lambda: StockEstimator(settings.stock, merged))]


def _alone(one: Input, estimator: Callable[[int, str], Estimator]) -> Estimates:
    return Estimates(one.name, (one.name,), lambda: estimator(one.stream.bounds.window_us, one.stream.contract))


def _bounds(settings: Settings, kind: Kind) -> tuple[TimeBounds, int]:
    """Time bounds of a kind, and how long its ids are remembered in microseconds."""
    if kind.merged:
        stock = settings.stock
        return TimeBounds(_us(stock.window_s), _us(stock.disorder_s), 0), _us(stock.dedupe_s)
    time = settings.time
    return TimeBounds(_us(time.window_s), _us(time.disorder_s), _us(time.lateness_s)), _us(time.dedupe_s)


def _input(
    name: str, settings: Settings, registered: Registered, run: Run, audit: Audit | None, told: Told | None
) -> Input:
    contract = registered.contract
    kind = kind_of(contract.key, name)
    demand_fields(contract)
    valves = Valves(settings.breaker.pause_s)
    source, partitions, key = _source(name, settings, run, valves, told)
    bounds, dedupe_us = _bounds(settings, kind)
    spec = Stream(
        contract=contract.key,
        suite_hash=registered.suite_hash,
        id_columns=contract.idempotency_key,
        columns=kind.columns,
        bounds=bounds,
        dedupe_us=dedupe_us,
        carries=kind.merged,
        books=kind.books,
    )
    gate = Gate(registered, tuple({*kind.columns, *contract.idempotency_key}))
    return Input(
        name=name,
        source=source,
        partitions=partitions,
        key=key,
        kind=kind,
        gate=audit.gate(gate, registered, key) if audit else gate,
        stream=spec,
        valves=valves,
        breaker=BreakerRule(settings.breaker.block_rows, settings.breaker.ratio, settings.breaker.leap),
        idle_polls=max(1, round(settings.time.idle_after_s)),
    )


def _source(
    name: str, settings: Settings, run: Run, valves: Valves, told: Told | None
) -> tuple[Source[RawBatch], tuple[str, ...], Callable[[RawBatch], str]]:
    chosen = settings.sources[name]
    if isinstance(chosen, FileSettings):
        source = FileSource(FileSourceOptions(name, chosen.path, chosen.follow, run.started_us), valves)
        watched = source if told is None or chosen.follow else Watched(name, chosen.path, source, told)
        return watched, (PARTITION,), lambda _: PARTITION
    from flows import kafka  # noqa: PLC0415 - loads a client that a flow over files need not wait for

    topic = kafka.source(name, chosen, settings, valves)
    return topic, tuple(topic.list_parts()), lambda raw: raw.partition


def _sinks(settings: Settings, run: Run, gates: Iterable[Registered]) -> dict[str, Sink[tuple[str, Rows]]]:
    records = [ContractRecord(g.contract.key, g.suite_hash, g.suite_json) for g in gates]
    sinks: dict[str, Sink[tuple[str, Rows]]] = {
        "lake": LakeSink(lake_location(settings), run.run_id, FLOW, contracts=records)
    }
    if settings.kafka is not None:
        from flows import kafka  # noqa: PLC0415 - as for the source

        sinks["kafka"] = kafka.sink(settings, run)
    return sinks


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
