"""The recovery store: private, bound to one run, and free of what dead epochs left before each resume.

Bytewax writes snapshots of an epoch before the epoch is complete. A killed run therefore leaves rows of an
epoch that never happened; after the next start they may lie below the new resume epoch and be loaded as if
they were real. `prune` removes them while the flow is stopped.

Snapshots are pickles: whoever can write the folder runs code in the flow. The folder must belong to the user
who runs the flow and be closed to everybody else, or the flow refuses to start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec
from bytewax.recovery import RecoveryConfig, init_db_dir

from flows.store_errors import full, writing
from schemas.errors import RecoveryError

_RUN_FILE = "run.json"
_LOCK_FILE = "lock"
_STORE = "bytewax"
PARTS = "parts"
"""Folder within the recovery folder for large parts of state, see `flows.state`."""
_PARTITIONS = 1
_T = TypeVar("_T")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_FORMAT = 1
WORK_VERSION = "alignment.work_version "
"""Before a version, the key of a digest of its rules."""


class Run(msgspec.Struct, frozen=True):
    """Identity of a run: everything it writes, to store, lake and topics, carries `run_id`."""

    run_id: str
    flow: str
    started_us: int
    """When the run was first started, in microseconds since the epoch: no row of a file arrives before."""
    format: int = _FORMAT
    bound: dict[str, str] = {}
    """Settings that the stored state is made for, as they were when the run first had them."""
    reads: dict[str, str] = {}
    """What each source read, when it was last there."""


@contextmanager
def opened(
    folder: Path,
    *,
    flow: str,
    now_us: int,
    bound: Mapping[str, str] = _NOTHING,
    reads: Mapping[str, str] = _NOTHING,
) -> Iterator[tuple[Run, RecoveryConfig, frozenset[str]]]:
    """Open, or create, the recovery store of a flow for as long as the flow runs.

    Yields the run, the engine's recovery configuration and the sources that were read before. `bound` are the settings
    that the state depends on, `reads` tells what each source reads. Raises RecoveryError when the folder is open to
    others, in use, or belongs to another flow or format, and when such a setting is another than that of the run, or
    a source has another name.
    """
    store = folder / _STORE
    _create(folder)
    demand_private(folder)
    with _locked(folder):
        run = _known_run(folder, flow) if store.exists() else _new_run(folder, flow, now_us)
        _readable(store, prune)
        _sweep(folder / PARTS, store)
        if resume_epoch(store) is None:  # nothing was done yet
            run = msgspec.structs.replace(run, bound={}, reads={})
        before = frozenset(run.reads)
        yield bind(folder, run, bound, reads), RecoveryConfig(store), before


def resume_epoch(store: Path) -> int | None:
    """Epoch from which the engine will resume, or None when nothing was ever run.

    It is the lowest frontier of the workers of the newest execution; a worker that wrote none yet stands at
    the epoch from which that execution itself resumed.
    """
    executions: dict[int, tuple[int, int]] = {}
    frontiers: dict[tuple[int, int], int] = {}
    for database in _databases(store):
        with closing(sqlite3.connect(database)) as connection:
            for number, workers, epoch in connection.execute("SELECT ex_num, worker_count, resume_epoch FROM exs"):
                executions[number] = (workers, epoch)
            for number, worker, frontier in connection.execute(
                "SELECT ex_num, worker_index, worker_frontier FROM fronts"
            ):
                key = (number, worker)
                frontiers[key] = max(frontier, frontiers.get(key, frontier))
    if not executions:
        return None
    newest = max(executions)
    workers, started = executions[newest]
    return min(max(started, frontiers.get((newest, worker), started)) for worker in range(workers))


def prune(store: Path) -> int:
    """Delete the snapshots of epochs that never completed; how many there were. The flow must be stopped."""
    epoch = resume_epoch(store)
    if epoch is None:
        return 0
    deleted = 0
    for database in _databases(store):
        with closing(sqlite3.connect(database)) as connection, connection:
            deleted += connection.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (epoch,)).rowcount
    return deleted


def _readable(store: Path, ask: Callable[[Path], _T]) -> _T:
    """What is asked of the store; RecoveryError where it is empty or damaged."""
    if not _databases(store):
        raise RecoveryError(
            f"{store} is empty: the state of the run is gone",
            fix="restore the recovery folder from a backup, or start a new run with new folders for state and lake",
        )
    try:
        return ask(store)
    except sqlite3.Error as error:
        if "disk is full" in str(error):
            raise full(store.parent) from error
        raise RecoveryError(
            f"the state in {store} cannot be read and written: {error}",
            fix="give the user of the flow its rights on it back; or, where damaged, restore the recovery folder from "
            "a backup, or start a new run with new folders for state and lake",
        ) from error


def _sweep(parts: Path, store: Path) -> None:
    """Remove the parts of steps that no snapshot is of: a run that was killed before their first one left them."""
    for folder in sorted(parts.iterdir()) if parts.exists() else ():
        if any(_names(database, folder.name) for database in _databases(store)):
            continue
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise RecoveryError(
                f"{folder}, which a killed run left behind, cannot be removed: {error.strerror}",
                fix="give `recovery.folder` its rights back, and run again",
            ) from error


def _names(database: Path, name: str) -> bool:
    """Whether a snapshot has a name in its bytes."""
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT 1 FROM snaps WHERE instr(ser_change, ?) > 0 LIMIT 1", (name.encode(),))
        return row.fetchone() is not None


def _databases(store: Path) -> list[Path]:
    return sorted(store.glob("part-*.sqlite3"))


def _create(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            folder.chmod(0o700)
    except OSError as error:
        raise RecoveryError(
            f"recovery folder {folder} cannot be made or looked into: {error.strerror}",
            fix="point `recovery.folder` to a place that the user of the flow may write",
        ) from error


def demand_private(folder: Path) -> None:
    """Raise RecoveryError unless the folder belongs to this user and is closed to everybody else."""
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid() or mode & 0o077:
        raise RecoveryError(
            f"recovery folder {folder} is not private: owner {found.st_uid}, mode {mode:04o}, and stored state "
            "is code to whoever can write it",
            fix=f"if nobody else wrote there: chown {os.geteuid()} {folder} && chmod 700 {folder}",
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / _LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecoveryError(
                f"recovery folder {folder} is in use by another process",
                fix="stop the other `takt run`, or give this flow its own `recovery.folder`",
            ) from error
        yield


def _new_run(folder: Path, flow: str, now_us: int) -> Run:
    run = Run(run_id=uuid.uuid4().hex, flow=flow, started_us=now_us)
    _write(folder, run)
    # Made aside and moved into place last: a store that is there is complete, and its run file too.
    draft = folder / f"{_STORE}.new"
    with writing(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        init_db_dir(draft, _PARTITIONS)
        draft.rename(folder / _STORE)
    return run


def _write(folder: Path, run: Run) -> None:
    """Put the run file in place, whole and on the disk: after a power cut a store without it is of no use."""
    draft = folder / f"{_RUN_FILE}.new"
    with writing(folder):
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(run))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / _RUN_FILE)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def bind(folder: Path, run: Run, bound: Mapping[str, str], reads: Mapping[str, str] = _NOTHING) -> Run:
    """The run with settings that it did not have yet; RecoveryError where one has changed since it first worked."""
    _demand_same(folder, run.bound, bound)
    _demand_names(folder, run.reads, reads)
    if bound.items() <= run.bound.items() and reads.items() <= run.reads.items():
        return run
    run = msgspec.structs.replace(run, bound={**run.bound, **bound}, reads={**run.reads, **reads})
    _write(folder, run)
    return run


def begun(folder: Path, flow: str) -> Run | None:
    """The run of a flow whose state is in the folder; None where nothing was done yet. Raises RecoveryError."""
    if not (folder / _STORE).exists() or _readable(folder / _STORE, resume_epoch) is None:
        return None
    return _known_run(folder, flow)


def holds(folder: Path, key: str) -> bool:
    """Whether state of a key is stored, so that a start goes on from it. The store must be there."""

    def ask(store: Path) -> bool:
        wanted = "SELECT 1 FROM snaps WHERE state_key = ? LIMIT 1"
        found = False
        for database in _databases(store):
            with closing(sqlite3.connect(database)) as connection:
                found |= connection.execute(wanted, (key,)).fetchone() is not None
        return found

    return _readable(folder / _STORE, ask)


def demand_bound(folder: Path, flow: str, bound: Mapping[str, str], reads: Mapping[str, str]) -> None:
    """Raise the RecoveryError with which a start of the flow would end, where settings are others than the run's."""
    run = begun(folder, flow)
    if run is not None:
        _demand_same(folder, run.bound, bound)
        _demand_names(folder, run.reads, reads)


