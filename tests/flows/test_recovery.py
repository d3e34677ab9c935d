"""The recovery store: free of dead snapshots, private, bound to one run."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from flows.recovery import PARTS, WORK_VERSION, demand_bound, opened, prune, resume_epoch
from schemas.errors import RecoveryError

from .counting import count

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload([count.__module__])


def run_count(store: Path, ledger: Path, **how: object) -> int | None:
    process = SPAWN.Process(target=count, args=(store, ledger), kwargs=how)
    process.start()
    process.join(60)
    return process.exitcode


def fresh_store(folder: Path, partitions: int = 1) -> Path:
    store = folder / "store"
    store.mkdir()
    init_db_dir(store, partitions)
    return store


def crash_idle_run(folder: Path, *, workers: int, partitions: int, pruning: bool) -> list[str]:
    """Count to 5 through two crashes, the second while nothing happens; the lines of the ledger."""
    store, ledger = fresh_store(folder, partitions), folder / "ledger"
    for how, code in (({"dies_at": 5}, -signal.SIGKILL), ({"dies_idle": True}, -signal.SIGKILL), ({}, 0)):
        if pruning:
            prune(store)
        assert run_count(store, ledger, workers=workers, **how) == code
    return ledger.read_text().splitlines()


@pytest.mark.parametrize("workers", [1, 2])
def test_engine_alone_loads_dead_state_after_two_crashes(tmp_path, workers):
    """Bytewax 0.21.1 counts the fifth item as the sixth; when this fails, the engine is mended: pruning can go."""
    lines = crash_idle_run(tmp_path, workers=workers, partitions=1, pruning=False)
    assert lines == ["1 1", "2 2", "3 3", "4 4", "5 5", "5 6"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("partitions", [1, 3])
def test_pruned_store_resumes_with_the_right_state(tmp_path, workers, partitions):
    """With dead snapshots pruned before each resume the fifth item stays the fifth, for any number of partitions."""
    lines = crash_idle_run(tmp_path, workers=workers, partitions=partitions, pruning=True)
    assert lines == ["1 1", "2 2", "3 3", "4 4", "5 5", "5 5"]


@pytest.mark.parametrize("partitions", [1, 3])
def test_resume_epoch_is_the_one_from_which_the_engine_resumes(tmp_path, partitions):
    """What is read from the store before each start is what the engine then notes as its own resume epoch."""
    store, ledger = fresh_store(tmp_path, partitions), tmp_path / "ledger"
    assert resume_epoch(store) is None
    run_count(store, ledger, dies_at=3)
    for execution, how in ((1, {"dies_idle": True, "workers": 2}), (2, {"workers": 1}), (3, {"workers": 2})):
        expected = resume_epoch(store)
        run_count(store, ledger, **how)
        assert executions(store)[execution] == expected


def test_parts_that_no_snapshot_is_of_go(tmp_path):
    """What a run left that was killed in its first epoch goes at the next start; what a snapshot names stays."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="f", now_us=0):
        pass
    names = {fate: fate.encode().hex().ljust(32, "0") for fate in ("kept", "dead", "unknown")}
    for name in names.values():
        (folder / PARTS / name).mkdir(parents=True)
        (folder / PARTS / name / "part").touch()
    (database,) = (folder / "bytewax").glob("part-*.sqlite3")
    write(database, [(0, 1, 1)], [(0, 0, 5)])
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = [("s", fate, epoch, b"pickle" + names[fate].encode()) for fate, epoch in (("kept", 4), ("dead", 5))]
        connection.executemany(
            "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)", rows
        )
    with opened(folder, flow="f", now_us=0):
        assert [path.name for path in (folder / PARTS).iterdir()] == [names["kept"]]


def test_a_run_keeps_the_settings_that_its_state_is_made_for(tmp_path):
    """A source may be added; another length of windows, or kind of a source, is refused with both values, for good."""
    folder = tmp_path / "recovery"

    def begin(**bound: str) -> None:
        with opened(folder, flow="f", now_us=0, bound=bound):
            pass

    begin(window_s="10")
    begin(window_s="300")  # nothing was done yet
    write(next((folder / "bytewax").glob("part-*.sqlite3")), [(0, 1, 1)], [])
    begin(window_s="300", robots="robot.state")
    for other, told in (
        ({"window_s": "60"}, "window_s is 60, not 300"),
        ({"robots": "task"}, "is task, not robot.state"),
    ):
        with pytest.raises(RecoveryError, match=told):
            begin(**other)
    begin(window_s="300")


