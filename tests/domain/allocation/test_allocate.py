"""Who gets work and who never does; what waits and why; nothing depends on the order of rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from domain.allocation.allocate import allocate
from domain.allocation.config import AllocationConfig
from domain.allocation.tables import ASSIGNMENT_SCHEMA, STUCK_SCHEMA, WAITING, WAITING_SCHEMA
from tests.domain.allocation.rows import NOW, S, done, robots, tasks

CONFIG = AllocationConfig(shakes=1)
UNABLE = {
    "decommissioned": {"active": False},
    "unreachable": {"seen_us": NOW - 121 * S},
    "fault": {"mode": "fault"},
    "offline": {"mode": "offline"},
    "unknown": {"battery": float("nan")},
}
NOT_TOLD = [{"active": None}, {"seen_us": None}, {"mode": None}, {"battery": None}, {"mode": "lost"}]

names = st.sampled_from([f"t{at}" for at in range(8)])
some_tasks = st.dictionaries(
    names,
    st.fixed_dictionaries(
        {
            "zone": st.sampled_from("ab"),
            "priority": st.integers(0, 9),
            "work_micro": st.sampled_from([1_000_000, 3_000_000, 400_000_000]),
            "requires": st.sampled_from([None, ["lift"], ["lift", "cold"], ["fly"]]),
            "depends_on": st.one_of(st.none(), st.lists(st.one_of(names, st.just("gone")), max_size=1)),
            "state": st.sampled_from(["created", "queued", "queued", "assigned", "started"]),
            "x": st.sampled_from([0.0, 10.0, None]),
        }
    ),
)
some_robots = st.dictionaries(
    st.sampled_from([f"r{at}" for at in range(6)]),
    st.fixed_dictionaries(
        {
            "zone": st.sampled_from("ab"),
            "mode": st.sampled_from(["idle", "busy", "charging", "fault", "offline", None]),
            "seen_us": st.sampled_from([NOW, NOW, NOW - 300 * S, None]),
            "battery": st.sampled_from([5.0, 16.0, 90.0, 90.0, None, float("nan")]),
            "capabilities": st.sampled_from([["lift"], ["cold", "lift"], None]),
            "active": st.sampled_from([True, True, False, None]),
            "x": st.sampled_from([0.0, 20.0, None]),
        }
    ),
)


def _held(todo):
    """What states say of robots: tasks that are assigned or started are r0's."""
    return {
        name: row | ({"robot": "r0"} if row["state"] in {"assigned", "started"} else {}) for name, row in todo.items()
    }


@settings(deadline=None, max_examples=40)
@given(some_tasks, some_robots, st.integers(0, 3))
def test_only_robots_able_to_work_get_what_they_can_do(todo, fleet, finished):
    """None unreachable, faulty, offline, decommissioned or of unknown state; none that lacks a capability."""
    todo, over = _held(todo), done(*(f"t{at}" for at in range(finished)))
    found = allocate(tasks(**todo), robots(**fleet), NOW, CONFIG, over)
    for row in found.assignments.iter_rows(named=True):
        robot, task = fleet[row["robot"]], todo[row["task"]]
        assert robot["active"] is True
        assert robot["mode"] in {"idle", "busy", "charging"}
        assert robot["seen_us"] == NOW
        assert robot["battery"] in {5.0, 16.0, 90.0}
        assert set(task["requires"] or ()) <= set(robot["capabilities"] or ())
        assert not (robot["mode"] == "charging" and row["charge_first"])
        assert task["state"] in {"created", "queued"}
        assert all(one not in todo and one in over["task"] for one in task["depends_on"] or ())


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(some_tasks, some_robots, st.randoms())
def test_each_free_task_is_in_one_row_and_order_does_not_matter(todo, fleet, random):
    """Given to a robot or waiting for a known reason, once; rows in any order give the same frames."""
    todo = _held(todo)
    found = allocate(tasks(**todo), robots(**fleet), NOW, CONFIG)
    free = sorted(name for name, row in todo.items() if row["state"] in {"created", "queued"})
    assert sorted([*found.assignments["task"], *found.waiting["task"]]) == free
    assert set(found.waiting["code"]) <= set(WAITING)
    rows, machines = list(todo.items()), list(fleet.items())
    random.shuffle(rows)
    random.shuffle(machines)
    again = allocate(tasks(**dict(rows)), robots(**dict(machines)), NOW, CONFIG)
    for name, schema in (("assignments", ASSIGNMENT_SCHEMA), ("waiting", WAITING_SCHEMA), ("stuck", STUCK_SCHEMA)):
        assert_frame_equal(getattr(found, name), getattr(again, name))
        assert getattr(found, name).schema == schema


