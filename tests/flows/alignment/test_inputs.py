"""What a setpoint was decided upon is found by what it says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import sinks.lake

from .test_hard_rows import TASKS, TELEMETRY, Few

pytestmark = pytest.mark.slow

QUERY = (Path(sinks.lake.__file__).parent / "queries" / "setpoints_decided_upon.sql").read_text()


def test_inputs_of_a_setpoint_have_the_digest_it_names_and_a_row_of_alignment():
    """One whose evidence was altered does not match."""
    few = Few(TELEMETRY, TASKS)
    few.go_on(1_200)
    setpoint, alignment = few.flow.table("setpoint"), few.flow.table("alignment")
    assert setpoint.filter(status="sent").height
    with duckdb.connect() as lake:
        lake.register("setpoint", setpoint.to_arrow())
        lake.register("alignment", alignment.to_arrow())
        found = lake.sql(QUERY).pl()
        altered = lake.sql(
            QUERY.replace("evidence, '^", "replace(evidence, '\"backlog\":0', '\"backlog\":1'), '^")
        ).pl()
    assert found["matches"].all()
    assert found.select("demand", "capacity", "model").null_count().sum_horizontal().item() == 0
    assert not altered["matches"].any()
