"""Every output of Takt, declared once: lake table, Kafka event and documentation are all made from this.

An `Output` is a table of the lake; where `event_type` is set, each of its rows is also published on Kafka as
a CloudEvent of that type whose id is a hash of the type and the `key` columns (see `schemas.ids`). The key
therefore names one row for ever, whatever run, worker or batch produced it.
"""

from __future__ import annotations

from schemas.outputs.alignment import ALIGNMENT, SETPOINT, SHEDDING
from schemas.outputs.allocation import ASSIGNMENT, REALLOCATION
from schemas.outputs.demand import DEMAND, ORDER_PROPOSAL, REPLENISHMENT
from schemas.outputs.model import POLARS_TYPES, Column, Key, Kind, Output
from schemas.outputs.pipeline import ACCOUNTING, LATE, QUARANTINE, RULE_FAILURES, SIGNAL
from schemas.outputs.stock import ADJUSTMENT, RECONCILIATION, STOCK_MOVE, STOCK_POSITION
from schemas.outputs.throughput import ROBOT_WINDOW, SENSOR_WINDOW, SERVICE_TIME, THROUGHPUT

__all__ = [
    "ACCOUNTING",
    "ADJUSTMENT",
    "ALIGNMENT",
    "ASSIGNMENT",
    "DEMAND",
    "LATE",
    "ORDER_PROPOSAL",
    "OUTPUTS",
    "POLARS_TYPES",
    "QUARANTINE",
    "REALLOCATION",
    "RECONCILIATION",
    "REPLENISHMENT",
    "ROBOT_WINDOW",
    "RULE_FAILURES",
    "SENSOR_WINDOW",
    "SERVICE_TIME",
    "SETPOINT",
    "SHEDDING",
    "SIGNAL",
    "STOCK_MOVE",
    "STOCK_POSITION",
    "THROUGHPUT",
    "Column",
    "Key",
    "Kind",
    "Output",
]

OUTPUTS: dict[str, Output] = {
    o.name: o
    for o in (
        ROBOT_WINDOW,
        THROUGHPUT,
        SERVICE_TIME,
        SENSOR_WINDOW,
        DEMAND,
        STOCK_MOVE,
        STOCK_POSITION,
        RECONCILIATION,
        ADJUSTMENT,
        REPLENISHMENT,
        ORDER_PROPOSAL,
        ALIGNMENT,
        SETPOINT,
        ASSIGNMENT,
        REALLOCATION,
        SHEDDING,
        QUARANTINE,
        LATE,
        SIGNAL,
        ACCOUNTING,
        RULE_FAILURES,
    )
}
"""All outputs by name. An item for a sink is a pair (output name, frame of `Output.schema`)."""
