"""Numbered results of windows, against a plain dictionary."""

from __future__ import annotations

import polars as pl
import pytest
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


cells = st.tuples(st.sampled_from("xyz"), st.integers(0, 5).map(lambda i: i * WINDOW))
values = st.tuples(st.integers(0, 2), st.sampled_from([None, 0.0, 1.5]))
tellings = st.dictionaries(cells, values)
steps = st.lists(st.tuples(tellings, st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=120, deadline=None)
@given(steps)
@pytest.mark.slow
def test_a_window_is_told_again_only_if_it_changed(steps):
    """Revision 0 at first, the next one for each that differs from what was told last, be it by a null."""
    revisions = Revisions(["key", WINDOW_START], WINDOW)
    last: dict[Cell, tuple[Value, int]] = {}
    until = 0
    for results, final, restart in steps:
        known = {cell: value for cell, value in results.items() if cell[1] >= until}
        if final:
            until += 2 * WINDOW
            known = {cell: value for cell, value in known.items() if cell[1] < until}
        expected = []
        for cell, value in sorted(known.items()):
            before, revision = last.get(cell, (None, -1))
            if value != before:
                last[cell] = value, revision + 1
                expected.append((cell, value, revision + 1, final))
        told = revisions.final(frame(known), until) if final else revisions.so_far(frame(known))
        assert numbered(told) == expected
        if restart:
            data, revisions = revisions.snapshot(), Revisions(["key", WINDOW_START], WINDOW)
            revisions.restore(data)


def test_windows_that_are_final_are_forgotten():
    """The state holds only windows that can still change."""
    revisions = Revisions(["key", WINDOW_START], WINDOW)
    empty = revisions.snapshot()
    assert empty is None
    revisions.so_far(frame({("x", start): (1, None) for start in range(0, 10_000, WINDOW)}))
    full = revisions.snapshot()
    revisions.final(frame({}), 9_990)
    kept = revisions.snapshot()
    assert full is not None
    assert kept is not None
    assert len(kept) < len(full) / 4
