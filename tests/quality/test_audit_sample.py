"""Samples for the audit: deterministic, bounded, true to what the gate said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.audit_sample import LONGEST, Sample, Sampler, Sampling
from tests.quality.audit_samples import ROBOT_STATE, batch_of, cut, gate_of, message, messages, sampler_of

LINES = messages(1500)
GATE = gate_of(ROBOT_STATE)
SMALL = Sampling(every_rows=400, good=30, refused=5, undecoded=2)


def gated_in(cuts: list[int]) -> list[Sample]:
    edges = [0, *sorted(cuts), len(LINES)]
    parts = [(a, b) for a, b in pairwise(edges) if b > a]
    return cut((GATE(batch_of(LINES[a:b], a)) for a, b in parts), sampler_of(ROBOT_STATE, SMALL))


WHOLE = gated_in([])


@pytest.mark.slow
@given(st.lists(st.integers(0, len(LINES)), max_size=12))
@settings(deadline=None, max_examples=40)
def test_samples_do_not_depend_on_where_batches_were_cut(cuts: list[int]) -> None:
    """The same messages give the same samples however they came in batches."""
    assert gated_in(cuts) == WHOLE


def test_a_sample_is_bounded_per_kind_of_row() -> None:
    """Of every 400 messages as many of each kind are kept as asked, in stream order, and all are counted."""
    assert [(sample.seen, sample.rejected) for sample in WHOLE] == [(400, 16), (400, 16), (400, 16), (300, 12)]
    for sample in WHOLE:
        kinds = [row.codes[0].split(".")[0] if row.codes else "good" for row in sample.rows]
        assert kinds.count("good") == 30
        assert kinds.count("decode") == 2
        assert len(kinds) == 37
        assert [row.offset for row in sample.rows] == sorted({row.offset for row in sample.rows})


def test_a_sampled_row_carries_its_message_and_the_verdict_of_the_gate() -> None:
    """Raw bytes and codes are those of the message at the offset."""
    rejects = GATE(batch_of(LINES)).rejects
    codes = dict(zip(rejects["offset"].to_list(), map(tuple, rejects["reasons"].to_list()), strict=True))
    for row in (row for sample in WHOLE for row in sample.rows):
        assert row.raw == LINES[row.offset]
        assert row.codes == codes.get(row.offset, ())


def test_rows_are_chosen_evenly() -> None:
    """Offsets of sampled good rows are spread over the stream as those of a random sample are."""
    raw = batch_of([message(0)] * 20_000)
    (sample,) = cut([GATE(raw)], sampler_of(ROBOT_STATE, Sampling(good=2000)))
    counts = np.histogram([row.offset for row in sample.rows], bins=20, range=(0, 20_000))[0]
    assert len(sample.rows) == 2000
    assert ((counts - 100) ** 2 / 100).sum() < 43.8  # chi-square with 19 degrees of freedom, 0.1 %
    for stride in (2, 3, 5, 7, 10, 200):
        share = sum(row.offset % stride == 0 for row in sample.rows) / 2000
        assert abs(share - 1 / stride) < 4 * (1 / stride / 2000) ** 0.5


def test_long_messages_are_left_out() -> None:
    """A sample stays small when messages are huge; where all are, there is none."""
    huge = message(1, error="x" * LONGEST)
    sampler = sampler_of(ROBOT_STATE)
    (sample,) = cut([GATE(batch_of([message(0), huge, message(2)]))], sampler)
    assert [row.offset for row in sample.rows] == [0, 2]
    assert sample.seen == 3
    assert cut([GATE(batch_of([huge]))], sampler) == []


def test_a_slow_partition_hands_over_in_time() -> None:
    """A sample that is not full goes out once it is old, even when no more messages come."""
    now = [0.0]
    sampler = Sampler(
        "c", "h", "run", partition_of=lambda raw: raw.partition, now_s=lambda: now[0], sampling=Sampling(longest_s=60)
    )
    assert sampler.observe(GATE(batch_of(LINES[:5]))) == []
    now[0] = 60.0
    (sample,) = sampler.observe(GATE(batch_of([])))
    assert sample.seen == 5
    assert sampler.flush() == []


def test_partitions_have_samples_of_their_own() -> None:
    """Messages of two partitions are not mixed."""
    batches = [GATE(batch_of(LINES[:10], partition="0")), GATE(batch_of(LINES[10:30], partition="1"))]
    samples = cut(batches, sampler_of(ROBOT_STATE))
    assert [{row.partition for row in sample.rows} for sample in samples] == [{"0"}, {"1"}]
    assert [sample.seen for sample in samples] == [10, 20]
