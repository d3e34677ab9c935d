"""Final tables are a function of the accepted input alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain.twin.config import NO_DEFECTS, small
from domain.twin.streams import ROBOT_STATE
from domain.twin.warehouse import Warehouse
from flows.run import run
from flows.settings import Settings, Time
from flows.sources import files
from schemas.outputs import OUTPUTS

from .warehouse import frames, settings_of, small_day, table, tables, text_of

TOLD = ("robot_window", "throughput")
RESULTS = (*TOLD, *(f"{name}_latest" for name in TOLD))
DISORDER_S = 5.0
DOUBLED = 0.05
# Windows of two minutes: each costs as much as hundreds of messages.
PUNCTUAL = Time(window_s=120, disorder_s=DISORDER_S, lateness_s=0)
PATIENT = Time(window_s=120, disorder_s=DISORDER_S, lateness_s=60)
USUAL = Time(window_s=120)


@cache
def clean_rows() -> tuple[tuple[float, bytes], ...]:
    """Event time in seconds and message of everything ten robots said in an hour, in event order."""
    warehouse = Warehouse(replace(small(), defects=NO_DEFECTS))
    messages = [m for chunk in warehouse.chunks() if chunk.stream == ROBOT_STATE for m in chunk.messages]
    times = pl.Series(messages, dtype=pl.Binary).cast(pl.String).str.json_path_match("$.event_time")
    seconds = times.str.to_datetime(time_unit="us", time_zone="UTC").dt.epoch("us") / 1e6
    return tuple(sorted(zip(seconds.to_list(), messages, strict=True)))


def delivered(reach_s: float, seed: int) -> bytes:
    """The rows as a network delivers them that holds each back by up to `reach_s`, and doubles one in twenty."""
    dice = random.Random(seed)
    arrivals = [(time + dice.uniform(0, reach_s), message) for time, message in clean_rows()]
    again = [(at + dice.uniform(0, 300), message) for at, message in arrivals if dice.random() < DOUBLED]
    return b"".join(message + b"\n" for _, message in sorted(arrivals + again))


def worked_off(folder: Path, content: bytes, **how: Any) -> Settings:
    folder.mkdir()
    path = folder / "day.jsonl"
    path.write_bytes(content)
    settings = settings_of(folder, path, **how)
    run(settings)
    return settings


def in_order() -> bytes:
    return b"".join(message + b"\n" for _, message in clean_rows())


def results(settings: Settings) -> dict[str, str]:
    return tables(settings, RESULTS)


def settled(settings: Settings, name: str, reach_s: float) -> pl.DataFrame:
    """Newest values of all windows for which allowed lateness is over, but for revision and finality."""
    newest = max(time for time, _ in clean_rows()) - reach_s
    ended = pl.col("window_end").dt.epoch("us") <= int(newest * 1e6)
    return table(settings, f"{name}_latest").filter(ended).drop("revision", "final")


@pytest.fixture(scope="module")
def punctual(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A run over the rows in order that waits for nobody."""
    return worked_off(tmp_path_factory.mktemp("punctual") / "run", in_order(), time=PUNCTUAL)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A run over the rows in order that allows for lateness."""
    return worked_off(tmp_path_factory.mktemp("patient") / "run", in_order(), time=PATIENT)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_disorder_and_duplicates_change_no_byte_of_the_results(punctual, tmp_path, seed):
    """Rows shuffled within the disorder bound, one in twenty doubled, give all results to the byte, all revision 0."""
    shuffled, expected = worked_off(tmp_path / "shuffled", delivered(DISORDER_S, seed), time=PUNCTUAL), punctual
    assert results(shuffled) == results(expected)
    assert table(expected, "robot_window")["revision"].unique().to_list() == [0]
    counts = table(shuffled, "accounting").row(0, named=True)
    assert counts["good"] == len(clean_rows())
    assert counts["duplicates"] == counts["rows_in"] - counts["good"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_lateness_changes_no_final_value(patient, tmp_path, seed):
    """Rows shuffled within allowed lateness revise windows, whose newest values are then those of the true order."""
    shuffled = worked_off(tmp_path / "shuffled", delivered(DISORDER_S + 60, seed), time=PATIENT)
    assert table(shuffled, "robot_window")["revision"].max() == 1
    assert table(shuffled, "late").height == 0
    assert_nothing_is_missing(shuffled)
    for name in ("robot_window", "throughput"):
        frame = settled(shuffled, name, DISORDER_S + 60)
        assert frame.height > 250
        assert text_of(frame) == text_of(settled(patient, name, DISORDER_S + 60))


def in_tiny_batches(folder: Path, content: bytes) -> Settings:
    return in_chunks(8_009, folder, content, every_s=1.0)


def with_two_workers(folder: Path, content: bytes) -> Settings:
    return in_chunks(50_000, folder, content, workers=2)


def in_chunks(size: int, folder: Path, content: bytes, **how: Any) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CHUNK", size)
        return worked_off(folder, content, time=USUAL, **how)


@pytest.mark.slow
@pytest.mark.parametrize("other", [in_tiny_batches, with_two_workers])
def test_cuts_and_workers_change_no_value_in_any_table(
    tmp_path: Path, undisturbed: dict[str, str], other: Callable[[Path, bytes], Settings]
):
    """All tables, quarantine and late rows included, are the same for other batch cuts and workers."""
    assert tables(other(tmp_path / "other", small_day().ndjson)) == undisturbed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All tables of a run that reads the day in one batch."""
    return tables(worked_off(tmp_path_factory.mktemp("whole") / "run", small_day().ndjson, time=USUAL))


@pytest.mark.slow
@pytest.mark.parametrize(("reach_s", "revision"), [(0.0, 1), (DISORDER_S + 60, 2)])
def test_file_that_grows_between_runs_gives_the_results_of_one_run(tmp_path, reach_s, revision):
    """At each end of input all rows are in the newest results, which are those of a run that read as far at once."""
    lines = (in_order() if reach_s == 0 else delivered(reach_s, 3)).splitlines(keepends=True)
    settings = worked_off(tmp_path / "growing", b"", time=PATIENT)
    for begin, end in itertools.pairwise((0, 703, 1_417, 2_117)):
        with (tmp_path / "growing" / "day.jsonl").open("ab") as file:
            file.writelines(lines[begin:end])
        run(settings)
        assert_nothing_is_missing(settings)
        whole = worked_off(tmp_path / f"whole {end}", b"".join(lines[:end]), time=PATIENT)
        assert newest(settings) == newest(whole)
    told = frames(settings, TOLD)
    assert told["robot_window"]["revision"].max() == revision
    run(settings)
    assert {n: f.height for n, f in frames(settings, TOLD).items()} == {n: f.height for n, f in told.items()}


def assert_nothing_is_missing(settings: Settings) -> None:
    """The newest values hold every row that was accepted, and no row is told twice under one key."""
    found = frames(settings, ("accounting", *RESULTS))
    good = found["accounting"]["good"].sum()
    assert found["robot_window_latest"]["messages"].sum() == good
    levels = found["throughput_latest"].group_by("level").agg(pl.col("messages").sum())
    assert dict(levels.iter_rows()) == {"robot": good, "zone": good, "site": good}
    for name in TOLD:
        assert not found[name].select(OUTPUTS[name].key).is_duplicated().any()


def newest(settings: Settings) -> dict[str, str]:
    found = frames(settings, [f"{name}_latest" for name in TOLD])
    return {name: text_of(frame.drop("revision", "final")) for name, frame in found.items()}
