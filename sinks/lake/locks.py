"""Who writes: one lock file per flow and part, so that a flow started twice cannot write twice.

A SQLite catalogue takes the writers of one process only, so there a writer must also be `alone`: of two flows that
start at the very same moment both may be refused, never neither.

The kernel drops the lock when its process ends, by kill -9 too, so a lock is never stale.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import IO, Self

from schemas.errors import SinkError

MAINTENANCE = "maintenance"
"""Lock of `takt lake compact`, whose short transactions a flow waits for."""

_TAKING = threading.Lock()


class WriterLock:
    """Exclusive lock on `<folder>/locks/<name>.lock`; the file holds the process id of its owner.

    With `alone` no other process may hold a lock of another flow either. Raises SinkError that names the process.
    """

    def __init__(self, folder: Path, name: str, *, alone: bool = False) -> None:
        self.name = name
        path = folder / "locks" / f"{name}.lock"
        self._file = _opened(path)
        # Between the lock and the number in it, a sibling of this process would take it for another's.
        with _TAKING:
            self._take(folder, path)
            if alone:
                self._demand_alone(folder)

    def _take(self, folder: Path, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise _refusal(folder, self.name, owner_of(path)) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def _demand_alone(self, folder: Path) -> None:
        for name, owner in running_writers(folder).items():
            if name != MAINTENANCE and owner != str(os.getpid()):
                self.release()
                raise _refusal(folder, name, owner)

    def release(self) -> None:
        """Let the lock go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="ascii")
    except OSError as error:
        raise SinkError(
            f"{path}, the lock of a writer of the lake, cannot be written: {error.strerror}",
            fix=f"run as the user who owns the lake, or give user {os.geteuid()} its rights on {path.parent}",
        ) from error


def _refusal(folder: Path, name: str, owner: str) -> SinkError:
    if name == MAINTENANCE:
        return SinkError(
            f"the lake {folder} is being compacted by process {owner}", fix="wait until it is done, then try again"
        )
    return SinkError(
        f"the lake {folder} is being written by {name} (process {owner}), which takes no second flow beside it",
        fix=f"give this flow a `lake.folder` and a `recovery.folder` of its own, or stop process {owner} first",
    )


def owner_of(path: Path) -> str:
    """Process id in a lock file, or "unknown"."""
    return path.read_text(encoding="ascii").strip() or "unknown"


def running_writers(folder: Path) -> dict[str, str]:
    """Locks that are held now: name of the lock to process id of its owner."""
    held = {}
    for path in sorted((folder / "locks").glob("*.lock")):
        with path.open("r", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                held[path.name.removesuffix(".lock")] = owner_of(path)
    return held
