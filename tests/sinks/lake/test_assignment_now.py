"""Who should do what now: no task that is over, and of each other the newest recommendation."""

from __future__ import annotations

import duckdb

from sinks.lake.alignment_views import _ASSIGNMENT_NOW_SQL


def test_only_recommendations_that_hold_are_told():
    """One that was taken up is gone, one that came back or went to another robot is there once."""
    rows = [
        ("held", "r1", 1, "recommended"),
        ("turned", "r1", 1, "recommended"),
        ("turned", "r2", 2, "recommended"),
        ("taken", "r3", 1, "recommended"),
        ("taken", "r3", 2, "taken"),
        ("back", "r4", 1, "recommended"),
        ("back", "r4", 2, "withdrawn"),
        ("back", "r5", 3, "recommended"),
    ]
    with duckdb.connect() as lake:
        lake.execute("CREATE TABLE assignment (site TEXT, task TEXT, robot TEXT, event_time INT, status TEXT)")
        lake.executemany("INSERT INTO assignment VALUES ('north', ?, ?, ?, ?)", rows)
        found = lake.execute(_ASSIGNMENT_NOW_SQL.format(columns="task, robot")).fetchall()
    assert sorted(found) == [("back", "r5"), ("held", "r1"), ("turned", "r2")]
