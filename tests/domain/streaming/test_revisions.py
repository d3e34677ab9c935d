"""Numbered results of windows, against a plain dictionary."""

from __future__ import annotations

import itertools

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.revisions import Revisions
from domain.streaming.windows import WINDOW_START

WINDOW = 10
SCHEMA = {"key": pl.String, WINDOW_START: pl.Int64, "value": pl.Int64, "mean": pl.Float64}

Cell = tuple[str, int]
Value = tuple[int, float | None]


def frame(rows: dict[Cell, Value]) -> pl.DataFrame:
    return pl.DataFrame([(*cell, *value) for cell, value in sorted(rows.items())], schema=SCHEMA, orient="row")


def numbered(frame: pl.DataFrame) -> list[tuple[Cell, Value, int, bool]]:
    start = frame[WINDOW_START].dt.epoch("us").to_list()
    assert frame["window_end"].dt.epoch("us").to_list() == [s + WINDOW for s in start]
    rows = frame.select("key", "value", "mean", "revision", "final").rows()
    return [
        ((key, s), (value, mean), revision, final)
        for s, (key, value, mean, revision, final) in zip(start, rows, strict=True)
    ]


cells = st.tuples(st.sampled_from("xyz"), st.integers(0, 9).map(lambda i: i * WINDOW))
values = st.tuples(st.integers(0, 2), st.sampled_from([None, 0.0, 1.5]))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(cells, values),
    st.dictionaries(cells, values),
    st.lists(st.integers(0, 10).map(lambda i: i * WINDOW), max_size=4),
    st.booleans(),
)
def test_a_window_is_told_again_only_if_it_changed(on_time, changes, cuts, restart):
    """Revision 0 when due, 1 when final and different, be it by a null; a window never told before is told as 0."""
    final = on_time | changes
    revisions = Revisions(["key", WINDOW_START], WINDOW)
    told = numbered(revisions.on_time(frame(on_time)))
    assert told == [(cell, value, 0, False) for cell, value in sorted(on_time.items())]
    told = []
    edges = sorted({0, *cuts, 10 * WINDOW})
    for since, until in itertools.pairwise(edges):
        if restart:
            data, revisions = revisions.snapshot(), Revisions(["key", WINDOW_START], WINDOW)
            revisions.restore(data)
        told += numbered(revisions.final(frame({c: v for c, v in final.items() if since <= c[1] < until}), until))
    expected = [
        (cell, value, int(cell in on_time), True) for cell, value in sorted(final.items()) if on_time.get(cell) != value
    ]
    assert sorted(told, key=lambda row: row[0]) == expected


def test_windows_that_are_final_are_forgotten():
    """The state holds only windows that can still change."""
    revisions = Revisions(["key", WINDOW_START], WINDOW)
    empty = revisions.snapshot()
    assert empty is None
    revisions.on_time(frame({("x", start): (1, None) for start in range(0, 10_000, WINDOW)}))
    full = revisions.snapshot()
    revisions.final(frame({}), 9_990)
    kept = revisions.snapshot()
    assert full is not None
    assert kept is not None
    assert len(kept) < len(full) / 4
