"""The step of a partition: what the breaker's signals say, whatever the batches."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest

from domain.streaming.partition import PartitionLogic
from flows.kinds import KINDS
from flows.state import StepState
from flows.steps import PartitionStep
from flows.valve import Valves
from quality.breaker import Breaker, BreakerRule
from schemas.outputs import SIGNAL
from tests.domain.streaming.test_partition import LATENESS, Row, batch, logic

BLOCK = 10


def step() -> PartitionStep:
    kind, valves = KINDS["task"], Valves(1.0)
    toy: PartitionLogic = logic(LATENESS)
    return PartitionStep(
        toy, kind, Breaker(BreakerRule(BLOCK, 0.5, 1)), lambda _: valves.of("0"), StepState(Path()), idle_polls=10
    )


def signals(rows: list[Row], size: int) -> pl.DataFrame:
    """What the step signals when it reads rows in batches of that size."""
    subject = step()
    edges = [*range(0, len(rows), size), len(rows)]
    items = [item for a, b in itertools.pairwise(edges) for item in subject.on_batch([batch(rows[a:b], a)])[0]]
    return pl.concat([item[1] for item in items if isinstance(item, tuple) and item[0] == SIGNAL.name])


def rows_with_times(times: list[int], bad: range) -> list[Row]:
    return [Row(f"e{i}", "k", time, 1, bad=i in bad) for i, time in enumerate(times)]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_breaker_signals_carry_the_newest_event_time_at_the_end_of_their_block(size: int) -> None:
    """The newest good row up to the block's end counts: not the last, no bad one, and none behind it in the batch."""
    rows = rows_with_times([100 + i + 5 * (i == 12) for i in range(40)], bad=range(13, 20))
    told = signals(rows, size)
    assert told["kind"].to_list() == ["breaker_open", "breaker_closed"]
    assert told["event_time"].dt.epoch("us").to_list() == [117, 129]


def test_breaker_that_opens_before_any_good_message_tells_the_arrival() -> None:
    """Without any event time the arrival of the block's last message is the best there is: zero in this input."""
    told = signals(rows_with_times([100] * 10, bad=range(10)), 10)
    assert told["event_time"].dt.epoch("us").to_list() == [0]