def _demand_same(folder: Path, kept: Mapping[str, str], bound: Mapping[str, str]) -> None:
    others = [key for key, value in bound.items() if kept.get(key, value) != value]
    changed = [f"{key} is {bound[key]}, not {kept[key]}" for key in others if not key.startswith(WORK_VERSION)]
    if changed:
        raise RecoveryError(
            f"the state in {folder} was made with other settings: {', '.join(changed)}; what is open would be lost, or "
            "count twice",
            fix="set them back, or start a new run with new folders for state and lake; a source with another contract "
            "can also have another name",
        )
    if others:
        raise RecoveryError(
            f"alignment.work has other rules than the run in {folder} had under {others[0]}: what is told with that "
            "version would be of either",
            fix="give the changed rules another alignment.work_version, or set them back",
        )


def _demand_names(folder: Path, kept: Mapping[str, str], reads: Mapping[str, str]) -> None:
    gone = {place: name for name, place in kept.items() if name not in reads}
    for name, place in reads.items():
        if name not in kept and place in gone:
            raise RecoveryError(
                f"source {name!r} reads {place}, which source {gone[place]!r} read before, and has none of its state "
                f"in {folder}: all of it would count once more",
                fix=f"keep the name {gone[place]!r}, or start a new run with new folders for state and lake",
            )


def _known_run(folder: Path, flow: str) -> Run:
    path = folder / _RUN_FILE
    try:
        run = msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecoveryError(
            f"{path} is missing or damaged: {error}",
            fix="restore the recovery folder from a backup, or start a new run with new folders for state and lake",
        ) from error
    if run.flow != flow or run.format != _FORMAT:
        raise RecoveryError(
            f"recovery folder {folder} belongs to flow {run.flow!r}, format {run.format}, not to {flow!r}, "
            f"format {_FORMAT}",
            fix="give each flow its own `recovery.folder`",
        )
    return run
