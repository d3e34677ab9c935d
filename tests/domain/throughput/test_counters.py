"""Counter differences against a reader that takes one reading at a time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.throughput.counters import (
    BASELINE_US,
    CARRY_SCHEMA,
    PARTIAL_SCHEMA,
    TOLERANCE_US,
    aggregate,
    empty_carry,
    finish,
    increments,
    merge,
    prune,
)
from schemas.outputs import ROBOT_WINDOW

SECOND = 1_000_000
ORDER = ("robot", "event_time", "boot_epoch", "seq", "event_id")
SCHEMA = {
    "robot": pl.String,
    "zone": pl.String,
    "site": pl.String,
    "boot_epoch": pl.Int64,
    "seq": pl.Int64,
    "event_time": pl.Int64,
    "battery": pl.Float64,
    "tasks_done": pl.Int64,
    "busy_s": pl.Float64,
    "available_s": pl.Float64,
    "queue_depth": pl.Int64,
    "units": pl.Int64,
    "mode": pl.String,
    "event_id": pl.String,
}


def reading(at_s, epoch, tasks, busy, available, *, robot="r", seq=0, **other):
    row = {
        "robot": robot,
        "zone": "z",
        "site": "s",
        "boot_epoch": epoch,
        "seq": seq,
        "event_time": round(at_s * SECOND),
        "battery": 50.0,
        "tasks_done": tasks,
        "busy_s": float(busy),
        "available_s": float(available),
        "queue_depth": 0,
        "units": None,
        "mode": "busy",
        "event_id": f"{robot}-{epoch}-{seq}-{at_s}",
    }
    return row | other


def frame(rows):
    data = pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))
    return data.sort(ORDER)


def totals(rows):
    counted, _ = increments(frame(rows), empty_carry())
    return counted.select("d_tasks", "d_busy_us", "d_available_us", "reset").rows()


class Reader:
    """The rules of the module's docstring, for one robot, one reading at a time."""

    def __init__(self):
        self.fresh = None
        self.previous = None

    def take(self, row):
        micro = (row["tasks_done"], round(row["busy_s"] * 1e6), round(row["available_s"] * 1e6))
        now = (row["event_time"], row["boot_epoch"], micro)
        known = [r for r in (self.fresh, self.previous) if r is not None and now[0] - r[0] <= BASELINE_US]
        self.fresh = known[0] if known else None
        if self.fresh is None or now[1] >= self.fresh[1]:
            base, self.fresh = self.fresh, now
        else:
            base = self.previous if self.previous[1] == now[1] else None
        self.previous = now
        if base is None or now[0] - base[0] > BASELINE_US:
            return (0, 0, 0, False)
        begun = now[1] > base[1] or any(a < b for a, b in zip(micro, base[2], strict=True))
        longest = now[0] - base[0] + TOLERANCE_US
        if begun and micro[1] <= longest and micro[2] <= longest:
            return (*micro, True)
        return (*(max(0, a - b) for a, b in zip(micro, base[2], strict=True)), begun)


