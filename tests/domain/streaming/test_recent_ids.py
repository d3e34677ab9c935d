"""RecentIds against the rule, written out row by row."""

from __future__ import annotations

import itertools
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming import recent_ids
from domain.streaming.recent_ids import CONFLICT, DUPLICATE, NEW, RecentIds

HORIZON = 50
SMALL = {"_BLOCK_BITS": 2, "_BLOCK_ROWS": 4, "_WITHIN": 3, "_LEAST_SLOTS": 16, "_POSITIONS": 64}
"""Sizes with which blocks go, the table grows and positions run out within a few rows."""
AS_IT_IS = {name: getattr(recent_ids, name) for name in SMALL}

# Ids that share their upper bits meet in one slot of the table; few payloads make duplicates and conflicts common.
ids = st.one_of(st.integers(0, 6), st.integers(0, 3).map(lambda i: (i << 60) | 5), st.integers(0, 2**64 - 1))
step = st.tuples(ids, st.integers(0, 1), st.integers(-30, 40) | st.integers(-3, 4))
steps = st.lists(step, min_size=1, max_size=120) | st.lists(step, min_size=80, max_size=120)


def oracle(rows: list[tuple[int, int, int]], before: list[int]) -> list[int]:
    """The rule of the module, one row at a time over all rows ever remembered."""
    remembered: dict[int, tuple[int, int]] = {}
    verdicts = []
    for (key, payload, time), bound in zip(rows, before, strict=True):
        known = remembered.get(key)
        if known is not None and known[1] >= bound - HORIZON:
            verdicts.append(DUPLICATE if known[0] == payload else CONFLICT)
        else:
            remembered[key] = (payload, time)
            verdicts.append(NEW)
    return verdicts


@pytest.mark.parametrize("sizes", [AS_IT_IS, SMALL], ids=["as it is", "small"])
@settings(max_examples=100, deadline=None)
@given(steps=steps, cuts=st.lists(st.integers(1, 120), max_size=40), resume=st.booleans())
def test_verdicts_are_the_rule_whatever_the_cuts(sizes, steps, cuts, resume):
    """Verdicts equal the row-by-row rule for every way to cut the rows, with and without a restore between."""
    with patch.multiple(recent_ids, **sizes):
        _verdicts_are_the_rule(steps, cuts, resume=resume)


def _verdicts_are_the_rule(steps: list[tuple[int, int, int]], cuts: list[int], *, resume: bool) -> None:
    time, rows, before, top = 0, [], [], 0
    for key, payload, move in steps:
        time = max(top - HORIZON, time + move)
        rows.append((key, payload, time))
        before.append(top)
        top = max(top, time)
    recent, got = RecentIds(HORIZON), []
    edges = sorted({0, len(rows), *(c for c in cuts if c < len(rows))})
    for a, b in itertools.pairwise(edges):
        if resume:
            data = recent.snapshot(before[a])
            recent = RecentIds(HORIZON)
            recent.restore(data)
        part = rows[a:b]
        verdict = recent.judge(
            np.array([r[0] for r in part], dtype=np.uint64),
            np.array([r[1] for r in part], dtype=np.uint64),
            np.array([r[2] for r in part], dtype=np.int64),
            np.array(before[a:b], dtype=np.int64),
        )
        got += verdict.tolist()
    assert got == oracle(rows, before)


def test_a_steady_rate_is_remembered_at_the_cost_of_what_is_new():
    """A million ids through a horizon of forty thousand: few stay, and the table is built anew only at first."""
    recent, rows = RecentIds(40_000), 5000
    with patch.object(RecentIds, "_rebuild", autospec=True, side_effect=RecentIds._rebuild) as rebuild:
        for start in range(0, 1_000_000, rows):
            times = np.arange(start, start + rows)
            keys = times.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            assert not recent.judge(keys, keys, times, times).any()
    assert len(recent) < 40_000 + 2 * recent_ids._BLOCK_ROWS + rows
    assert len(recent._displaced) < len(recent) / 8
    assert rebuild.call_count < 6


def test_rows_are_numbered_anew_before_positions_run_out():
    """No slot points beyond the positions that it can hold, and what was seen is still known."""
    recent, rows = RecentIds(20_000), 5000
    with patch.multiple(recent_ids, _POSITIONS=1 << 17):
        for start in range(0, 400_000, rows):
            times = np.arange(start, start + rows)
            keys = times.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            assert not recent.judge(keys, keys, times, times).any()
            assert (recent.judge(keys[:9], keys[:9], times[:9], times[-9:]) == DUPLICATE).all()
            assert recent._table.max() < 1 << 17


def test_time_passes_without_rows_that_are_remembered():
    """A row that is not passed, or not new, may move the time on beyond the horizon of all that are in memory."""
    recent, one = RecentIds(HORIZON), np.ones(1, dtype=np.uint64)
    verdicts = [
        recent.judge(one, one, np.array([at]), np.array([top]))[0] for at, top in ((0, 0), (460, 500), (490, 500))
    ]
    assert verdicts == [NEW, NEW, DUPLICATE]