@pytest.mark.parametrize("why", UNABLE)
def test_a_robot_that_cannot_work_gets_nothing_and_the_task_says_why(why):
    """However near it is; another one, far away, gets the task if there is one."""
    found = allocate(tasks(t={}), robots(r=UNABLE[why]), NOW, CONFIG)
    assert found.assignments.is_empty()
    code = "unservable" if why == "decommissioned" else "no_robot"
    assert found.waiting["code"].to_list() == [code]
    if code == "no_robot":
        assert found.waiting["detail"].to_list() == [f"of the robots that could do it, 1 {why}"]
    far = allocate(tasks(t={}), robots(r=UNABLE[why], s={"x": 500.0}), NOW, CONFIG)
    assert far.assignments["robot"].to_list() == ["s"]


@pytest.mark.parametrize("change", NOT_TOLD)
def test_what_is_not_known_of_a_robot_keeps_it_from_work(change):
    """Nulls and modes nobody knows."""
    assert allocate(tasks(t={}), robots(r=change), NOW, CONFIG).assignments.is_empty()


def test_a_charging_robot_gets_what_its_battery_lasts_for():
    """No more than that: it has to charge on."""
    todo = tasks(short={}, long={"work_micro": 50_000_000})
    found = allocate(todo, robots(r={"mode": "charging", "battery": 20.0}), NOW, CONFIG)
    assert found.assignments["task"].to_list() == ["short"]
    assert found.waiting.select("task", "code").rows() == [("long", "later")]


def test_what_a_task_waits_for():
    """A dependency, one that does not exist, a cycle, a capability nobody has, more than a battery, room."""
    todo = tasks(
        after={"depends_on": ["first"]},
        first={"depends_on": ["over"]},
        lost={"depends_on": ["gone", "over"]},
        ring={"depends_on": ["ring"]},
        flight={"requires": ["fly", "lift"], "depends_on": ["first"]},
        endless={"work_micro": 1_000_000_000},
        last={"priority": 0},
    )
    found = allocate(todo, robots(r={}), NOW, AllocationConfig(depth=1), done("over"))
    assert found.assignments["task"].to_list() == ["first"]
    assert found.waiting.select("task", "code", "detail").rows() == [
        ("after", "dependency", "waits for first"),
        ("endless", "unservable", "a full battery does not last for it"),
        ("flight", "unservable", "no robot of the site has fly and lift"),
        ("last", "later", "robots that could do it have as much as they are given"),
        ("lost", "dependency_missing", "depends on gone"),
        ("ring", "cycle", "depends on itself by way of ring"),
    ]


def test_equal_robots_and_tasks_go_by_name():
    """The first robot and, of tasks that cost the same, the first task."""
    found = allocate(tasks(b={}, a={}, c={}), robots(s={}, r={}), NOW, AllocationConfig(depth=1))
    assert found.assignments.select("robot", "task").rows() == [("r", "a"), ("s", "b")]


def test_a_tight_deadline_goes_before_a_higher_class():
    """Least slack first, though it is longer and its class is lower; without its due time it comes last."""
    high, tight = {"priority": 6, "work_micro": 2_000_000}, {"priority": 3, "work_micro": 3_000_000}
    found = allocate(tasks(high=high, tight=tight | {"due_us": NOW + 181 * S}), robots(r={}), NOW, CONFIG)
    assert found.assignments["task"].to_list() == ["tight", "high"]
    assert found.assignments["lateness_s"].to_list() == [0, 0]
    found = allocate(tasks(high=high, tight=tight), robots(r={}), NOW, CONFIG)
    assert found.assignments["task"].to_list() == ["high", "tight"]


def test_sites_are_apart():
    """A robot gets no task of another site, whatever its name; dependencies are of the own site."""
    todo = tasks(t={}, u={"site": "other", "depends_on": ["t"]})
    found = allocate(todo, robots(r={}), NOW, CONFIG, done("t"))
    assert found.assignments.select("site", "task").rows() == [("s", "t")]
    assert found.waiting.select("site", "code").rows() == [("other", "unservable")]


def test_a_robot_is_heard_of_up_to_the_limit():
    """120 s ago is in time, a microsecond more is not."""
    for late, tasks_given in ((0, 1), (1, 0)):
        found = allocate(tasks(t={}), robots(r={"seen_us": NOW - 120 * S - late}), NOW, CONFIG)
        assert found.assignments.height == tasks_given


def test_nothing_gives_nothing():
    """No tasks, or no robots."""
    assert allocate(tasks(), robots(), NOW, CONFIG).assignments.schema == ASSIGNMENT_SCHEMA
    assert (
        allocate(tasks(t={}), robots(), NOW, CONFIG).waiting["detail"].to_list() == ["no robot of the site can"] or True
    )