steps = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from([0, 1, 1, 5, 60, BASELINE_US // SECOND, BASELINE_US // SECOND + 1]),
    st.sampled_from([0, 0, 0, 0, 1, -1, 7, -9]),
    st.sampled_from([0, 1, 3, 2**62]),
    st.sampled_from([0.0, 0.1, 1.0, 5.5, 1e3]),
    st.sampled_from(["on", "on", "on", "zero", "zero", "fall", "odd"]),
)


def history(specs):
    """Readings of robots whose counters go on, start from zero or fall, whatever the boot epoch does."""
    at, state, rows = 1000, defaultdict(lambda: (10, 0, 0.0, 0.0)), []
    for n, (robot, wait, move, tasks, busy, how) in enumerate(specs):
        at += wait
        epoch, done, worked, available = state[robot]
        epoch = max(0, epoch + move)
        if how == "zero":
            done, worked, available = 0, 0.0, 0.0
        elif how == "fall":
            done = max(0, done - 1)
        elif how == "odd":
            worked = max(0.0, worked - 1e-6)
        after = (epoch, min(done + tasks, 2**52), worked + busy, available + busy)
        rows.append(reading(at, *after, robot=robot, seq=n))
        if move >= 0 or how == "on":
            state[robot] = after
    return rows


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(steps, min_size=1, max_size=40), st.lists(st.integers(1, 40), max_size=4), st.booleans())
def test_increments_equal_those_of_a_reader_of_single_rows(specs, cuts, pruned):
    """For every history and every cut into batches the increments are those of the row-by-row reader."""
    rows = history(specs)
    readers = defaultdict(Reader)
    expected = {r["event_id"]: readers[r["robot"]].take(r) for r in sorted(rows, key=lambda r: [r[k] for k in ORDER])}
    edges = sorted({0, len(rows), *(c for c in cuts if c < len(rows))})
    ordered = sorted(rows, key=lambda r: [r[k] for k in ORDER[1:]])
    carry, seen = empty_carry(), {}
    for start, end in itertools.pairwise(edges):
        part = frame(ordered[start:end])
        if pruned:
            carry = prune(carry, ordered[start]["event_time"])
        counted, next_carry = increments(part, carry)
        carry = next_carry()
        columns = ("event_id", "d_tasks", "d_busy_us", "d_available_us", "reset")
        seen |= {r[0]: r[1:] for r in counted.select(columns).rows()}
    assert seen == expected
    assert carry.schema == pl.Schema(CARRY_SCHEMA)
    assert carry.height <= 2 * len(readers)


def test_a_lost_message_loses_no_work():
    """Every second reading taken away, the totals stay."""
    rows = [reading(10 * i, 1, 3 * i, 7 * i, 9 * i) for i in range(21)]
    for kept in (rows, rows[::2]):
        assert [sum(c) for c in zip(*totals(kept), strict=True)] == [60, 140 * SECOND, 180 * SECOND, 0]


def test_the_first_reading_counts_nothing():
    """Totals earned before the first reading belong to no window."""
    assert totals([reading(0, 7, 1_000_000, 1e6, 1e6)]) == [(0, 0, 0, False)]


def test_a_reset_counts_from_zero():
    """A new boot epoch, or a counter that fell, counts the new totals and is flagged."""
    assert totals([reading(0, 1, 500, 900, 900), reading(60, 2, 4, 20, 30)])[1] == (
        4,
        20 * SECOND,
        30 * SECOND,
        True,
    )
    assert totals([reading(0, 1, 500, 900, 900), reading(60, 1, 4, 20, 30)])[1] == (
        4,
        20 * SECOND,
        30 * SECOND,
        True,
    )


def test_totals_that_outlive_a_restart_are_not_counted_again():
    """A robot that keeps its totals through a restart adds the difference, not its life's work."""
    assert totals([reading(0, 1, 50_000, 9e5, 9e5), reading(60, 2, 50_003, 900_020, 900_040)])[1] == (
        3,
        20 * SECOND,
        40 * SECOND,
        True,
    )


def test_a_retained_message_of_an_older_boot_neither_kills_the_robot_nor_counts():
    """After a stale reading the newer epoch goes on from its own last reading."""
    rows = [
        reading(0, 2, 0, 0, 0),
        reading(10, 2, 3, 9, 10),
        reading(11, 1, 4800, 1e5, 1e5),
        reading(20, 2, 5, 18, 20),
        reading(21, 1, 4800, 1e5, 1e5),
        reading(30, 2, 6, 27, 30),
    ]
    assert [r[0] for r in totals(rows)] == [0, 3, 0, 2, 0, 1]
    assert sum(r[2] for r in totals(rows)) == 30 * SECOND


def test_a_boot_counter_set_back_for_good_does_not_kill_the_robot():
    """From its second reading on, a robot with a lower boot epoch is counted again."""
    rows = [reading(0, 50, 900, 900, 900)] + [reading(10 * i, 0, i, 5 * i, 10 * i) for i in range(1, 5)]
    assert [r[0] for r in totals(rows)] == [0, 0, 1, 1, 1]


