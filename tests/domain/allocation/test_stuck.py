"""Tasks that will not get on: circles, deadlocks through robots, what is missing, what nobody can do, starvation."""

from __future__ import annotations

from domain.allocation.allocate import allocate
from domain.allocation.config import AllocationConfig
from tests.domain.allocation.rows import NOW, S, done, robots, tasks

CONFIG = AllocationConfig(shakes=1)


def _stuck(todo, fleet, *over):
    rows = allocate(tasks(**todo), robots(**fleet), NOW, CONFIG, done(*over)).stuck
    return [(row["kind"], row["tasks"], row["robots"], row["reason"]) for row in rows.iter_rows(named=True)]


def _on(robot, state="assigned", **more):
    return {"state": state, "robot": robot, **more}


def test_a_circle_of_dependencies_is_named():
    """From the smallest name on; what only waits for it is not in it."""
    todo = {
        "c": {"depends_on": ["a"]},
        "a": {"depends_on": ["b"]},
        "b": {"depends_on": ["c"]},
        "d": {"depends_on": ["c"]},
    }
    assert _stuck(todo, {"r": {}}) == [("cycle", ["a", "b", "c"], [], "a depends on b depends on c depends on a.")]


def test_a_started_task_that_waits_for_one_its_robot_was_given_later():
    """The robot is in the deadlock and gets nothing more."""
    todo = {"a": _on("r", "started", depends_on=["b"]), "b": _on("r"), "c": {}}
    assert _stuck(todo, {"r": {}}) == [("deadlock", ["a", "b"], ["r"], "a waits for b, b waits for a.")]
    found = allocate(tasks(**todo), robots(r={}), NOW, CONFIG)
    assert found.waiting["detail"].to_list() == ["of the robots that could do it, 1 in a deadlock"]
    assert allocate(tasks(**todo), robots(r={}, s={}), NOW, CONFIG).assignments["robot"].to_list() == ["s"]


def test_a_robot_does_tasks_in_the_order_in_which_it_got_them():
    """Waiting for the one behind is a deadlock, for the one before not; in no known order nothing is said."""
    first, second = _on("r", since_us=NOW - 2), _on("r", since_us=NOW - 1)
    assert _stuck({"a": first | {"depends_on": ["b"]}, "b": second}, {"r": {}})[0][:3] == (
        "deadlock",
        ["a", "b"],
        ["r"],
    )
    assert _stuck({"a": first, "b": second | {"depends_on": ["a"]}}, {"r": {}}) == []
    assert _stuck({"a": _on("r", depends_on=["b"]), "b": _on("r")}, {"r": {}}) == []


def test_two_robots_that_wait_for_each_others_next_task():
    """Neither depends on itself, both never end."""
    todo = {
        "a": _on("r", "started", depends_on=["d"]),
        "b": _on("r"),
        "c": _on("s", "started", depends_on=["b"]),
        "d": _on("s"),
    }
    says = "a waits for d, d waits for c, c waits for b, b waits for a."
    assert _stuck(todo, {"r": {}, "s": {}}) == [("deadlock", ["a", "d", "c", "b"], ["r", "s"], says)]


def test_a_queued_task_waits_for_any_robot_that_can_do_it():
    """A deadlock when the only one waits for it; none when another is free, or will be."""
    todo = {"a": _on("r", "started", depends_on=["b"]), "b": {"requires": ["cold"]}}
    cold = {"capabilities": ["cold", "lift"]}
    says = "a waits for b, b waits for robot r, robot r waits for a."
    assert _stuck(todo, {"r": cold, "s": {}}) == [("deadlock", ["a", "b"], ["r"], says)]
    assert _stuck(todo, {"r": cold, "s": cold}) == []
    assert _stuck(todo | {"c": _on("s", "started")}, {"r": cold, "s": cold}) == []


def test_a_task_that_another_robot_could_do_does_not_wait_for_one():
    """What it waits for is told, and not a robot that happens to wait for it."""
    two, gone = {"r": {}, "s": {}}, ("missing", ["a"], [], "gone is neither open nor done.")
    todo = {"a": {"depends_on": ["gone"]}, "c": _on("r", "started", depends_on=["a"]), "e": _on("s", "started")}
    assert _stuck(todo, two) == [gone]
    assert _stuck(todo | {"a": {"depends_on": ["b"]}, "b": {"depends_on": ["gone"]}}, two)[0][1] == ["b"]
    todo = {"b": {"depends_on": ["y"]}, "x": _on("q", "started", depends_on=["b"]), "y": _on("q")}
    busy = {"e": _on("r", "started"), "f": _on("s", "started")}
    says = "b waits for y, y waits for x, x waits for b."
    assert _stuck(todo | busy, two | {"q": {}}) == [("deadlock", ["b", "y", "x"], ["q"], says)]


def test_what_waits_for_a_circle_is_no_deadlock():
    """The circle is told, and not what it holds up."""
    todo = {
        "a": {"depends_on": ["b"]},
        "b": {"depends_on": ["a"]},
        "c": _on("r", "started", depends_on=["a"]),
        "d": _on("r"),
    }
    assert [row[0] for row in _stuck(todo, {"r": {}})] == ["cycle"]


def test_missing_dependencies_are_named_with_those_that_wait():
    """One row each; what is done is not missing."""
    todo = {"a": {"depends_on": ["x", "y"]}, "b": {"depends_on": ["x", "z"]}}
    assert _stuck(todo, {"r": {}}, "y", "z") == [("missing", ["a", "b"], [], "x is neither open nor done.")]


def test_what_nobody_can_do_is_told_by_what_is_lacking():
    """A robot that is offline could do it one day; one that is decommissioned could not."""
    todo = {"a": {"requires": ["fly"]}, "b": {"requires": ["fly"]}}
    fly = {"capabilities": ["fly"]}
    says = "No robot of the site has fly."
    assert _stuck(todo, {"r": {}, "s": fly | {"active": False}}) == [("unservable", ["a", "b"], [], says)]
    assert _stuck(todo, {"r": {}, "s": fly | {"mode": "offline"}}) == []


def test_starvation_by_age_and_beside_its_class():
    """Four hours; or four times the median of eight of its class and half an hour."""

    def ages(**hours):
        return {name: {"created_us": NOW - round(hour * 3_600) * S} for name, hour in hours.items()}

    peers = {f"p{at}": 0.2 for at in range(7)}
    assert _stuck(ages(a=3.9, b=3.9), {"r": {}}) == []
    old = _stuck(ages(a=4.1, b=0), {"r": {}})
    assert old == [("starvation", ["a"], [], "a has waited 14760 s, longer than 14400 s.")]
    beside = _stuck(ages(a=1, **peers), {"r": {}})
    says = "a has waited 3600 s, more than 4 times the median of 720 s of 8 tasks of priority 5."
    assert beside == [("starvation", ["a"], [], says)]
    assert _stuck(ages(a=0.45, **dict.fromkeys(peers, 0.05)), {"r": {}}) == []
    waits = ages(a=5, b=0)
    waits["a"]["depends_on"] = ["b"]
    assert _stuck(waits, {"r": {}}) == []
