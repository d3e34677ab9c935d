"""From settings to a flow that can run: sources, gates, estimators and sinks put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from domain.streaming.partition import Stream
from domain.streaming.watermark import TimeBounds
from flows.alignment.streams import DEMAND_PLACE
from flows.estimators import Estimator, Rows
from flows.feed import Feed
from flows.kinds import ALIGNMENT, STOCK, Kind, contract_of, demand_fields, demand_streams, kind_of
from flows.progress import Extent, Told, Watched
from flows.recovery import PARTS, Run
from flows.settings import FileSource as FileSettings
from flows.settings import Settings
from flows.sources.files import PARTITION, FileSource, FileSourceOptions
from flows.stock.streams import SALES
from flows.valve import Valves
from flows.wiring import Estimates, Input, wire
from quality.breaker import BreakerRule
from quality.gate import Gate
from quality.registration import Registered, register
from schemas.batch import GatedBatch, RawBatch
from schemas.outputs import DEMAND
from sinks.lake.catalog import LakeLocation
from sinks.lake.meta import ContractRecord
from sinks.lake.sink import LakeSink

if TYPE_CHECKING:
    from flows.audit import Audit

FLOW = "throughput"

_STOCK, _ALIGNMENT = "all:stock", "all:alignment"
"""The steps where streams meet, named as no source can be."""

_Gate = Callable[[RawBatch], GatedBatch]


@dataclass(frozen=True, slots=True)
class _Start:
    """A start of a run: when the run began, which sources it read before, and who hears how far it has come."""

    begun_us: int
    before: Collection[str]
    told: Told | None


def lake_location(settings: Settings) -> LakeLocation:
    """Where the lake of these settings is."""
    postgres = settings.lake.postgres
    return LakeLocation(settings.lake.folder, postgres.get_secret_value() if postgres else None)


def build(
    settings: Settings, run: Run, before: Collection[str] = (), audit: Audit | None = None, told: Told | None = None
) -> Dataflow:
    """The throughput flow of these settings, audited and watched or not. Raises a TaktError that names what is missing.

    Sources `before` were read at an earlier start. `told` hears how far sources that end have come.
    """
    gates = {name: register(contract_of(settings, name)) for name in settings.sources}
    start = _Start(run.started_us, before, told)
    inputs = [_input(name, settings, gates[name], start, audit) for name in settings.sources]
    findings = audit.findings(follow=settings.endless) if audit else None
    sinks = _sinks(settings, run, gates.values())
    return wire(FLOW, inputs, _estimates(settings, inputs), sinks, settings.recovery.folder / PARTS, findings)


def _estimates(settings: Settings, inputs: Sequence[Input]) -> list[Estimates]:
    """A step for each source that is estimated on its own, and one for all that meet; who feeds others comes first."""
    steps = [_alone(one, one.kind.estimator) for one in inputs if one.kind.estimator is not None]
    stock = {one.name: one.stream for one in inputs if STOCK in one.kind.meets}
    aligned = {one.name: one.stream for one in inputs if ALIGNMENT in one.kind.meets}
    if stock:
        steps.append(_stock(settings, stock, feeds=any(one.kind.name in SALES for one in inputs)))
    if settings.alignment is not None:
        demand_streams(settings)
        from flows.alignment.estimator import AlignmentEstimator  # noqa: PLC0415 - SciPy takes its time to load

        alignment, time = settings.alignment, settings.time
        AlignmentEstimator(alignment, time, aligned)  # what is wrong with its settings is told before anything is read
        steps.append(
            Estimates(
                _ALIGNMENT,
                tuple(aligned),
                lambda: AlignmentEstimator(alignment, time, aligned),
                TimeBounds(_us(time.window_s), _us(time.disorder_s), 0),
                to_the_last=True,
            )
        )
    return steps


def _stock(settings: Settings, streams: dict[str, Stream], *, feeds: bool) -> Estimates:
    from flows.stock.estimator import StockEstimator  # noqa: PLC0415 - River and SciPy take seconds to load

    chosen, alignment = settings.stock, settings.alignment
    feed = None
    if feeds and alignment is not None:
        lag, window = _us(alignment.demand_lag_s), _us(settings.time.window_s)
        feed = Feed(_ALIGNMENT, DEMAND_PLACE, DEMAND, "bucket_end", lag, window)
    bounds = TimeBounds(_us(chosen.window_s), _us(chosen.disorder_s), 0)
    estimator = lambda: StockEstimator(chosen, streams, answers_all=alignment is None)  # noqa: E731
    return Estimates(_STOCK, tuple(streams), estimator, bounds, to_the_last=True, feed=feed)


def _alone(one: Input, estimator: Callable[[int, str], Estimator]) -> Estimates:
    bounds = one.stream.bounds
    return Estimates(one.name, (one.name,), lambda: estimator(bounds.window_us, one.stream.contract), bounds)


def _bounds(settings: Settings, kind: Kind) -> tuple[TimeBounds, int]:
    """Time bounds of a kind, and how long its ids are remembered in microseconds."""
    stock, time = settings.stock, settings.time
    if kind.meets == {STOCK}:
        return TimeBounds(_us(stock.window_s), _us(stock.disorder_s), 0), _us(stock.dedupe_s)
    if kind.books and kind.estimator is None:  # what comes late is booked when it comes: nobody need wait for it
        return TimeBounds(_us(time.window_s), _us(time.disorder_s), 0), _us(stock.dedupe_s)
    return TimeBounds(_us(time.window_s), _us(time.disorder_s), _us(time.lateness_s)), _us(time.dedupe_s)


def _input(name: str, settings: Settings, registered: Registered, start: _Start, audit: Audit | None) -> Input:
    contract = registered.contract
    kind = kind_of(contract.key, name, aligned=settings.alignment is not None)
    demand_fields(contract)
    valves = Valves(settings.breaker.pause_s)
    source, partitions, key = _source(name, settings, start, valves)
    gate = Gate(registered, tuple({*kind.columns, *contract.idempotency_key}))
    return Input(
        name=name,
        source=source,
        partitions=partitions,
        key=key,
        kind=kind,
        gate=_filled(audit.gate(gate, registered, key) if audit else gate, kind, registered),
        stream=_spec(settings, kind, registered),
        valves=valves,
        breaker=BreakerRule(settings.breaker.block_rows, settings.breaker.ratio, settings.breaker.leap),
        idle_polls=max(1, round(settings.time.idle_after_s)),
    )


def _spec(settings: Settings, kind: Kind, registered: Registered) -> Stream:
    bounds, dedupe_us = _bounds(settings, kind)
    return Stream(
        contract=registered.contract.key,
        suite_hash=registered.suite_hash,
        id_columns=registered.contract.idempotency_key,
        columns=kind.columns,
        bounds=bounds,
        dedupe_us=dedupe_us,
        carries=kind.carries,
        books=kind.books,
    )


def _filled(gate: _Gate, kind: Kind, registered: Registered) -> _Gate:
    """A gate whose good rows have null columns where the contract is of a version before them."""
    absent = [pl.lit(None, kind.columns[n]).alias(n) for n in sorted(kind.newer - {*registered.contract.field_names})]
    if not absent:
        return gate

    def filled(raw: RawBatch) -> GatedBatch:
        batch = gate(raw)
        return replace(batch, good=batch.good.with_columns(absent))

    return filled


def _source(
    name: str, settings: Settings, start: _Start, valves: Valves
) -> tuple[Source[RawBatch], tuple[str, ...], Callable[[RawBatch], str]]:
    chosen, told = settings.sources[name], start.told
    if isinstance(chosen, FileSettings):
        source = FileSource(FileSourceOptions(name, chosen.path, chosen.follow, start.begun_us), valves)
        if told is None or chosen.follow:
            return source, (PARTITION,), lambda _: PARTITION
        files = Extent(chosen.path)
        watched = Watched(name, source, lambda _, position: files.at(position), "bytes", told)
        return watched, (PARTITION,), lambda _: PARTITION
    from flows import kafka  # noqa: PLC0415 - loads a client that a flow over files need not wait for

    topic = kafka.source(name, chosen, settings, valves, start.begun_us if name in start.before else None)
    parts = tuple(topic.list_parts())
    if told is None or not chosen.stop_at_end:
        return topic, parts, lambda raw: raw.partition
    return Watched(name, topic, topic.extent, "messages", told), parts, lambda raw: raw.partition


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