def test_other_rules_of_work_need_another_version(tmp_path):
    """Gaps name the version: under one name there are no two mappings, not even after another in between."""
    folder = tmp_path / "recovery"
    one, two = (f"{WORK_VERSION}{version!r}" for version in ("1", "2"))

    def begin(bound: dict[str, str]) -> None:
        with opened(folder, flow="f", now_us=0, bound=bound):
            pass

    begin({one: "a"})
    write(next((folder / "bytewax").glob("part-*.sqlite3")), [(0, 1, 1)], [])
    for bound in ({one: "a"}, {two: "b"}, {}, {one: "a"}):
        begin(bound)
    with pytest.raises(RecoveryError, match="has other rules than the run in") as no:
        begin({one: "b"})
    assert "give the changed rules another alignment.work_version" in no.value.fix


def test_sources_that_were_read_before_are_told(tmp_path):
    """Those of earlier starts, once anything was done; not those that are there for the first time."""
    folder = tmp_path / "recovery"

    def before(*sources: str) -> frozenset[str]:
        with opened(folder, flow="f", now_us=0, reads={name: f"topic {name}" for name in sources}) as (_, _, told):
            return told

    assert before("a") == before("a") == frozenset()
    write(next((folder / "bytewax").glob("part-*.sqlite3")), [(0, 1, 1)], [])
    assert before("a", "b") == {"a"}
    assert before("b", "c") == {"a", "b"}


def test_a_source_under_another_name_is_refused(tmp_path):
    """What is read by a new name, and by one that is gone, would count twice; put back, moved and new ones go."""
    folder = tmp_path / "recovery"

    def begin(**reads: str) -> None:
        with opened(folder, flow="f", now_us=0, reads=reads):
            pass

    begin(robots="topic a", tasks="b")
    write(next((folder / "bytewax").glob("part-*.sqlite3")), [(0, 1, 1)], [])
    begin(robots="topic a", tasks="moved", more="b")
    begin(tasks="moved", more="b")
    with pytest.raises(RecoveryError, match="'bots' reads topic a, which source 'robots' read before") as refused:
        begin(bots="topic a", tasks="moved")
    with pytest.raises(RecoveryError, match="'bots' reads topic a"):
        demand_bound(folder, "f", {}, {"bots": "topic a"})
    assert "keep the name 'robots'" in refused.value.fix
    begin(robots="topic a", tasks="moved")


def executions(store: Path) -> dict[int, int]:
    found = {}
    for database in store.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(database)) as connection:
            found |= dict(connection.execute("SELECT ex_num, resume_epoch FROM exs"))
    return found


def write(database: Path, executions: list[tuple[int, int, int]], frontiers: list[tuple[int, int, int]]) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (?, ?, ?)", executions)
        connection.executemany("INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (?, ?, ?)", frontiers)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (([(0, 1, 1)], []), ([], []), 1),
        (([(0, 1, 1)], [(0, 0, 9)]), ([(1, 1, 9)], []), 9),
        (([(0, 2, 1)], [(0, 0, 9)]), ([], [(0, 1, 7)]), 7),
        (([(0, 2, 4)], [(0, 0, 9)]), ([], []), 4),
        (([(0, 1, 1), (1, 3, 5)], [(0, 0, 5), (1, 2, 8)]), ([], [(1, 0, 6), (1, 1, 9)]), 6),
        (([(0, 1, 1), (1, 1, 5)], [(0, 0, 99)]), ([], []), 5),
    ],
    ids=[
        "an execution without a frontier",
        "a newer execution in another partition",
        "workers in several partitions",
        "one worker wrote none",
        "three workers",
        "only the newest execution counts",
    ],
)
def test_resume_epoch_is_the_lowest_frontier_of_the_newest_execution(tmp_path, first, second, expected):
    """Executions and frontiers are gathered from all partitions; a worker without a frontier stands at the start."""
    store = fresh_store(tmp_path, 2)
    write(store / "part-0.sqlite3", *first)
    write(store / "part-1.sqlite3", *second)
    assert resume_epoch(store) == expected


def test_prune_deletes_in_every_partition_from_the_resume_epoch_on(tmp_path):
    """Snapshots at and above the resume epoch go, those below stay, and the number deleted is told."""
    store = fresh_store(tmp_path, 2)
    write(store / "part-0.sqlite3", [(0, 1, 1)], [(0, 0, 5)])
    for database in store.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.executemany("INSERT INTO snaps VALUES ('', 's', 'k', ?, x'00')", [(4,), (5,), (6,)])
    assert prune(store) == 4
    for database in store.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT snap_epoch FROM snaps").fetchall() == [(4,)]
    assert prune(store) == 0


