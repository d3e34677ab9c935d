"""The stock flow as the engine runs it over files: neither workers nor cuts change a value of any table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from flows.run import run
from flows.sources import files
from tests.flows.warehouse import table, tables

from .runs import FILLED, settings_of_stock, write_all
from .site import site

COUNTS = ["good", "quarantined", "late", "duplicates", "conflicts"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each stream."""
    folder = tmp_path_factory.mktemp("inputs")
    write_all(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All tables of a run that reads each file at once."""
    settings = settings_of_stock(tmp_path_factory.mktemp("whole"), inputs)
    run(settings)
    expected = tables(settings)
    assert [name for name, text in expected.items() if text.count("\n") > 0] == [n for n in expected if n in FILLED]
    counts = table(settings, "accounting")
    assert counts.filter(pl.col("rows_in") != pl.sum_horizontal(COUNTS)).height == 0
    assert counts["partition"].to_list() == [f"{s.replace('-', '.')}.jsonl" for s in sorted(counts["source"])]
    refused = table(settings, "quarantine").join(counts, on=["source", "partition"], how="anti")
    assert refused.height == 0
    assert site().expected["proposal.unknown"] == ["bad-decision"]
    return expected


@pytest.mark.slow
def test_cuts_and_workers_change_no_value_in_any_table(inputs, undisturbed, tmp_path):
    """Read in small batches, by two workers."""
    settings = settings_of_stock(tmp_path, inputs, workers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CHUNK", 5_003)
        run(settings)
    assert tables(settings) == undisturbed
