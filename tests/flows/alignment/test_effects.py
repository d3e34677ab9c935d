"""What single messages bring about: a robot that leaves, a step that cannot be, a limit, a capability."""

from __future__ import annotations

import json

import polars as pl
import pytest

from domain.twin.streams import ROBOT_STATE, TASK
from flows.alignment.sections import Limit
from flows.run import run
from flows.settings import Time
from tests.flows.warehouse import table

from .floor import START, alignment, at, clean, settings_of_floor, sums, time_of, written

TIME = Time(window_s=90, lateness_s=30)  # each window costs as much as hundreds of messages
LEFT_S = 1_500.0
DRILLERS = ("r0001", "r0003")


def busy_at(seconds: float) -> str:
    """A robot that has a task then: the one that starts the first after, so that it was assigned before."""
    steps = [json.loads(line) for time, line in clean()[TASK] if time < START.timestamp() + seconds]
    last = {step["task"]: step for step in steps}
    return min(step["robot"] for step in last.values() if step["transition"] in ("assigned", "started"))


def master(robot: str, status: str, seconds: float, capabilities=None):
    fields = {
        "event_id": f"{robot}-{status}-{seconds}",
        "robot": robot,
        "site": json.loads(next(line for _, line in clean()[ROBOT_STATE] if f'"{robot}"'.encode() in line))["site"],
        "status": status,
        "capabilities": capabilities,
        "event_time": at(seconds),
    }
    return START.timestamp() + seconds, json.dumps(fields).encode()


def queued(name: str, seconds: float, **fields):
    """Two steps of a task of the second version that nobody takes."""
    for step in ("created", "queued"):
        body = {"event_id": f"{name}-{step}", "task": name, "site": "north", "zone": "pick", "transition": step}
        body |= {"event_time": at(seconds), "work_units": 1.0, "priority": 9, **fields}
        yield START.timestamp() + seconds, json.dumps(body).encode()


@pytest.fixture(scope="module")
def leaver() -> str:
    """The robot that leaves."""
    return busy_at(LEFT_S)


@pytest.fixture(scope="module")
def settings(tmp_path_factory, leaver):
    """A run in which a robot leaves for good with work in hand, and other things happen."""
    done = json.loads(next(line for _, line in clean()[TASK] if b'"done"' in line))
    again = done | {"event_id": "again", "transition": "started", "event_time": at(2_300.0)}
    robots = [master(leaver, "decommissioned", LEFT_S)]
    robots += [master(robot, "active", 1.0, ["drill"]) for robot in DRILLERS if robot != leaver]
    versions = {
        TASK: sorted([*clean()[TASK], (time_of(json.dumps(again).encode()), json.dumps(again).encode())]),
        "robot": sorted(robots),
        "task2": [
            *queued("drill-1", 2_000.0, requires=["drill"], due_at=at(2_600.0)),
            *queued("fly-1", 2_000.0, requires=["fly"]),
            *queued("ring-1", 2_000.0, depends_on=["ring-2"]),
            *queued("ring-2", 2_001.0, depends_on=["ring-1"]),
        ],
    }
    folder = tmp_path_factory.mktemp("effects")
    inputs = written(folder / "in", clean() | versions)
    chosen = alignment(limits=(Limit(site="north", zone="pick", least=1, most=1),))
    made = settings_of_floor(folder, inputs, chosen, time=TIME)
    second = made.sources["task"].model_copy(update={"contract": "task@2", "path": inputs / "task2.jsonl"})
    made = made.model_copy(update={"sources": made.sources | {"orders": second}})
    run(made)
    return made


@pytest.mark.slow
def test_a_robot_that_leaves_hands_over_once_and_gets_no_more_work(settings, leaver):
    """Its tasks are taken from it, once each, never given back; nothing is recommended to it any more."""
    taken = table(settings, "reallocation").filter(from_robot=leaver, cause="decommissioned")
    first = taken.filter(status="reallocated")
    assert first.height > 0
    assert not first["task"].is_duplicated().any()
    assert "undone" not in taken["status"]
    assert (first["to_robot"] != leaver).fill_null(value=True).all()
    late = table(settings, "assignment").filter(
        pl.col("event_time").dt.timestamp("us") / 1e6 > START.timestamp() + LEFT_S, status="recommended"
    )
    assert late.height > 0
    assert leaver not in late["robot"]


@pytest.mark.slow
def test_a_step_after_the_end_is_quarantined(settings):
    """With its bytes and a reason, and every row is counted once."""
    refused = table(settings, "quarantine")
    assert refused["reasons"].to_list() == [["task.after_done"]]
    assert b'"again"' in refused["raw"][0]
    counted = sums(settings)
    assert counted["rows_in"] == counted["good"] + counted["quarantined"]


@pytest.mark.slow
def test_no_setpoint_exceeds_a_hard_limit(settings):
    """One robot, whatever is asked for."""
    rows = table(settings, "setpoint").filter(site="north", zone="pick", status="sent")
    assert set(rows["robots"]) == {1}
    assert json.loads(rows["evidence"][-1])["high"] == 1


@pytest.mark.slow
def test_only_who_can_is_told_to(settings):
    """The task that must be drilled goes to a driller; the one that must be flown is told to be for nobody."""
    drilled = table(settings, "assignment").filter(task="drill-1")
    assert drilled.height > 0
    assert set(drilled["robot"]) <= set(DRILLERS)
    assert table(settings, "assignment").filter(task="fly-1").height == 0
    told = table(settings, "signal").select("kind", "subject").rows()
    assert ("task_unservable", "north/fly-1") in told
    assert ("task_cycle", "north/ring-1") in told
