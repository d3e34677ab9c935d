"""Tasks of robots that fail: taken once, given back in time or not at all, settled by what the fleet says."""

from __future__ import annotations

import polars as pl
import pytest

from domain.allocation.recovery_tables import ACTIONS, CAUSES, STATUSES
from tests.domain.allocation.recovery.fleets import MINUTE, Told, tasks

HAS = tasks(t=("assigned", "a", 0))
BEGUN = tasks(t=("started", "a", 0))
SILENT = {"seen_us": 6 * MINUTE}


@pytest.mark.parametrize(
    ("robot", "cause"),
    [
        ({"mode": "fault"}, "fault"),
        ({"mode": "offline"}, "offline"),
        (SILENT, "unreachable"),
        ({"active": False}, "decommissioned"),
    ],
)
@pytest.mark.parametrize("open_tasks", [HAS, BEGUN])
def test_a_robot_that_fails_loses_its_tasks_once(robot, cause, open_tasks):
    """Assigned and started ones; for allocation they are queued."""
    told = Told()
    assert told.review(10, {"a": robot, "b": "idle"}, open_tasks) == [("t", "reallocated", "a", None)]
    assert told.holder(open_tasks) == ("queued", None)
    assert told.review(11, {"a": robot, "b": "idle"}, open_tasks) == []
    assert told.rows[0]["cause"] == cause
    assert cause in CAUSES
    assert told.rows[0]["failed_us"] == {"unreachable": 6 * MINUTE}.get(cause, 10 * MINUTE)


def test_what_is_undone_is_told():
    """As fields and in a sentence; of a task that was begun, where its load may be."""
    fleet = {"a": "fault", "b": "idle"}
    for open_tasks in (HAS, BEGUN):
        told = Told()
        told.review(10, fleet, open_tasks)
        row = told.rows[0]
        assert (row["status"] in STATUSES, row["action"] in ACTIONS) == (True, True)
        assert (row["action"], row["at_robot"], row["started"]) == ("withdraw", "a", open_tasks is BEGUN)
        assert (row["load_x"], row["load_y"]) == ((1.5, 2.0) if open_tasks is BEGUN else (None, None))
        assert ("half done" in row["compensation"]) == (open_tasks is BEGUN)
        assert "Cancel the order for task t at robot a" in row["compensation"]
        assert "fault" in row["reason"]


def test_a_robot_that_returns_in_time_has_its_tasks_again():
    """Once it has been well for long enough to be relied on."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    assert told.review(20, {"a": "idle"}, HAS) == []
    assert told.holder(HAS) == ("queued", None)
    assert told.review(22, {"a": "idle"}, HAS) == [("t", "undone", "a", None)]
    assert told.holder(HAS) == ("assigned", "a")
    assert told.rows[1]["action"] == "restore"
    assert "after 600 s" in told.rows[1]["reason"]


def test_a_robot_that_returns_too_late_has_not():
    """Its tasks stay for others, even if none has one yet."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    told.review(26, {"a": "idle"}, HAS)
    assert told.review(30, {"a": "idle"}, HAS) == []
    assert told.holder(HAS) == ("queued", None)
    anew = tasks(t=("assigned", "a", 31 * MINUTE))
    assert told.review(32, {"a": "idle"}, anew) == [("t", "settled", "a", "a")]
    assert told.holder(anew) == ("assigned", "a")


