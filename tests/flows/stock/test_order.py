"""What the stock flow tells is a function of the rows: of no batch, no order of arrival, no restart."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import state
from schemas.outputs import OUTPUTS

from .lanes import NOWHERE, RESULTS, complete, in_time, lanes_of, read_at_once, shuffled, told
from .step_flow import Lane, StockFlow, whole

pytestmark = pytest.mark.xdist_group("stock read at once")

COUNTS = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")
FILLED = (*RESULTS, "late", "quarantine")


@pytest.fixture(scope="module")
def undisturbed() -> StockFlow:
    """A run that reads each lane at once, one after the other."""
    flow = read_at_once()
    assert {name for name in FILLED if flow.table(name).height == 0} == set()
    return flow


@pytest.fixture(scope="module")
def ordered() -> StockFlow:
    """A run over what is in time, in order."""
    return whole(NOWHERE, lanes_of(in_time()))


def play(lanes: dict[Lane, list[bytes]], dice: random.Random, parts: Path, *, restarts: float) -> StockFlow:
    """Read in batches of any size, the lanes in any order, each ending when it is at its end, with restarts between."""
    flow, largest = StockFlow(parts), dice.choice([10, 40, 1_000])
    left = {lane: list(lanes.get(lane, [])) for lane in flow.lanes}
    going = list(flow.lanes)
    while going:
        lane = dice.choice(going)
        size = dice.randint(1, largest)
        batch, left[lane] = left[lane][:size], left[lane][size:]
        if batch:
            flow.read(lane, batch)
        if not left[lane]:
            flow.end(lane)
            going.remove(lane)
        if dice.random() < restarts and going:
            ended = [one for one in flow.lanes if one not in going]
            flow.resume()
            for one in ended:  # a resumed run says again which lanes have ended
                flow.end(one)
    flow.finish()
    return flow


def counted(flow: StockFlow) -> pl.DataFrame:
    return flow.table("accounting").group_by("source", "partition").agg(pl.col(COUNTS).sum()).sort(pl.all())


seeds = st.integers(0, 2**32)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.05]))
def test_cuts_interleaving_and_restarts_change_nothing(undisturbed, tmp_path_factory, seed, restarts):
    """Every table, late and refused rows included, is that of a run that reads each lane at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_SMALL", 1_000)  # so that parts of the state lie beside it
        found = play(lanes_of(complete()), random.Random(seed), tmp_path_factory.mktemp("parts"), restarts=restarts)
    for name in FILLED:
        assert found.table(name).equals(undisturbed.table(name)), name
    assert counted(found).equals(counted(undisturbed))


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(seeds)
def test_disorder_and_duplicates_change_nothing(ordered, tmp_path_factory, seed):
    """Rows shuffled within the disorder bound, one in twenty doubled, tell what the rows in order tell."""
    dice = random.Random(seed)
    lanes = shuffled(in_time(), dice, doubled=0.05)
    found = play(lanes, dice, tmp_path_factory.mktemp("parts"), restarts=0.02)
    for name, frame in told(ordered).items():
        assert told(found)[name].equals(frame), name
    sums = [flow.table("accounting").select(pl.col(COUNTS).sum()).row(0, named=True) for flow in (ordered, found)]
    assert sums[1]["duplicates"] == sum(map(len, lanes.values())) - sums[0]["rows_in"]
    assert {name: sums[1][name] - sums[0][name] for name in ("good", "quarantined", "late", "conflicts")} == {
        "good": 0,
        "quarantined": 0,
        "late": 0,
        "conflicts": 0,
    }


def test_every_key_is_told_once(undisturbed):
    """No output tells two rows under one key."""
    for name in FILLED:
        assert not undisturbed.table(name).select(OUTPUTS[name].key).is_duplicated().any(), name
