"""The stock flow as the engine runs it over files: workers, cuts and kills change no value of any table."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import polars as pl
import pytest

from flows.run import run
from flows.sources import files
from tests.flows.process import start
from tests.flows.warehouse import table, tables

from .runs import FILLED, settings_of_stock, write_all
from .site import site

DAYS = 14
COUNTS = ["good", "quarantined", "late", "duplicates", "conflicts"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each stream."""
    folder = tmp_path_factory.mktemp("inputs")
    write_all(folder, DAYS)
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
    assert site(days=DAYS).expected["proposal.unknown"] == ["bad-decision"]
    return expected


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "chunk"), [(1, 2_000), (2, 20_000)])
def test_cuts_and_workers_change_no_value_in_any_table(inputs, undisturbed, tmp_path, workers, chunk):
    """Read in small batches, by one worker or two."""
    settings = settings_of_stock(tmp_path, inputs, workers=workers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CHUNK", chunk)
        run(settings)
    assert tables(settings) == undisturbed


@pytest.mark.slow
def test_killed_runs_leave_the_tables_of_an_undisturbed_one(inputs, undisturbed, tmp_path):
    """Killed in the midst, and between the lake's commit and the engine's, by turns with one and two workers."""
    dice, after_output = random.Random(3), 0
    for kill in range(4):
        settings = settings_of_stock(tmp_path, inputs, every_s=0.02, workers=1 + kill % 2)
        if kill % 2:
            flow = start(settings, chunk=1_000)
            flow.disturb(dice.choice([0, 1, 2]), dice.uniform(0, 0.3), signal.SIGKILL)
        else:
            flow = start(settings, chunk=10_000, die_after_commit=dice.randint(1, 2))
            assert flow.end() == -signal.SIGKILL
        after_output += flow.commits > 0
    assert after_output >= 2
    settings = settings_of_stock(tmp_path, inputs, workers=2)
    read, there = table(settings, "accounting")["rows_in"].sum(), write_all(tmp_path, DAYS)
    assert 0 < read < there
    assert start(settings).end() == 0
    assert tables(settings) == undisturbed
