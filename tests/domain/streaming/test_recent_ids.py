"""RecentIds against the rule, written out row by row."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.recent_ids import CONFLICT, DUPLICATE, NEW, RecentIds

HORIZON = 50

# Ids that share their upper bits meet in one slot of the table; few payloads make duplicates and conflicts common.
ids = st.one_of(st.integers(0, 6), st.integers(0, 3).map(lambda i: (i << 60) | 5), st.integers(0, 2**64 - 1))
steps = st.lists(st.tuples(ids, st.integers(0, 1), st.integers(-30, 40)), min_size=1, max_size=120)


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


@settings(max_examples=300, deadline=None)
@given(steps, st.lists(st.integers(1, 120), max_size=6), st.booleans())
def test_verdicts_are_the_rule_whatever_the_cuts(steps, cuts, resume):
    """Verdicts equal the row-by-row rule for every way to cut the rows, with and without a restore between."""
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


def test_memory_is_bounded_by_the_horizon():
    """A million ids through a horizon of a thousand leave a few thousand in memory, not a million."""
    recent = RecentIds(1000)
    for start in range(0, 1_000_000, 5000):
        times = np.arange(start, start + 5000)
        keys = times.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        assert not recent.judge(keys, keys, times, times).any()
    assert len(recent) < 25_000
