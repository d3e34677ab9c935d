"""Puts new files of the lake on the disk before the catalogue speaks of them.

DuckDB leaves Parquet files to the operating system, which writes them out up to half a minute later, while SQLite
and PostgreSQL are on the disk with each commit: after a power cut the catalogue knew of files that were empty.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_AT_ONCE: Final = 8
_LEVELS: Final = 3  # the data folder, schemas and tables
_NOT_OF_FOLDERS: Final = {errno.EINVAL, errno.ENOTSUP}


class NewFiles:
    """Files under the data folder of a lake that came since it was last asked. Not for several threads."""

    def __init__(self, data: Path) -> None:
        """What is there already is on the disk, but for the folder of a lake that was only just made."""
        self._data = data
        self._known = _listed(data)
        self._above = [] if self._known.get(data) else [data.parent, data.parent.parent]
        # A disk takes several at once in a fraction of the time that it takes one after the other.
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fsync")

    def sync(self) -> None:
        """Return when they are on the disk, and the folders that name them. Raises OSError."""
        there = _listed(self._data)
        grown = {folder: new for folder, names in there.items() if (new := names - self._known.get(folder, set()))}
        self._all(folder / name for folder, names in grown.items() for name in names if folder / name not in there)
        self._all([*grown, *self._above])
        self._known, self._above = there, []

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _all(self, paths: Iterable[Path]) -> None:
        for _ in self._pool.map(_sync, paths):
            pass


def _listed(data: Path) -> dict[Path, set[str]]:
    """Names by folder."""
    listed: dict[Path, set[str]] = {}
    level = [data]
    for below in range(_LEVELS, 0, -1):
        # Not with Path, which would be made for each of thousands of files.
        names = {folder: set(os.listdir(folder)) for folder in level if folder.is_dir()}  # noqa: PTH208
        listed |= names
        level = [folder / name for folder, inside in names.items() for name in inside] if below > 1 else []
    return listed


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # another writer's, which has taken it back
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot be asked for that.
        if error.errno not in _NOT_OF_FOLDERS or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