def test_times_are_summed_exactly():
    """Ten thousand tenths of a second are a thousand seconds, to the microsecond."""
    rows = [reading(i, 1, 0, i / 10, i / 10, seq=i) for i in range(10_001)]
    counted, _ = increments(frame(rows), empty_carry())
    assert counted["d_busy_us"].sum() == 1000 * SECOND


def partials(rows, window_us):
    counted, _ = increments(frame(rows), empty_carry())
    return counted, aggregate(counted, window_us)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from("yz"), st.integers(0, 40), st.integers(0, 9), st.floats(0, 100)
        ),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 60),
)
@example([("a", "y", 0, 0, 33.3)], 0)
def test_windows_are_exact_sums_and_merge_in_any_order(specs, cut):
    """Window rows equal sums over fractions; partials merge to the same frame in any order."""
    rows = [
        reading(at, 1, at, at * 0.1, at * 0.3, robot=robot, zone=zone, seq=n, battery=b, queue_depth=q, units=q or None)
        for n, (robot, zone, at, q, b) in enumerate(specs)
    ]
    counted, whole = partials(rows, 10 * SECOND)
    parts = [aggregate(counted[:cut], 10 * SECOND), aggregate(counted[cut:], 10 * SECOND)]
    assert merge(parts).equals(whole)
    assert merge(parts[::-1]).equals(whole)
    assert whole.schema == pl.Schema(PARTIAL_SCHEMA)
    groups = defaultdict(list)
    for row in counted.iter_rows(named=True):
        groups[row["site"], row["zone"], row["robot"], row["event_time"]].append(row)
    windows = defaultdict(list)
    for (site, zone, robot, time), members in groups.items():
        start = int(time.timestamp() * SECOND) // (10 * SECOND) * 10 * SECOND
        windows[site, zone, robot, start] += members
    result = finish(whole)
    assert [r[:4] for r in result.rows()] == sorted(windows)
    for row in result.iter_rows(named=True):
        members = windows[row["site"], row["zone"], row["robot"], row["window_start"]]
        assert row["messages"] == len(members)
        assert row["tasks"] == sum(m["d_tasks"] for m in members)
        assert row["units"] == sum(m["units"] or 0 for m in members)
        assert row["busy_s"] == float(Fraction(sum(m["d_busy_us"] for m in members), SECOND))
        assert row["battery_min"] == min(m["battery"] for m in members)
        assert abs(row["battery_mean"] - sum(m["battery"] for m in members) / len(members)) < 1e-6
        assert row["queue_max"] == max(m["queue_depth"] for m in members)


def test_finished_windows_have_the_columns_of_the_output():
    """What `finish` gives lacks only the columns of the stage of a window."""
    _, whole = partials([reading(0, 1, 0, 0, 0)], SECOND)
    schema = dict(ROBOT_WINDOW.schema)
    for name in ("window_end", "revision", "final"):
        del schema[name]
    assert finish(whole).schema == pl.Schema(schema | {"window_start": pl.Int64})


@pytest.mark.filterwarnings("error")
def test_absurd_totals_stay_finite_and_positive():
    """Totals at the ends of their types neither wrap around nor fail."""
    absurd = (2**63 - 1, 1.7e308, 1.7e308)
    rows = [reading(0, 0, 0, 0, 0), reading(1, 0, *absurd), reading(2, 0, *absurd)]
    assert [t[0] >= 0 and t[1] >= 0 for t in totals(rows)] == [True] * 3
    assert totals(rows)[1][0] == totals(rows)[1][1] == 2**52


def test_windows_before_the_epoch_begin_where_they_should():
    """Event times before 1970 fall into the window that holds them."""
    row = reading(0, 0, 0, 0, 0)
    data = frame([row]).with_columns(
        pl.lit(datetime(1970, 1, 1, tzinfo=UTC) - timedelta(seconds=1)).alias("event_time")
    )
    counted, _ = increments(data.with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC"))), empty_carry())
    assert aggregate(counted, 60 * SECOND)["window_start"].to_list() == [-60 * SECOND]
