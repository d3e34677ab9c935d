"""Short windows put together are the long windows that the rows would have made."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.streaming.partition import IDENTITY
from domain.streaming.watermark import TimeBounds
from domain.streaming.whole_rows import WholeRows
from domain.streaming.windows import TIME, WINDOW_START, Closed, Windows
from flows.coarser import CoarserStep
from flows.progress_items import Ended, Idle

pytestmark = pytest.mark.slow

SHORT, LONG, DISORDER = 10, 40, 7
SCHEMA = pl.Schema({TIME: pl.Datetime("us", "UTC"), "n": pl.Int64, IDENTITY: pl.UInt64})


def rows(times: list[int], first: int) -> pl.DataFrame:
    numbers = range(first, first + len(times))
    frame = pl.DataFrame({TIME: times, "n": numbers, IDENTITY: numbers}, schema_overrides={IDENTITY: pl.UInt64})
    return frame.with_columns(pl.col(TIME).cast(SCHEMA[TIME]))


def windows(length: int) -> Windows:
    return Windows(TimeBounds(length, DISORDER, 0), WholeRows(SCHEMA, length), SCHEMA)


def content(frame: pl.DataFrame) -> list[tuple[int, ...]]:
    """Rows by window, in one order."""
    return sorted(frame.select(WINDOW_START, "n").rows())


@given(
    st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=6), min_size=1, max_size=30),
    st.integers(0, 30),
)
def test_short_windows_make_the_long_ones(steps, restart):
    """After each batch the same long windows are final, a restart between changes nothing, nor does an idle moment."""
    short, long = windows(SHORT), windows(LONG)
    step = CoarserStep(LONG, None)
    newest, count = 0, 0
    given_long: list[tuple[int, ...]] = []
    found: list[tuple[int, ...]] = []
    for number, batch in enumerate(steps):
        times = [newest + offset - DISORDER if newest else offset for offset in batch]
        frame, count = rows([max(time, 0) for time in times], count), count + len(times)
        newest = max(newest, *times)
        for closed in filter(None, [long.add(frame, newest)]):
            given_long += content(closed.final)
        for closed in filter(None, [short.add(frame, newest)]):
            (told,), _ = step.on_batch([closed])
            assert isinstance(told, Closed)
            assert told.final_until == closed.final_until // LONG * LONG
            found += content(told.final)
        if number == restart:
            step = CoarserStep(LONG, step.snapshot())
        assert found == given_long
        (idle,), _ = step.on_batch([Idle(short.flush())])
        assert isinstance(idle, Idle)
        assert content(idle.present) == content(long.flush())
    (ended,), _ = step.on_batch([Ended(short.flush())])
    assert isinstance(ended, Ended)
    assert content(ended.present) == content(long.flush())