def test_a_robot_that_was_decommissioned_never_has_its_tasks_again():
    """Not even if it failed before, was taken out then, and is back within the grace."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    told.review(11, {"a": {"mode": "fault", "active": False}}, HAS)
    for minute in (12, 14, 16, 20):
        assert told.review(minute, {"a": "idle"}, HAS) == []
    assert told.holder(HAS) == ("queued", None)


def test_all_fail_at_once():
    """Each task once, and each back."""
    open_tasks = tasks(t=("assigned", "a", 0), u=("started", "a", 0), v=("started", "b", 0), w=("queued", None, 0))
    told = Told()
    lost = told.review(10, {"a": "fault", "b": "offline", "c": "idle"}, open_tasks)
    assert [row[:3] for row in lost] == [(n, "reallocated", r) for n, r in (("t", "a"), ("u", "a"), ("v", "b"))]
    told.review(12, {"a": "idle", "b": "busy", "c": "idle"}, open_tasks)
    back = told.review(14, {"a": "idle", "b": "busy", "c": "idle"}, open_tasks)
    assert [row[:2] for row in back] == [(n, "undone") for n in "tuv"]
    assert len({row["id"] for row in told.rows}) == 3


def test_another_robot_that_has_started_keeps_it():
    """However soon the first returns."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    begun = tasks(t=("started", "b", 11 * MINUTE))
    assert told.review(11, {"a": "idle", "b": "busy"}, begun) == [("t", "settled", "a", "b")]
    assert told.review(20, {"a": "idle", "b": "busy"}, begun) == []
    assert told.holder(begun) == ("started", "b")


def test_an_order_that_was_not_begun_is_withdrawn():
    """When the first robot returns in time; its task is its own until the fleet says so."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    given = tasks(t=("assigned", "b", 11 * MINUTE))
    assert told.review(12, {"a": "idle", "b": "idle"}, given) == []
    assert told.holder(given) == ("assigned", "b")
    assert told.review(14, {"a": "idle", "b": "idle"}, given) == [("t", "undone", "a", "b")]
    assert told.holder(given) == ("assigned", "a")
    assert (told.rows[-1]["action"], told.rows[-1]["at_robot"]) == ("restore", "b")
    assert told.review(15, {"a": "idle", "b": "fault"}, given) == []
    assert told.holder(given) == ("assigned", "a")
    begun = tasks(t=("started", "b", 16 * MINUTE))
    assert told.review(16, {"a": "idle", "b": "busy"}, begun) == []
    assert told.holder(begun) == ("started", "b")


def test_an_order_elsewhere_stays_when_the_robot_is_not_back_in_time():
    """Then the reallocation is settled, begun or not."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    given = tasks(t=("assigned", "b", 11 * MINUTE))
    assert told.review(25, {"a": "fault", "b": "idle"}, given) == []
    assert told.review(26, {"a": "fault", "b": "idle"}, given) == [("t", "settled", "a", "b")]


def test_the_robot_that_took_over_fails():
    """The first reallocation is settled, and another begins; the first robot's return changes nothing."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    given = tasks(t=("assigned", "b", 11 * MINUTE))
    both = told.review(12, {"a": "fault", "b": "offline"}, given)
    assert both == [("t", "settled", "a", "b"), ("t", "reallocated", "b", None)]
    assert told.review(14, {"a": "idle", "b": "offline"}, given) == []
    assert told.review(16, {"a": "idle", "b": "offline"}, given) == []
    assert told.holder(given) == ("queued", None)


@pytest.mark.parametrize(
    ("ended", "status", "to"),
    [
        (("done", "a"), "kept", None),
        (("done", "b"), "settled", "b"),
        (("cancelled", "a"), "settled", None),
        (("failed", None), "settled", None),
        (None, "settled", None),
    ],
)
def test_late_truth_about_a_task_that_ended(ended, status, to):
    """The robot that was lost had done it after all; or another has, or nobody will."""
    told = Told()
    told.review(10, {"a": SILENT, "b": "idle"}, BEGUN)
    gone = told.review(11, {"a": SILENT, "b": "idle"}, tasks(), {"t": ended} if ended else {})
    assert gone == [("t", status, "a", to)]
    assert told.recovery.watched().height == (ended == ("failed", None))  # which may yet be given to it again


def test_a_robot_that_starts_on_a_task_after_all_keeps_it():
    """It was lost from sight, and worked on."""
    told = Told()
    told.review(10, {"a": SILENT, "b": "idle"}, HAS)
    begun = tasks(t=("started", "a", 10 * MINUTE))
    assert told.review(11, {"a": SILENT, "b": "idle"}, begun) == [("t", "kept", "a", None)]
    assert told.holder(begun) == ("started", "a")
    assert told.review(12, {"a": SILENT, "b": "idle"}, begun) == []


def test_a_task_that_was_kept_while_another_had_its_order():
    """That order has to be withdrawn."""
    told = Told()
    told.review(10, {"a": SILENT, "b": "idle"}, HAS)
    told.review(11, {"a": SILENT, "b": "idle"}, tasks(t=("assigned", "b", 10 * MINUTE)))
    told.review(12, {"a": SILENT, "b": "idle"}, tasks(), {"t": ("done", "a")})
    assert (told.rows[-1]["action"], told.rows[-1]["at_robot"]) == ("withdraw", "b")


def test_a_task_queued_by_the_fleet_is_settled():
    """It is then given out like any other."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    queued = tasks(t=("queued", None, 11 * MINUTE))
    assert told.review(11, {"a": "fault"}, queued) == [("t", "settled", "a", None)]
    assert told.holder(queued) == ("queued", None)


