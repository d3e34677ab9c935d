"""Who writes: one lock file per flow and part, so that a flow started twice cannot write twice.

The kernel drops the lock when its process ends, by kill -9 too, so a lock is never stale.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Self

from schemas.errors import SinkError


class WriterLock:
    """Exclusive lock on `<folder>/locks/<name>.lock`; the file holds the process id of its owner."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        path = folder / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = owner_of(path)
            self._file.close()
            raise SinkError(
                f"{name} of the lake {folder} is held by process {owner}",
                fix=f"stop process {owner} first; a flow, and maintenance of a SQLite lake, run one at a time",
            ) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let the lock go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


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
