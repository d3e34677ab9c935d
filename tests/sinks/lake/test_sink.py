"""The Bytewax sink in real dataflows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSource, run_main

from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.sink import LakeSink

from .frames import rows_of


def flow_into(location: LakeLocation, inputs: Sequence[object]) -> Dataflow:
    flow = Dataflow("throughput")
    numbers = op.input("in", flow, TestingSource([*inputs]))
    items = op.flat_map(
        "items",
        numbers,
        lambda n: [
            ("any", ("signal", rows_of("signal", 2, first=10 * n))),
            ("other", ("late", rows_of("late", 1, first=n))),
        ],
    )
    op.output("lake", items, LakeSink(location, "run-1", "throughput"))
    return flow


def stored(location: LakeLocation) -> tuple[list[int], list[int], list[int]]:
    connection = connect(location, read_only=True)
    try:
        signals = connection.execute("SELECT CAST(substr(subject, 9) AS INT) AS n FROM signal ORDER BY n").pl()
        late = connection.execute('SELECT "offset" FROM late ORDER BY 1').pl()
        commits = connection.execute("SELECT seq FROM meta.commits ORDER BY 1").pl()
    finally:
        connection.close()
    return tuple(frame.to_series().to_list() for frame in (signals, late, commits))


@pytest.mark.slow
@pytest.mark.parametrize("interval", [timedelta(0), timedelta(seconds=10)])
def test_last_epoch_is_committed_without_a_recovery_store(tmp_path: Path, interval: timedelta) -> None:
    """Everything read up to the end of the input is in the lake, also when nothing is snapshotted durably."""
    location = LakeLocation(tmp_path / "lake")
    run_main(flow_into(location, [0, 1, 2]), epoch_interval=interval)
    signals, late, commits = stored(location)
    assert signals == [0, 1, 10, 11, 20, 21]
    assert late == [0, 1, 2]
    assert commits == [*range(1, len(commits) + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("interval", [timedelta(0), timedelta(seconds=10)])
def test_end_abort_and_resume(sqlite_location: LakeLocation, tmp_path: Path, interval: timedelta) -> None:
    """Over a clean end, an abort and further runs each row is in the lake exactly once after each run."""
    store = tmp_path / "recovery"
    store.mkdir()
    init_db_dir(store, 1)
    config = RecoveryConfig(str(store))
    end = TestingSource.EOF()
    # TestingSource does not count a spent ABORT, so it must be gone after it fired.
    aborting = [0, 1, 2, end, 3, TestingSource.ABORT(), 4, 5]
    whole = [0, 1, 2, end, 3, 4, 5]
    for inputs, expected in ((aborting, [0, 1, 2]), (aborting, None), (whole, [*range(6)]), (whole, [*range(6)])):
        run_main(flow_into(sqlite_location, inputs), epoch_interval=interval, recovery_config=config)
        signals, late, _ = stored(sqlite_location)
        assert len(set(late)) == len(late)
        assert signals == [10 * n + k for n in late for k in (0, 1)]
        if expected is not None:
            assert late == expected


@pytest.mark.slow
def test_crash_between_the_two_commits(sqlite_location: LakeLocation, tmp_path: Path) -> None:
    """Rows committed to the lake by an epoch the engine lost are undone, then computed again."""
    store = tmp_path / "recovery"
    store.mkdir()
    init_db_dir(store, 1)
    config = RecoveryConfig(str(store))
    run_main(flow_into(sqlite_location, [0, TestingSource.EOF(), 1]), recovery_config=config)
    connection = connect(sqlite_location, read_only=False)
    for table in ("internal.signal", "internal.late"):
        connection.execute(f"INSERT INTO {table} SELECT * REPLACE (_seq + 1 AS _seq) FROM {table}")
    connection.execute("INSERT INTO meta.commits SELECT * REPLACE (seq + 1 AS seq) FROM meta.commits")
    connection.close()
    run_main(flow_into(sqlite_location, [0, TestingSource.EOF(), 1]), recovery_config=config)
    assert stored(sqlite_location) == ([0, 1, 10, 11], [0, 1], [1, 2])


def test_abort_commits_nothing_of_its_epoch(sqlite_location: LakeLocation, tmp_path: Path) -> None:
    """Closing after an abort leaves the unfinished epoch out of the lake."""
    store = tmp_path / "recovery"
    store.mkdir()
    init_db_dir(store, 1)
    flow = flow_into(sqlite_location, [0, TestingSource.ABORT(), 1])
    run_main(flow, epoch_interval=timedelta(seconds=10), recovery_config=RecoveryConfig(str(store)))
    assert stored(sqlite_location) == ([], [], [])


def test_frames_survive_as_sent(sqlite_location: LakeLocation) -> None:
    """Items of one epoch and output become one insert whatever their key."""
    run_main(flow_into(sqlite_location, [3]), epoch_interval=timedelta(seconds=10))
    connection = connect(sqlite_location, read_only=True)
    got = connection.execute("SELECT * EXCLUDE recorded_at FROM signal ORDER BY event_time").pl()
    connection.close()
    assert got.equals(rows_of("signal", 2, first=30))
