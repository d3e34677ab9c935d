"""After kill -9 at any moment and a restart, the lake equals that of an undisturbed run."""

from __future__ import annotations

import itertools
import random
import signal
from pathlib import Path

import pytest

from domain.twin.warehouse import STREAMS
from flows.settings import Time

from .process import start
from .warehouse import FILLED, settings_of_all, small_day, table, tables, write_all

# An epoch of a killed run that closes windows, then runs that are killed before they close one again: state of
# the first that was stored and is dead must not come back.
LARGE_CHUNK = 80_000  # four minutes of event time per poll
SMALL_CHUNK = 1_200  # a few messages
TIME = Time(window_s=120)  # each window costs as much as hundreds of messages


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of inputs, and the tables of a run over them that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_all(folder)
    settings = settings_of_all(folder, folder, time=TIME)
    assert start(settings).end() == 0
    expected = tables(settings)
    assert all(expected[name].count("\n") > 1 for name in FILLED)
    return folder, expected


@pytest.mark.slow
def test_killed_runs_leave_the_tables_of_an_undisturbed_one(undisturbed, tmp_path):
    """Kills at start, in the midst and between the lake's commit and the engine's change no value anywhere.

    The number of workers changes from start to start. With Kafka on both sides there are many more kills, in
    `test_kills_kafka`.
    """
    kills, workers = 6, (1, 2)
    inputs, expected = undisturbed
    dice = random.Random(20)
    turns = itertools.cycle(workers)
    after_output = 0
    messages = sum(len(small_day(stream=stream).messages) for stream in STREAMS)
    for kill in range(kills):
        settings = settings_of_all(tmp_path, inputs, time=TIME, every_s=0.02, workers=next(turns))
        if kill % 2:
            flow = start(settings, chunk=SMALL_CHUNK)
            flow.disturb(dice.choice([0, 1, 2, 3, 4]), dice.uniform(0, 0.3), signal.SIGKILL)
        else:
            flow = start(settings, chunk=LARGE_CHUNK, die_after_commit=dice.randint(1, 2))
            assert flow.end() == -signal.SIGKILL
        after_output += flow.commits > 0
    assert after_output >= kills // 2
    settings = settings_of_all(tmp_path, inputs, time=TIME, workers=next(turns))
    assert 0 < table(settings, "accounting")["rows_in"].sum() < messages
    assert start(settings).end() == 0
    assert tables(settings) == expected


@pytest.mark.slow
def test_flow_stopped_by_sigterm_goes_on_where_it_was(undisturbed, tmp_path):
    """SIGTERM is a way to stop: the next start goes on, and nothing is lost or doubled."""
    inputs, expected = undisturbed
    settings = settings_of_all(tmp_path, inputs, time=TIME, every_s=0.02)
    for commits in (1, 3):
        start(settings, chunk=SMALL_CHUNK).disturb(commits, 0.0, signal.SIGTERM)
    assert start(settings).end() == 0
    assert tables(settings) == expected


@pytest.mark.slow
def test_start_after_a_clean_end_changes_nothing_and_reads_what_was_added(undisturbed, tmp_path):
    """A finished input may be started again: nothing is read twice, and lines added since are read."""
    _, expected = undisturbed
    messages = write_all(tmp_path)
    settings = settings_of_all(tmp_path, tmp_path, time=TIME)
    for _ in range(2):
        assert start(settings).end() == 0
        assert tables(settings) == expected
    with (tmp_path / "robot.state.jsonl").open("ab") as file:
        file.write(b"not json\n")
    assert start(settings).end() == 0
    assert table(settings, "accounting")["rows_in"].sum() == messages + 1
    found = tables(settings)
    assert len(set(found["quarantine"].splitlines()) - set(expected["quarantine"].splitlines())) == 1
    for name in set(expected) - {"accounting", "quarantine", "rule_failures"}:
        assert found[name] == expected[name]
