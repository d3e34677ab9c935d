"""How a setpoint stands is told alike in whichever order its rows lie."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from sinks.lake.alignment_views import _SETPOINT_NOW_SQL

COLUMNS = "site TEXT, zone TEXT, status TEXT, decided_at INT, event_time INT"


@pytest.fixture(scope="module")
def lake():
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize("statuses", [*itertools.permutations(["sent", "accepted", "completed", "superseded"])])
def test_of_statuses_of_one_instant_the_last_counts(lake, statuses):
    """A setpoint without delay is sent, accepted and completed at once."""
    for number in range(1, len(statuses) + 1):
        taken = statuses[:number]
        lake.execute(
            "CREATE OR REPLACE TABLE setpoint (site TEXT, zone TEXT, status TEXT, decided_at INT, event_time INT)"
        )
        lake.executemany("INSERT INTO setpoint VALUES ('north', 'pick', ?, 1, 1)", [[status] for status in taken])
        order = ["sent", "accepted", "completed", "superseded"]
        found = lake.execute(_SETPOINT_NOW_SQL.format(columns="status")).fetchall()
        assert found == [(max(taken, key=order.index),)]
