"""What is decided is a function of the rows: of no order within the lateness, no batch, no number of workers."""

from __future__ import annotations

import pytest

from flows.run import run
from flows.settings import Time
from flows.sources import files
from schemas.outputs import OUTPUTS
from tests.flows.warehouse import table

from .floor import DECIDED, clean, decided, delivered, settings_of_floor, sums, worked_off, written

DISORDER_S, LATENESS_S = 5.0, 60.0
# Each window costs as much as hundreds of messages.
TIME = Time(window_s=90, disorder_s=DISORDER_S, lateness_s=LATENESS_S)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A run over rows in order."""
    settings = worked_off(tmp_path_factory.mktemp("in order"), clean(), time=TIME)
    empty = {name for name in DECIDED if table(settings, name).height == 0}
    assert empty <= {"shedding"}, empty
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_rows_shuffled_within_the_lateness_and_doubled_decide_the_same(expected, tmp_path, seed):
    """Every decision is the same to the byte, as it is taken when late rows are in."""
    streams = {name: delivered(rows, DISORDER_S + LATENESS_S, seed) for name, rows in clean().items()}
    found = worked_off(tmp_path, streams, time=TIME)
    assert decided(found) == decided(expected)
    counted = sums(found)
    assert counted["duplicates"] == counted["rows_in"] - sum(map(len, clean().values())) > 0
    assert counted["late"] == counted["quarantined"] == 0


@pytest.mark.slow
def test_batches_and_workers_decide_the_same(expected, tmp_path, monkeypatch):
    """Small batches, and two workers."""
    monkeypatch.setattr(files, "_CHUNK", 20_011)
    found = worked_off(tmp_path, clean(), time=TIME, workers=2, every_s=0.5)
    assert decided(found) == decided(expected)


@pytest.mark.slow
def test_other_estimates_are_what_they_are_without_alignment(expected, tmp_path):
    """Throughput and service times do not know that anything is decided."""
    aligned = settings_of_floor(tmp_path, written(tmp_path / "in", clean()), time=TIME)
    alone = aligned.model_copy(update={"alignment": None})
    run(alone)
    for name in ("robot_window_latest", "throughput_latest", "service_time_latest", "accounting"):
        assert table(alone, name).equals(table(expected, name)), name


@pytest.mark.slow
def test_every_key_is_told_once(expected):
    """No output tells two rows under one key."""
    for name in (*DECIDED, "signal"):
        assert not table(expected, name).select(OUTPUTS[name].key).is_duplicated().any(), name
