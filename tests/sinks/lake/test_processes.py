"""Several processes at one lake: readers beside a writer, and a writer that is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from dashboards.sql import query
from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.maintenance import compact
from sinks.lake.writer import LakeWriter, utc_now
from tests.flows.process import CONTEXT

from . import writing_process
from .frames import rows_of

HERE = Path(__file__).parent
EPOCHS = 30
KILLS = 6


def start(script: str, location: LakeLocation, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, HERE / script, location.folder, location.catalog or "", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def write(location: LakeLocation, state: Path, epochs: int) -> ForkServerProcess:
    """Start a writer; forked, as there are many and each would load for as long as it writes."""
    arguments = (str(location.folder), location.catalog or "", state, epochs)
    process = CONTEXT.Process(target=writing_process.main, args=arguments, daemon=True)
    process.start()
    return process


def prepare(location: LakeLocation) -> None:
    writer = LakeWriter(location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    writer.close()


@pytest.mark.slow
def test_readers_beside_a_writer(location: LakeLocation, tmp_path: Path) -> None:
    """Two polling readers meet no error and no part of an epoch while a flow writes and compacts."""
    prepare(location)
    stop = tmp_path / "stop"
    readers = [start("polling_process.py", location, stop) for _ in range(2)]
    writer = write(location, tmp_path / "state", EPOCHS)
    try:
        writer.join(300)
        assert writer.exitcode == 0
    finally:
        writer.kill()
        stop.touch()
        outputs = [reader.communicate(timeout=60)[0] for reader in readers]
    for output in outputs:
        seen = json.loads(output)
        assert seen["errors"] == []
        assert seen["polls"] > 5
        assert len(seen["states"]) > 3
        for signals, late, rows, subjects in seen["states"]:
            assert (signals, late, subjects) == (rows // 5 * 3, rows // 5 * 2, signals)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_writer_leaves_each_row_once(location: LakeLocation, tmp_path: Path, seed: int) -> None:
    """After kill -9 at random moments, also between the two commits, the lake equals an undisturbed one."""
    prepare(location)
    state = tmp_path / "state"
    chance = random.Random(seed)
    for _ in range(KILLS):
        before = state.read_text() if state.exists() else ""
        writer = write(location, state, 1_000_000)
        deadline = time.monotonic() + 120
        while (state.read_text() if state.exists() else "") == before:
            assert writer.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        # Any moment of a commit is as good as another, so this is a draw, not a wait for something.
        time.sleep(chance.uniform(0, 0.3))
        writer.kill()
        writer.join()
    epochs = int(state.read_text().split()[0]) + 3
    last = write(location, state, epochs)
    last.join(120)
    assert last.exitcode == 0
    lake = connect(location, read_only=True)
    for output, each in (("signal", 3), ("late", 2)):
        wanted = rows_of(output, 10 * epochs).filter([n % 10 < each for n in range(10 * epochs)])
        got = lake.execute(f"SELECT * EXCLUDE recorded_at FROM {output}").pl()
        assert_frame_equal(got, wanted, check_row_order=False)
    commits = lake.execute("SELECT seq, rows FROM meta.commits ORDER BY seq").fetchall()
    lake.close()
    assert commits == [(n, 5) for n in range(1, epochs + 1)]


@pytest.mark.slow
def test_compaction_beside_a_flow_is_refused_on_sqlite(sqlite_location: LakeLocation) -> None:
    """A SQLite lake is not compacted under its flow; afterwards it is."""
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    with pytest.raises(SinkError, match=r"being written by throughput\.lake-0"):
        compact(sqlite_location, now=utc_now())
    writer.close()
    compact(sqlite_location, now=utc_now())


@pytest.mark.slow
def test_compaction_beside_a_flow_on_postgres(postgres_location: LakeLocation) -> None:
    """A PostgreSQL lake may be compacted while its flow writes."""
    writer = LakeWriter(postgres_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    for number in range(4):
        writer.append("signal", rows_of("signal", 1, first=number))
        writer.commit()
    done = compact(postgres_location, now=utc_now())
    assert done.after.files < done.before.files
    writer.append("signal", rows_of("signal", 1, first=9))
    writer.commit()
    writer.close()
    assert query(postgres_location, "SELECT count(*) FROM signal").rows == [(5,)]


HOLD = """
import sys
from pathlib import Path
from sinks.lake.catalog import LakeLocation
from sinks.lake.writer import LakeWriter
writer = LakeWriter(LakeLocation(Path(sys.argv[1]), sys.argv[2] or None), "run-2", "demand", "lake-0")
writer.resume(None)
print("holds", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_flow(location: LakeLocation) -> Iterator[int]:
    """A flow of another kind that has the lake open for writing; its process id."""
    command = [sys.executable, "-c", HOLD, location.folder, location.catalog or ""]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        yield process.pid
    finally:
        process.communicate("")


@pytest.mark.slow
def test_second_process_on_a_sqlite_lake_is_refused(sqlite_location: LakeLocation) -> None:
    """Another flow in another process is told who writes and what to do; once that one is gone, it may write."""
    prepare(sqlite_location)
    with (
        other_flow(sqlite_location) as process,
        pytest.raises(SinkError, match=rf"written by demand\.lake-0 \(process {process}\)") as refused,
    ):
        prepare(sqlite_location)
    assert "`lake.folder`" in refused.value.fix
    prepare(sqlite_location)


@pytest.mark.slow
def test_two_processes_on_a_postgres_lake(postgres_location: LakeLocation) -> None:
    """A PostgreSQL catalogue takes flows of different kinds at once."""
    prepare(postgres_location)
    with other_flow(postgres_location):
        writer = LakeWriter(postgres_location, "run-1", "throughput", "lake-0")
        writer.resume(None)
        writer.append("signal", rows_of("signal", 1))
        assert writer.commit() == 1
        writer.close()


def test_parts_of_one_process_share_a_sqlite_lake(sqlite_location: LakeLocation) -> None:
    """Several parts in one process are no second writer."""
    prepare(sqlite_location)
    writers = [LakeWriter(sqlite_location, "run-1", "throughput", f"lake-{n}") for n in range(3)]
    for writer in writers:
        writer.close()
