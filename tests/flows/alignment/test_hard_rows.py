"""Rows that contracts allow and nobody means, rows that come when nobody waits for them, and settings that change."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from schemas.outputs import OUTPUTS

from .floor import START, at
from .step_flow import FloorFlow, Lane, settings_of_steps
from .twenty_minutes import NOWHERE

TELEMETRY, TASKS, MASTERS, ORDERS = ("telemetry", "0"), ("tasks", "0"), ("masters", "0"), ("orders", "0")
INTERVAL_S = 180.0
"""Of the settings of the steps."""


def robot(name: str, time_s: float, **values: Any) -> bytes:
    """A robot that is at work."""
    row = {"event_id": f"{name}-{time_s:g}", "robot": name, "site": "north", "zone": "pick", "event_time": at(time_s)}
    row |= {"boot_epoch": 1, "seq": int(time_s), "mode": "busy", "battery": 80.0, "tasks_done": int(time_s // 60)}
    row |= {"busy_s": time_s * 0.9, "available_s": time_s, "queue_depth": 0, "x": 1.0, "y": 1.0}
    return json.dumps(row | values).encode()


def task(name: str, time_s: float, transition: str = "queued", **values: Any) -> bytes:
    """A step of a task that cannot wait."""
    row = {"event_id": f"{name}-{transition}", "task": name, "site": "north", "zone": "pick", "event_time": at(time_s)}
    return json.dumps(row | {"transition": transition, "work_units": 3, "priority": 9} | values).encode()


def master(name: str, time_s: float, status: str) -> bytes:
    row = {"event_id": f"{name}-{time_s:g}", "robot": name, "site": "north", "status": status}
    return json.dumps(row | {"event_time": at(time_s)}).encode()


def order(time_s: float) -> bytes:
    row = {"event_id": f"order-{time_s:g}", "site": "north", "sku": "bolt", "quantity": 2.0, "uom": "each"}
    return json.dumps(row | {"priority": 1, "in_stock": True, "promotion": None, "event_time": at(time_s)}).encode()


class Few:
    """Three robots; all lanes but those named are silent."""

    def __init__(self, *lanes: Lane) -> None:
        self.flow = FloorFlow(NOWHERE)
        for lane in self.flow.lanes:
            if lane not in lanes:
                self.flow.go_silent(lane)
        self.time_s = 0

    def go_on(self, until_s: int) -> None:
        """Robots are heard up to a time, and of tasks that none is there."""
        times = range(self.time_s, until_s, 20)
        self.flow.read(TELEMETRY, [robot(name, time_s + 1) for time_s in times for name in "abc"])
        self.flow.read(TASKS, [task(f"until-{until_s}", until_s - 1, "cancelled")])
        self.time_s = until_s

    def signals(self, kind: str) -> list[dict[str, Any]]:
        found = self.flow.table("signal")
        assert not found.select(OUTPUTS["signal"].key).is_duplicated().any()
        return found.filter(kind=kind).to_dicts()


@pytest.fixture
def few() -> Few:
    return Few(TELEMETRY, TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("transition", ["queued", "done"])
def test_as_much_work_as_a_message_can_say_is_a_number(few, transition):
    """A sender that counts in the wrong unit stops nobody, however many tasks it has."""
    names = [f"t{number}" for number in range(2_500)]
    few.flow.read(TASKS, [task(name, 65 + i / 1_000, transition, work_units=1e300) for i, name in enumerate(names)])
    few.go_on(400)
    told = few.flow.table("alignment")
    assert told["backlog"].min() >= 0
    assert told["demand"].min() > 1e9
    assert told["gap"].is_finite().all()


def test_what_is_missing_for_one_task_is_one_signal(few):
    """A task that waits for two that nobody knows is told of once, with both."""
    few.flow.read(TASKS, [task("t", 5, depends_on=["one", "other"])])
    few.go_on(400)
    (signal,) = few.signals("task_missing")
    assert signal["subject"] == "north/t"
    assert "one is neither" in signal["reason"]
    assert "other is neither" in signal["reason"]


@pytest.mark.slow
def test_a_signal_is_no_longer_than_a_broker_takes(few):
    """A circle of two thousand tasks with long names is named in part."""
    names = [f"{'n' * 50}-{number}" for number in range(2_000)]
    circle = zip(names, [*names[1:], names[0]], strict=True)
    few.flow.read(TASKS, [task(name, 5, depends_on=[after]) for name, after in circle])
    few.go_on(400)
    (signal,) = few.signals("task_cycle")
    assert json.loads(signal["evidence"])["count"] == len(names)
    assert len(json.dumps(signal, default=str)) < 10_000


@pytest.mark.slow
def test_what_held_long_ago_and_is_told_late_does_not_hold_now(few):
    """A robot that left has left, though an older statement that it is there comes after."""
    few.flow.read(TASKS, [task("t", 600, "assigned", robot="a")])
    few.flow.read(MASTERS, [master("a", 200.0, "decommissioned"), master("b", 400.0, "active")])
    few.flow.read(MASTERS, [master("a", 10.0, "active"), master("b", 800.0, "active")])
    few.go_on(1_000)
    assert few.flow.table("late")["source"].to_list() == ["masters"]
    given = few.flow.table("reallocation")
    assert given.select("status", "cause").rows() == [("reallocated", "decommissioned")]


def test_a_partition_that_returns_is_told_of_by_each_step_that_went_on(few):
    """Its own step and that where streams meet have both gone on; each key is told once."""
    few.go_on(400)
    lane = ("telemetry", "1")
    few.flow.read(lane, [robot("d", time_s) for time_s in (5.0, 500.0)])
    subjects = [signal["subject"] for signal in few.signals("partition_returned")]
    assert subjects == ["all:alignment/telemetry/1", "telemetry/1"]


def test_a_partition_that_ends_early_keeps_no_decision_back():
    """Of a topic that is read to its end, while the other partition goes on."""
    early = ("telemetry", "1")
    few = Few(TELEMETRY, TASKS, early)
    few.flow.read(early, [robot("d", 5.0)])
    few.flow.end(early)
    few.go_on(700)
    told = few.flow.table("alignment")
    assert told["event_time"].max() >= START + timedelta(seconds=3 * INTERVAL_S)
    assert few.signals("partition_returned") == []


@pytest.mark.slow
@pytest.mark.parametrize("interval_s", [60.0, 120.0, 240.0, 300.0, 420.0])
def test_the_interval_may_change_between_runs(few, interval_s):
    """Reviews go on at multiples of the new one, none in the past."""
    few.go_on(700)
    before = few.flow.table("alignment")["event_time"].max()
    few.flow.settings = settings_of_steps(interval_s=interval_s, expires_s=3_600.0)
    few.flow.resume()
    for lane in few.flow.lanes:
        if lane not in (TELEMETRY, TASKS):  # who was silent before is waited for until it is again
            few.flow.go_silent(lane)
    few.go_on(1_400)
    times = few.flow.table("alignment")["event_time"].unique().sort()
    after = times.filter(times > before).dt.epoch("us") // 1_000_000
    assert (after % int(interval_s) == 0).all()
    assert after.len() >= (1_400 - 700) // interval_s - 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [FloorFlow.go_silent, FloorFlow.end])
def test_demand_that_counts_later_does_not_pass_telemetry_over(how):
    """Orders go on for hours while robots and tasks are silent or have ended: what comes then is in time."""
    few = Few(TELEMETRY, TASKS, ORDERS)
    few.go_on(400)
    for lane in few.flow.lanes:
        if lane != ORDERS:
            how(few.flow, lane)
    few.flow.read(ORDERS, [order(time_s) for time_s in range(0, 9_000, 300)])
    if how is FloorFlow.end:
        few.flow.end(ORDERS)
        few.flow.finish()
        few.flow.resume()
        for lane in few.flow.lanes:
            if lane not in (TELEMETRY, ORDERS):
                few.flow.go_silent(lane)
    few.go_on(1_000)
    assert few.signals("partition_returned") == []
    few.flow.read(ORDERS, [order(12_000.0)])
    few.go_on(1_200)
    times = few.flow.table("alignment")["event_time"].dt.epoch("us") // 1_000_000
    assert times.max() == START.timestamp() + 6 * INTERVAL_S


@pytest.mark.slow
def test_partitions_that_contradict_each_other_decide_the_same_in_any_order():
    """The same robot and the same step in two partitions, told otherwise there: which came first does not count."""
    lanes = {
        TELEMETRY: [robot(name, time_s) for time_s in range(1, 1_000, 20) for name in "abc"],
        ("telemetry", "1"): [robot("a", time_s, mode="fault", battery=9.0) for time_s in range(1, 1_000, 20)],
        TASKS: [task("t", 5), task("given", 5, "assigned", robot="a"), task("last", 999, "cancelled")],
        ("tasks", "1"): [
            task("t", 5, work_units=90, x=1.0, y=1.0),
            task("given", 5, "assigned", robot="b"),
            task("other", 999, "cancelled"),
        ],
    }
    found = []
    for order in (list(lanes), list(reversed(lanes))):
        few = Few(*lanes)
        for lane in order:
            few.flow.read(lane, lanes[lane])
        found.append([few.flow.table(name) for name in ("alignment", "setpoint", "assignment", "reallocation")])
    assert found[0][0].height > 0
    for one, other in zip(*found, strict=True):
        assert_frame_equal(one, other, check_exact=True)
