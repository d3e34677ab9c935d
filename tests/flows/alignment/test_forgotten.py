"""What is remembered has an end, and what was told is told again only when it is news."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from domain.alignment.setpoint_tables import EXCEPTION_SCHEMA, REFUSED_SCHEMA, SETPOINT_SCHEMA
from domain.alignment.setpoints import Answered
from domain.alignment.work import DEMAND, UNMAPPED_SCHEMA
from flows.alignment import dispatch
from flows.alignment.desk import Desk
from flows.alignment.dispatch import MASTER_SCHEMA, Dispatch
from flows.alignment.outlook import Outlook
from flows.alignment.repeated import HOUR_US, Repeated
from flows.alignment.sections import WorkRule
from flows.alignment.signals import dropped_signals

from .floor import alignment

DAY_US = 24 * HOUR_US
WINDOW_US = 60_000_000


def test_a_forecast_is_forgotten_when_its_horizon_is_over():
    """Of a thousand SKUs that are forecast once, none is kept."""
    outlook = Outlook(alignment(work=(WorkRule(zone="pick", units=1.0),)), WINDOW_US)
    rows = [("north", f"sku-{n}", None, HOUR_US, 2 * HOUR_US, 1.0, 1.0, 0) for n in range(1_000)]
    outlook.estimated(pl.DataFrame(rows, schema={**DEMAND, "bucket_start": pl.Int64}, orient="row"))
    nothing = pl.DataFrame(schema={"site": pl.String, "zone": pl.String, "backlog": pl.Float64})
    assert outlook.review(HOUR_US, nothing).gaps["demand"].max() == 1_000 * 1.0
    outlook.review(2 * HOUR_US, nothing)
    assert outlook._estimates.height == 0


def test_demand_without_a_rule_is_told_anew_after_a_week_without_it():
    """And once in a week in which there is."""
    desk = Desk(alignment(), WINDOW_US, answered=False)
    row = pl.DataFrame([("north", "nut", None, 0, HOUR_US, 1.0, "1")], schema=UNMAPPED_SCHEMA, orient="row")
    told = []
    for day, rows in ((0, row), (3, row), (8, row), (9, row.clear()), (16, row)):
        ((_, signals),) = desk._unmapped_signals(rows, day * DAY_US)
        told.append(signals.height)
    assert told == [1, 0, 0, 0, 1]
    desk._unmapped_signals(row.clear(), 30 * DAY_US)
    assert desk.snapshot()[-1] == []


def test_master_data_are_kept_of_so_many_robots(monkeypatch: pytest.MonkeyPatch):
    """Those that were told of longest ago go first, in whatever order they came."""
    monkeypatch.setattr(dispatch, "MOST_ROBOTS", 2)
    rows = [("north", name, time_us, None, 1.0, "active") for name, time_us in (("a", 2), ("b", 1), ("c", 3))]
    schema = {**MASTER_SCHEMA, "active": pl.String}
    told = pl.DataFrame(rows, schema=schema, orient="row").rename({"active": "status"})
    for order in (told, told.reverse()):
        made = Dispatch(alignment())
        for part in order.iter_slices(1):
            made.told_of(part)
        assert made._master["robot"].to_list() == ["a", "c"]


def said_again(happened: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What is told of what happens: (minute, zone, status or kind of exception, comment); answers have no comment."""
    told, repeated = [], Repeated()
    for minute, zone, what, *comment in happened:
        row = {"time_us": minute * WINDOW_US, "site": "north", "zone": zone}
        answer = row | {"status": what, "acknowledgement": "a"}
        exception = row | {"kind": what, "comment": comment[0] if comment else None}
        found = repeated.news(
            Answered(
                pl.DataFrame([] if comment else [answer], schema=SETPOINT_SCHEMA),
                pl.DataFrame([exception] if comment else [], schema=EXCEPTION_SCHEMA),
                pl.DataFrame(schema=REFUSED_SCHEMA),
            )
        )
        told += [(minute, zone)] * found.height
        stored, repeated = repeated.snapshot(), Repeated()
        repeated.restore(stored)
    return told


def test_that_nobody_answers_is_told_once_an_hour():
    """Of each zone, and at once again when somebody had answered between; restarts change nothing."""
    nobody = "unacknowledged", None
    happened = [(minute, zone, *nobody) for minute, zone in ((0, "pick"), (5, "pick"), (10, "pack"), (61, "pick"))]
    happened += [(70, "pick", "rejected"), (75, "pick", *nobody), (80, "pick", *nobody), (81, "pack", *nobody)]
    assert said_again(happened) == [(0, "pick"), (10, "pack"), (61, "pick"), (75, "pick"), (81, "pack")]


def test_that_a_controller_refuses_is_told_once_an_hour():
    """Whatever it is asked for, until it gives another reason or has carried something out; acceptance ends nothing."""
    happened = [(0, "pick", "rejected", "full"), (5, "pick", "accepted"), (5, "pick", "rejected", "full")]
    happened += [(6, "pick", "failed", "full"), (7, "pick", "rejected", "stopped"), (8, "pick", "failed", "full")]
    happened += [(10, "pack", "rejected", "full"), (11, "pick", "completed"), (12, "pick", "rejected", "full")]
    happened += [(13, "pick", "failed", "full"), (14, "pack", "rejected", "full"), (15, "pack", "lapsed", None)]
    happened += [(16, "pack", "lapsed", None), (71, "pack", "rejected", "full")]
    assert [minute for minute, _ in said_again(happened)] == [0, 6, 7, 10, 12, 13, 15, 16, 71]


def test_names_with_a_stroke_are_told_apart():
    """Task b/c of site a is another than task c of site a/b."""
    common = {"zone": "z", "state": "queued", "robot": None, "work_micro": 1, "heard_us": 0, "dropped_us": 1}
    rows = [{"site": site, "task": task, "reason": "silent", **common} for site, task in (("a", "b/c"), ("a/b", "c"))]
    assert dropped_signals(pl.DataFrame(rows))["subject"].n_unique() == 2
