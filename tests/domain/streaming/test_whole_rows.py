"""Rows of windows as they are: all of them, once, in an order of their own."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.partition import IDENTITY
from domain.streaming.whole_rows import WholeRows
from domain.streaming.windows import TIME, WINDOW_START

WINDOW = 10
SCHEMA = pl.Schema({"what": pl.String, TIME: pl.Datetime("us", "UTC"), IDENTITY: pl.UInt64})


def frame(rows: list[tuple[int, int]]) -> pl.DataFrame:
    """Rows of these times and identities."""
    return pl.DataFrame([(f"{time}/{own}", time, own) for time, own in rows], schema=SCHEMA, orient="row")


def told(frame: pl.DataFrame) -> list[tuple[int, int, int]]:
    assert frame["what"].to_list() == [f"{t}/{i}" for t, i in frame.select(pl.col(TIME).to_physical(), IDENTITY).rows()]
    return frame.select(WINDOW_START, pl.col(TIME).to_physical(), IDENTITY).rows()


rows = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2**64 - 1)), max_size=30)


@settings(deadline=None)
@given(rows, rows, st.lists(st.integers(0, 120), max_size=4), st.booleans())
def test_each_row_is_given_once_when_its_window_ends(first, second, ends, resume):
    """In order of time and identity, whenever it was folded; what is folded later belongs behind what was closed."""
    subject = WholeRows(SCHEMA, WINDOW)
    subject.fold(frame(first))
    closed, until = [], 0
    for number, end in enumerate(sorted(ends)):
        if resume:
            state, subject = subject.snapshot(), WholeRows(SCHEMA, WINDOW)
            subject.restore(state)
        part = told(subject.close(end))
        assert all(start + WINDOW <= end for start, *_ in part)
        closed += part
        until = end // WINDOW * WINDOW
        if number == 0:
            second = [(time, own) for time, own in second if time >= until]
            subject.fold(frame(second))
    known = first + (second if ends else [])
    whole = sorted((time // WINDOW * WINDOW, time, own) for time, own in known)
    assert closed == [row for row in whole if row[0] + WINDOW <= until]
    assert told(subject.close(1_000)) == [row for row in whole if row[0] + WINDOW > until]
    assert subject.close(1_000).height == 0


@settings(deadline=None)
@given(rows, rows, st.integers(0, 90), st.integers(0, 120))
def test_a_look_ahead_changes_nothing(folded, pending, start, end):
    """Folded and pending rows of the windows asked for, as often as one looks."""
    subject = WholeRows(SCHEMA, WINDOW)
    subject.fold(frame(folded))
    whole = sorted((time // WINDOW * WINDOW, time, own) for time, own in folded + pending)
    for _ in range(2):
        assert told(subject.peek(frame(pending), start, end)) == [row for row in whole if start <= row[0] < end]
    assert told(subject.close(1_000)) == sorted((time // WINDOW * WINDOW, time, own) for time, own in folded)