def test_a_second_failure_is_a_second_episode():
    """With an id of its own; an order given to a robot within one failure twice is taken from it once."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    told.review(11, {"a": "fault"}, tasks(t=("queued", None, 11 * MINUTE)))
    assert told.review(12, {"a": "fault"}, tasks(t=("assigned", "a", 12 * MINUTE))) == []
    for minute in (13, 15):
        told.review(minute, {"a": "idle"}, HAS)
    assert told.review(16, {"a": "fault"}, HAS) == [("t", "reallocated", "a", None)]
    assert len({row["id"] for row in told.rows}) == 2


def test_a_robot_of_which_nothing_is_known_for_a_while_may_return():
    """Its failure is remembered while its tasks are under way."""
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    told.review(11, {"b": "idle"}, HAS)
    told.review(12, {"a": "idle"}, HAS)
    assert told.review(14, {"a": "idle"}, HAS) == [("t", "undone", "a", None)]


def test_a_later_failure_does_not_keep_an_earlier_one_open():
    """The robot was not back in time from the first; the order elsewhere stays."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    for minute in (26, 28):
        told.review(minute, {"a": "idle", "b": "idle"}, HAS)
    given = tasks(t=("assigned", "b", 28 * MINUTE + 1))
    assert told.review(29, {"a": "fault", "b": "idle"}, given) == [("t", "settled", "a", "b")]


def test_a_robot_that_fails_again_with_the_order_anew_has_not_become_well():
    """The first reallocation is settled because it failed with the task in hand, the second begins there."""
    told = Told()
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    for minute in (26, 28):
        told.review(minute, {"a": "idle", "b": "idle"}, HAS)
    anew = tasks(t=("assigned", "a", 29 * MINUTE))
    both = told.review(29, {"a": "fault", "b": "idle"}, anew)
    assert both == [("t", "settled", "a", "a"), ("t", "reallocated", "a", None)]
    assert "which had it, has failed" in told.rows[1]["reason"]


def given_back():
    """A recovery that has given t back to a, while the fleet still names b; and what the fleet says."""
    told, given = Told(), tasks(t=("assigned", "b", 11 * MINUTE))
    told.review(10, {"a": "fault", "b": "idle"}, HAS)
    for minute in (12, 14):
        told.review(minute, {"a": "idle", "b": "idle"}, given)
    assert told.holder(given) == ("assigned", "a")
    return told, given


def test_a_task_given_back_that_the_fleet_queues_is_queued():
    told, _ = given_back()
    queued = tasks(t=("queued", None, 15 * MINUTE))
    assert told.review(15, {"a": "idle", "b": "idle"}, queued) == []
    assert told.holder(queued) == ("queued", None)


def test_a_robot_that_fails_with_a_task_given_back_loses_it():
    """To the one that the fleet names."""
    told, given = given_back()
    assert told.review(16, {"a": "fault", "b": "idle"}, given) == [("t", "reallocated", "a", "b")]
    assert told.holder(given) == ("assigned", "b")


def test_a_task_that_changes_zone_is_told_where_it_is():
    told = Told()
    told.review(10, {"a": "fault"}, HAS)
    for minute in (20, 22):
        told.review(minute, {"a": "idle"}, HAS.with_columns(zone=pl.lit("y")))
    assert [row["zone"] for row in told.rows] == ["z", "y"]
