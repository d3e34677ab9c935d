"""Tasks of robots that fail: taken once, given back in time or not at all, settled by what the fleet says."""

from __future__ import annotations

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
