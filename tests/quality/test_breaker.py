"""The breaker of one partition, resumed under another rule."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from quality.breaker import Breaker, BreakerRule
from schemas.batch import REJECT_SCHEMA, GatedBatch, RawBatch
from schemas.messages import Messages

BAD = "battery.range"


def batch(first: int, rows: int) -> GatedBatch:
    """Messages of which each fails a rule, from an offset on."""
    offsets = np.arange(first, first + rows)
    raw = RawBatch("robots", "0", Messages.of([b"{}"] * rows), offsets, offsets)
    rejects = {"offset": offsets, "raw": [b"{}"] * rows, "kind": ["quarantined"] * rows, "reasons": [[BAD]] * rows}
    return GatedBatch(raw, pl.DataFrame(), pl.DataFrame({**rejects, "detail": [None] * rows}, schema=REJECT_SCHEMA), {})


@pytest.mark.parametrize("block_rows", [100, 300, 301, 1000])
def test_length_of_blocks_may_change_from_start_to_start(block_rows: int) -> None:
    """Within a block of which 300 rows were counted: a longer one goes on, another begins; it opens at the end."""
    before = Breaker(BreakerRule(500, ratio=0.5, leap=5.0))
    assert before.observe(batch(0, 300)) == []
    after = Breaker(BreakerRule(block_rows, ratio=0.5, leap=5.0))
    after.restore(before.snapshot())
    (opened,) = after.observe(batch(300, block_rows))
    counted = 300 if block_rows > 300 else 0
    assert (opened.code, opened.ratio, opened.last_offset) == (BAD, 1.0, 300 + block_rows - counted - 1)
