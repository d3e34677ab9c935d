"""The contenders of the task book's benchmark do the same job, or their costs could not be compared."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.task_book import CONTENDERS, steps


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_finds_the_work_done(name):
    """That of the last steps of all tasks that were not cancelled, each once."""
    rows = steps(300)
    done = rows.filter(transition="done").unique("task", keep="last", maintain_order=True)
    assert CONTENDERS[name](rows)[1] == done.select(pl.col("work_micro").sum()).item()
