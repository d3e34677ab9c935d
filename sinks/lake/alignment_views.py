"""Views over capacity, demand and setpoints."""

from __future__ import annotations

from schemas.outputs import ALIGNMENT, ASSIGNMENT, REALLOCATION, SETPOINT, SHEDDING, Output
from sinks.lake.derived import Derived
from sinks.lake.meta import RECORDED_AT

SETPOINT_NOW = Output(
    name="setpoint_now",
    grain="one row per site and zone",
    comment="The setpoint that was decided last for each zone, and how it stands",
    columns=(*SETPOINT.columns, RECORDED_AT),
    key=("site", "zone"),
)
_SETPOINT_NOW_SQL = """
    SELECT {columns} FROM main.setpoint WHERE status NOT IN ('held', 'resumed')
    QUALIFY row_number() OVER (
        PARTITION BY site, zone ORDER BY decided_at DESC, event_time DESC,
        CASE status WHEN 'sent' THEN 3 WHEN 'accepted' THEN 2 WHEN 'completed' THEN 1 ELSE 0 END
    ) = 1
"""

ALIGNMENT_NOW = Output(
    name="alignment_now",
    grain="one row per site, zone and horizon",
    comment="Demand, capacity, gap and time to clear by the newest review",
    columns=(*ALIGNMENT.columns, RECORDED_AT),
    key=("site", "zone", "horizon_s"),
)
_ALIGNMENT_NOW_SQL = """
    SELECT {columns} FROM main.alignment
    QUALIFY event_time = max(event_time) OVER (PARTITION BY site, zone)
"""

ASSIGNMENT_NOW = Output(
    name="assignment_now",
    grain="one row per site and task that is recommended to a robot now",
    comment="Which robot should do which task now: recommendations that are neither taken up nor over",
    columns=(*ASSIGNMENT.columns, RECORDED_AT),
    key=("site", "task"),
)
_ASSIGNMENT_NOW_SQL = """
    SELECT {columns} FROM (
        SELECT * FROM main.assignment QUALIFY event_time = max(event_time) OVER (PARTITION BY site, task)
    ) WHERE status = 'recommended'
"""

REALLOCATION_NOW = Output(
    name="reallocation_now",
    grain="one row per reallocation",
    comment="Tasks taken from robots that failed or left, and how that stands",
    columns=(*REALLOCATION.columns, RECORDED_AT),
    key=("reallocation",),
)
_REALLOCATION_NOW_SQL = """
    SELECT {columns} FROM main.reallocation
    QUALIFY row_number()
        OVER (PARTITION BY reallocation ORDER BY event_time DESC, status = 'reallocated', status) = 1
"""

SHEDDING_NOW = Output(
    name="shedding_now",
    grain="one row per site, zone and class that is shed",
    comment="Classes of work that are given up for now",
    columns=(*SHEDDING.columns, RECORDED_AT),
    key=("site", "zone", "priority"),
)
_SHEDDING_NOW_SQL = """
    SELECT {columns} FROM (
        SELECT * FROM main.shedding
        QUALIFY row_number() OVER (PARTITION BY site, zone, priority ORDER BY event_time DESC) = 1
    ) WHERE status = 'shed'
"""


def _view(about: Output, sql: str) -> Derived:
    return Derived(about, sql.format(columns=", ".join(f'"{column.name}"' for column in about.columns)))


ALIGNMENT_VIEWS = (
    _view(SETPOINT_NOW, _SETPOINT_NOW_SQL),
    _view(ALIGNMENT_NOW, _ALIGNMENT_NOW_SQL),
    _view(ASSIGNMENT_NOW, _ASSIGNMENT_NOW_SQL),
    _view(REALLOCATION_NOW, _REALLOCATION_NOW_SQL),
    _view(SHEDDING_NOW, _SHEDDING_NOW_SQL),
)
"""Views of the step where capacity meets demand."""
