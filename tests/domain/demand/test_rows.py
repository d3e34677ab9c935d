"""Open rows: sums of a bucket's rows, whatever their order and the calls that brought them."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.demand.calendar import Calendar
from domain.demand.rows import ROWS, OpenRows

DAY = 86_400_000_000


def frame(rows):
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def taken(calls, until=10 * DAY, frontier=0):
    rows = OpenRows(Calendar("day"))
    for call in calls:
        rows.add(frame(call), frontier)
    return {start: part.sort("site", "sku").rows() for start, part in rows.take(until).items()}


def row(sku="a", time=0, quantity=1000, censored=False, promoted=False, category=None):
    return ("s", sku, time, quantity, censored, promoted, category)


def test_rows_of_a_bucket_are_summed():
    """Quantities add up, one flag is enough, and the category is that of the latest row that names one."""
    calls = [[row(time=5, category="new"), row(time=9)], [row(time=1, censored=True, category="old"), row(time=DAY)]]
    assert taken(calls) == {0: [("s", "a", 3000, True, False, "new")], DAY: [("s", "a", 1000, False, False, None)]}


def test_rows_before_the_frontier_are_booked_there():
    """A row of a closed bucket counts in the first open one: late demand is not lost."""
    assert taken([[row(time=5)]], frontier=3 * DAY) == {3 * DAY: [("s", "a", 1000, False, False, None)]}


@given(
    st.lists(
        st.builds(
            row,
            st.sampled_from("ab"),
            st.integers(0, 3 * DAY),
            st.integers(-5000, 5000),
            st.booleans(),
            st.booleans(),
            st.sampled_from([None, "x", "y"]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 30),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=50)
def test_neither_order_nor_calls_nor_restarts_show(rows, cut, random):
    """Shuffled, cut in two and restored between: the same sums."""
    shuffled = random.sample(rows, len(rows))
    first, second = OpenRows(Calendar("day")), OpenRows(Calendar("day"))
    first.add(frame(shuffled[:cut]), 0)
    second.restore(first.snapshot())
    second.add(frame(shuffled[cut:]), 0)
    assert {start: part.sort("sku").rows() for start, part in second.take(9 * DAY).items()} == taken([rows], 9 * DAY)


def test_what_is_open_stays():
    """Only buckets that start before the time are taken; the first of the rest is known."""
    rows = OpenRows(Calendar("day"))
    rows.add(frame([row(time=0), row(time=DAY), row(time=2 * DAY)]), 0)
    assert sorted(rows.take(DAY)) == [0]
    assert sorted(rows.take(DAY)) == []
    assert sorted(rows.take(3 * DAY)) == [DAY, 2 * DAY]
