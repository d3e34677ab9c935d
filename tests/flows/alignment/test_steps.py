"""What the steps tell is a function of the rows: of no batch, no interleaving of lanes, no restart, no silence."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flows import state
from schemas.outputs import OUTPUTS

from .step_flow import FloorFlow, Lane
from .twenty_minutes import complete, run

FILLED = (
    *("robot_window", "throughput", "service_time", "demand"),
    *("alignment", "setpoint", "assignment", "reallocation", "shedding", "signal", "quarantine", "late"),
)
COUNTS = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")

seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def undisturbed() -> FloorFlow:
    """A run that reads each lane at once, one after the other."""
    flow = run()
    assert {name for name in FILLED if flow.table(name).height == 0} == set()
    return flow


def play(dice: random.Random, parts: Path, *, restarts: float = 0.0, silences: float = 0.0) -> FloorFlow:
    """Read in batches of any size, the lanes in any order, each ending when it is at its end.

    Between any two batches lanes that go on may fall silent, and everything be resumed from what was stored. Who was
    silent before is then waited for until it is again; so nothing is resumed while a lane has come back unheard.
    """
    flow, largest = FloorFlow(parts), dice.choice([20, 100, 1_000])
    left = {lane: list(complete().get(lane, [])) for lane in flow.lanes}
    going, disturbed = list(flow.lanes), random.Random(dice.random())
    silent: list[Lane] = []
    while going:
        lane = dice.choice(going)
        size = dice.randint(1, largest)
        batch, left[lane] = left[lane][:size], left[lane][size:]
        if batch:
            flow.read(lane, batch)
            silent = [one for one in silent if one != lane]
        if dice.random() < silences:
            silent.append(dice.choice(going))
            flow.go_silent(silent[-1])
        if not left[lane]:
            flow.end(lane)
            going.remove(lane)
        unheard = any(flow.passed_over(one) for one in going if one not in silent)
        if disturbed.random() < restarts and going and not unheard:
            flow.resume([one for one in flow.lanes if one not in going])
            for one in silent:
                if one in going:
                    flow.go_silent(one)
    flow.finish()
    return flow


def assert_same(found: FloorFlow, expected: FloorFlow) -> None:
    for name in FILLED:
        assert_frame_equal(found.table(name), expected.table(name), check_exact=True)
        # As text also what is equal and not the same, as 0.0 and -0.0, differs.
        assert _text(found.table(name)) == _text(expected.table(name)), name
    assert counted(found).equals(counted(expected))


def _text(table: pl.DataFrame) -> str:
    return table.drop("raw", strict=False).write_json()


def counted(flow: FloorFlow) -> pl.DataFrame:
    return flow.table("accounting").group_by("source", "partition").agg(pl.col(COUNTS).sum()).sort(pl.all())


def assert_adds_up(flow: FloorFlow) -> None:
    """Every row read is accounted for, and every row told of has its place; no key is told twice."""
    for name in FILLED:
        rows = flow.table(name)
        twice = rows.filter(rows.select(OUTPUTS[name].key).is_duplicated())
        assert twice.is_empty(), (name, twice.rows())
    sums = counted(flow)
    assert sums["rows_in"].sum() == sum(map(len, complete().values()))
    assert (sums["rows_in"] == sums.select(pl.sum_horizontal(COUNTS[1:])).to_series()).all()
    assert sums.select((pl.col(COUNTS) >= 0).all()).row(0) == (True,) * len(COUNTS)
    refused = flow.table("quarantine").filter(kind="quarantined").height
    assert sums["quarantined"].sum() == refused > 0


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.1]))
def test_cuts_interleaving_and_restarts_change_nothing(undisturbed, tmp_path_factory, seed, restarts):
    """Every table, late and refused rows included, is that of a run that reads each lane at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_SMALL", 1_000)  # so that parts of the state lie beside it
        found = play(random.Random(seed), tmp_path_factory.mktemp("parts"), restarts=restarts)
    assert_same(found, undisturbed)


@pytest.mark.slow
@settings(max_examples=2, deadline=None)
@given(seeds)
def test_restarts_change_nothing_where_lanes_are_silent(tmp_path_factory, seed):
    """Who is passed over depends on the clock; given that, what is told does not depend on restarts."""
    runs = [
        play(random.Random(seed), tmp_path_factory.mktemp("parts"), restarts=restarts, silences=0.2)
        for restarts in (0.0, 0.2)
    ]
    assert_same(*runs)
    assert_adds_up(runs[0])


@pytest.mark.slow
def test_every_row_is_accounted_for_and_every_key_told_once(undisturbed):
    """Rows refused behind the gate and rows booked late included."""
    assert_adds_up(undisturbed)
