"""What was decided before a kill -9 stands after it, and what is decided after it is what would have been."""

from __future__ import annotations

import itertools
import random
import signal
from pathlib import Path

import pytest

from flows.settings import Settings, Time
from tests.flows.process import start
from tests.flows.warehouse import table, tables

from .floor import DECIDED, answer, clean, settings_of_floor, written

LARGE_CHUNK, SMALL_CHUNK = 80_000, 1_200
TIME = Time(window_s=90, lateness_s=30)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder of inputs, answers to some setpoints among them, and the tables of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    inputs = written(folder / "in", clean() | {"control": [answer("nothing", "accepted", 1.0)]})
    first = settings_of_floor(folder / "first", inputs, time=TIME)
    (folder / "first").mkdir()
    assert start(first).end() == 0
    written(inputs, {"control": sorted(_answers(first))})
    settings = settings_of_floor(folder, inputs, time=TIME)
    assert start(settings).end() == 0
    expected = tables(settings)
    assert [name for name in (*DECIDED, "signal", "quarantine") if expected[name].count("\n") == 0] in (
        [],
        ["shedding"],
    )
    return inputs, expected


def _answers(settings: Settings):
    """Of every other setpoint that is there without answers: later ones follow from these, and get none."""
    begun = min(time for time, _ in clean()["task"])
    for number, row in enumerate(table(settings, "setpoint").filter(status="sent").iter_rows(named=True)):
        seconds = row["decided_at"].timestamp() - begun
        if number % 2:
            yield answer(row["setpoint"], "accepted", seconds + 30)
            yield answer(row["setpoint"], "completed", seconds + 150)


@pytest.mark.slow
def test_killed_runs_leave_the_tables_of_an_undisturbed_one(undisturbed, tmp_path):
    """Kills at start, in the midst and between the lake's commit and the engine's; workers change between starts."""
    kills, turns = 6, itertools.cycle((1, 2))
    inputs, expected = undisturbed
    dice = random.Random(4)
    after_output = 0
    for kill in range(kills):
        settings = settings_of_floor(tmp_path, inputs, time=TIME, every_s=0.02, workers=next(turns))
        if kill % 2:
            flow = start(settings, chunk=SMALL_CHUNK)
            flow.disturb(dice.choice([0, 1, 2, 3, 4]), dice.uniform(0, 0.3), signal.SIGKILL)
        else:
            flow = start(settings, chunk=LARGE_CHUNK, die_after_commit=dice.randint(1, 2))
            assert flow.end() == -signal.SIGKILL
        after_output += flow.commits > 0
    assert after_output >= kills // 2
    settings = settings_of_floor(tmp_path, inputs, time=TIME, workers=next(turns))
    assert table(settings, "accounting")["rows_in"].sum() > 0
    assert start(settings).end() == 0
    assert tables(settings) == expected
