"""Estimates of windows as a timeline releases them, whatever cuts them into calls."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.timeline import Timeline
from domain.streaming.windows import Closed
from domain.throughput.counters import PARTIAL_SCHEMA
from domain.throughput.rate import RateModel
from domain.throughput.task_windows import TASK_SCHEMA
from flows.estimators import RobotEstimator, TaskEstimator

MINUTE = 60_000_000
LATENESS = 3 * MINUTE
MEMORY = RateModel().memory


def robots(rows):
    """Partials of rows (place, window, tasks, busy tenths, available tenths)."""
    return pl.DataFrame(
        [
            (*place, window * MINUTE, 1, tasks, tasks, busy * 6_000_000, free * 6_000_000, 0, 0.0, 0, 0)
            for place, window, tasks, busy, free in rows
        ],
        schema=PARTIAL_SCHEMA,
        orient="row",
    )


def tasks(rows):
    """Task rows of rows (place, window, number, tenth of start, tenth of end)."""
    data = [
        (site, zone, f"{robot}-{window}-{number}", at * MINUTE, at * MINUTE + tenth * 6_000_000, how, 100_000)
        for (site, zone, robot), window, number, start, end in rows
        for at, tenth, how in ((window, start, "started"), (window + number % 2, end, "done"))
    ]
    return pl.DataFrame(data, schema=TASK_SCHEMA, orient="row")


KINDS = {"robots": (RobotEstimator, robots, "robot.state@1"), "tasks": (TaskEstimator, tasks, "task@1")}
PLACES = [("s1", "z1", "r1"), ("s1", "z2", "r1"), ("s1", "z2", "r2"), ("s2", "z1", "r1"), ("s2", "z1", "r3")]

windows = st.lists(st.sampled_from([1, 1, 1, 1, 2, 5, MEMORY - 1, MEMORY, MEMORY + 1]), min_size=1, max_size=8).map(
    lambda gaps: list(itertools.accumulate(gaps))
)
cells = st.tuples(
    st.sampled_from(PLACES), st.integers(0, 5), st.sampled_from([0, 3, 10]), st.sampled_from([0, 1, 10, 99])
)


@st.composite
def streams(draw):
    """Rows (place, window, ...), and for each whether it is late, that is only there when its window is final."""
    numbers = draw(windows)
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(numbers), cells, st.sampled_from([True, False, False])),
            min_size=1,
            max_size=30,
            unique_by=lambda row: (row[0], row[1][0]),
        )
    )
    return [((place, window, *rest), late) for window, (place, *rest), late in rows]


def run(kind, rows, moments, *, resume):
    """What is published if the watermark is seen at `moments` (windows) and at the end."""
    make, frame, contract = KINDS[kind]
    final, on_time = frame([row for row, _ in rows]), frame([row for row, late in rows if not late])
    timeline, estimator = Timeline(["p"], MINUTE, LATENESS), make(MINUTE, contract)
    until, out = -10 * MINUTE, []
    for moment in [*sorted(moments), 13 * (MEMORY + 1) + 10]:
        now = moment * MINUTE
        parts = [
            part.filter(pl.col("window_start").is_between(until - wait, now - wait, closed="left"))
            for part, wait in ((on_time, 0), (final, LATENESS))
        ]
        releases, stragglers = timeline.advance("p", Closed(now, now - LATENESS, *parts))
        assert not stragglers
        until = now
        if releases:
            out += [estimates for _, estimates in estimator.on_releases(releases)]
        if releases and resume:
            data, estimator = estimator.snapshot(), make(MINUTE, contract)
            estimator.restore(data)
    return pl.concat(out) if out else pl.DataFrame()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.slow
def test_what_is_published_does_not_depend_on_the_cut_into_calls(kind, data):
    """All windows in one call, one window per call or any cut, resumed or not: equal rows, bits and order."""
    rows = data.draw(streams())
    numbers = sorted({row[1] for row, _ in rows})
    whole = run(kind, rows, [], resume=False)
    edges = [number + after for number in numbers for after in (1, 2, 4, 5)]
    cuts = data.draw(st.sets(st.sampled_from(edges)))
    assert run(kind, rows, cuts, resume=data.draw(st.booleans())).equals(whole)
    assert run(kind, rows, set(edges), resume=False).equals(whole)