def test_run_keeps_its_identity_over_restarts(tmp_path):
    """The second start finds the run of the first: same id, same start."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=7) as (first, _, _):
        pass
    with opened(folder, flow="throughput", now_us=8) as (second, _, _):
        pass
    assert second == first
    assert second.started_us == 7


def test_recovery_folder_is_made_private(tmp_path):
    """A folder that is made, or found empty, is closed to everybody else."""
    (tmp_path / "empty").mkdir(mode=0o755)
    for name in ("empty", "new"):
        with opened(tmp_path / name, flow="throughput", now_us=0):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_folder_open_to_others_is_refused(tmp_path, mode):
    """Snapshots are code to whoever can write them, so the flow does not start from a folder others can enter."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    folder.chmod(mode)
    with pytest.raises(RecoveryError, match=rf"not private: owner {os.geteuid()}, mode 0{mode:o}.*\n.*chmod 700"):
        opened(folder, flow="throughput", now_us=0).__enter__()


def test_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    """A private folder of somebody else is refused too."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(RecoveryError, match=f"not private: owner {owner}"):
        opened(folder, flow="throughput", now_us=0).__enter__()


def hold_lock(path: Path, ready: Event, done: Event) -> None:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready.set()
        done.wait(60)


def test_folder_in_use_by_another_process_is_refused(tmp_path):
    """Two flows never share a store; when the other has ended, however it ended, the folder is free again."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    ready, done = SPAWN.Event(), SPAWN.Event()
    holder = SPAWN.Process(target=hold_lock, args=(folder / "lock", ready, done), daemon=True)
    holder.start()
    assert ready.wait(60)
    with pytest.raises(RecoveryError, match="in use by another process"):
        opened(folder, flow="throughput", now_us=0).__enter__()
    holder.kill()
    holder.join(60)
    with opened(folder, flow="throughput", now_us=0):
        pass


def test_folder_of_another_flow_is_refused(tmp_path):
    """A store belongs to one flow."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    with pytest.raises(RecoveryError, match="belongs to flow 'throughput', format 1, not to 'demand'"):
        opened(folder, flow="demand", now_us=0).__enter__()


def test_store_of_another_format_is_refused(tmp_path):
    """A store that a later version of Takt laid out differently is not touched."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    run = folder / "run.json"
    run.write_bytes(run.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(RecoveryError, match="format 2"):
        opened(folder, flow="throughput", now_us=0).__enter__()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"run_id": "\xff"}', b"[1]", None])
def test_damaged_run_file_is_refused_by_name(tmp_path, content):
    """Without a readable run file nothing says what the state belongs to, so nothing is guessed."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    if content is None:
        (folder / "run.json").unlink()
    else:
        (folder / "run.json").write_bytes(content)
    with pytest.raises(RecoveryError, match=r"run\.json is missing or damaged"):
        opened(folder, flow="throughput", now_us=0).__enter__()


def test_damaged_or_lost_state_is_refused(tmp_path):
    """A store that is no database, or whose databases are gone, stops the start with the way out."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=0):
        pass
    database = folder / "bytewax" / "part-0.sqlite3"
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(RecoveryError, match="cannot be read"):
        opened(folder, flow="throughput", now_us=0).__enter__()
    database.unlink()
    with pytest.raises(RecoveryError, match="state of the run is gone"):
        opened(folder, flow="throughput", now_us=0).__enter__()


def test_start_that_died_while_making_the_store_leaves_a_new_run(tmp_path):
    """A half-made store is not taken for a store."""
    folder = tmp_path / "recovery"
    with opened(folder, flow="throughput", now_us=7):
        pass
    (folder / "bytewax").rename(folder / "bytewax.new")
    with opened(folder, flow="throughput", now_us=8) as (run, _, _):
        assert run.started_us == 8


@pytest.mark.parametrize("room", [0, 40_000, 80_000])
def test_a_full_disk_is_told_at_every_step_of_a_first_start(tmp_path, room):
    """Whoever writes, the run file or the engine, says so with the fix; with room the flow starts."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root, and must be permitted")

    def start() -> None:
        with opened(tmp_path / "state", flow="throughput", now_us=0):
            pass

    try:
        (tmp_path / "filler").write_bytes(bytes((1 << 20) - room))
        with pytest.raises(RecoveryError, match=r"disk of the recovery folder .* is full"):
            start()
        (tmp_path / "filler").unlink()
        start()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
