"""What is said of the evidence of decisions and signals is what they have: each key, its type, and no other."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from jsonschema import validate

from domain.alignment.controllers.reading import Reading, Setting
from domain.allocation.tables import STUCK
from domain.inventory import reconcile
from domain.inventory.classify import Look, Nearby
from domain.inventory.counts import COUNT, STATEMENT
from domain.inventory.mis_key import MisKey
from domain.streaming.windows import TIME, WINDOW_START
from flows.alignment import signals as alignment
from flows.alignment import steering
from flows.alignment.zones import ZoneState
from flows.reference.json_schemas import object_schema
from flows.signals import breaker_signals, split_signal, straggler_signal
from flows.stock import signals as stock
from quality.breaker import BreakerEvent
from schemas.batch import ROW
from schemas.outputs import ADJUSTMENT, RECONCILIATION, SETPOINT, SIGNAL, Output
from schemas.outputs.signal_kinds import SIGNAL_KINDS

PLACE = {"site": "north", "zone": "pick", "sku": "bolt", "location": "a"}


def told(output: Output) -> dict:
    """Schema of an output's evidence."""
    (column,) = (column for column in output.columns if column.name == "evidence")
    return object_schema(column.keys)


def test_setpoints() -> None:
    """Each input and part of a setpoint."""
    state = ZoneState("north", "pick", 10.0, 2.0, 3.0, 0.8, 1.0, 4, 9.0, 8, 4, None, (1.0, 2.0))
    reading = Reading(10.0, 2.0, 3.0, 4, (4, 5), 0, 8)
    evidence = steering._evidence("smith(1)", state, reading, Setting(5, 4.6, 4.0, 0.5, 0.1, "rate", "because"))
    figures = json.loads(evidence.figures)
    validate(figures, told(SETPOINT))
    assert [*figures] == [key.name for column in SETPOINT.columns for key in column.keys]


@pytest.mark.parametrize("kind", [COUNT, STATEMENT])
@pytest.mark.parametrize("slip", [None, MisKey("digits", 12_000, 0.8, 0.9)])
def test_counts(kind: str, slip: MisKey | None) -> None:
    """With a slip of the hand and without, and the same of the adjustment that follows."""
    look = Look("final", 10_000, 12_000, 11_000, 1_000, Nearby(1, 1_000, 1_000), Nearby())
    due = SimpleNamespace(kind=kind, event_id="c1", look=look)
    evidence = json.loads(reconcile._evidence(due, SimpleNamespace(slip=slip)))
    for output in (RECONCILIATION, ADJUSTMENT):
        validate(evidence, told(output))


def signals() -> list[pl.DataFrame]:
    """One of each kind that flows raise themselves."""
    batch = SimpleNamespace(
        raw=SimpleNamespace(source="s", partition="0", offsets=np.arange(1)),
        good=pl.DataFrame(schema={ROW: pl.UInt32, TIME: pl.Datetime("us", "UTC")}),
    )
    events = [BreakerEvent(kind, "decode.json", 0.5, 0.01, 100, 0) for kind in ("breaker_open", "breaker_closed")]
    robots = pl.DataFrame([PLACE | {"robot": "r1"}])
    common = PLACE | {"time_us": 0, "event_id": "m", "reason": "because"}
    broken = [common | {"invariant": "on_hand", "broken": yes, "amount": 1, "uom": "each"} for yes in (True, False)]
    leak = {
        "leak": "l",
        "direction": "loss",
        "since_us": 0,
        "counts": 3,
        "statistic": 6.0,
        "looked_us": 0,
        "quantity": 9,
    }
    answer = {"setpoint": "p", "robots": 3, "in_force": None, "acknowledgement": None, "by": None, "comment": "no"}
    refusals = [
        common | answer | {"kind": kind.removeprefix("setpoint_")}
        for kind in SIGNAL_KINDS
        if kind.startswith("setpoint")
    ]
    stuck = [{"site": "north", "kind": kind, "tasks": ["t"], "robots": ["r"], "reason": "because"} for kind in STUCK]
    dropped = {"task": "t", "state": "queued", "robot": None, "work_micro": 1, "heard_us": 0, "dropped_us": 1}
    unmapped = {"category": None, "mean": 2.0, "mapping": "1"}
    return [
        breaker_signals(batch, events, newest_us=1),
        straggler_signal("0", robots.with_columns(pl.lit(0).alias(WINDOW_START)), booked=False),
        split_signal(0, robots),
        stock.invariant_signals(pl.DataFrame(broken)),
        stock.leak_signals(pl.DataFrame([common | leak])),
        stock.drift_signals(pl.DataFrame([PLACE | {"bucket_end": 0, "before": 0.1, "after": 1.0}])),
        alignment.exception_signals(pl.DataFrame(refusals)),
        alignment.stuck_signals(pl.DataFrame(stuck), 0),
        alignment.dropped_signals(pl.DataFrame([common | dropped])),
        alignment.unmapped_signals(pl.DataFrame([PLACE | unmapped]), 0),
    ]


def test_signals() -> None:
    """Each kind has what it is told to have; those of the audit are held to it where the audit is tested."""
    rows = pl.concat(signals()).to_dicts()
    assert {row["kind"] for row in rows} == {kind for kind in SIGNAL_KINDS if not kind.startswith("audit_")}
    comment = SIGNAL.columns[-1].comment
    for row in rows:
        validate(json.loads(row["evidence"]), object_schema(SIGNAL_KINDS[row["kind"]].evidence))
        assert row["kind"] in comment


@pytest.mark.parametrize("output", [SETPOINT, RECONCILIATION, ADJUSTMENT], ids=lambda output: output.name)
def test_whoever_has_only_the_lake_is_told(output: Output) -> None:
    """The comment of the lake names each key."""
    (column,) = (column for column in output.columns if column.name == "evidence")
    assert [key.name for key in column.keys if f"{key.name}" not in column.explained] == []
