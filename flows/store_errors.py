"""What the system and the engine say when stored state cannot be written, as errors with a fix."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schemas.errors import RecoveryError

_FULL: Final = ("disk is full", "extended_code: 4874")
"""The latter is SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log."""


def store_error(error: BaseException, folder: Path) -> RecoveryError | None:
    """What an error of the engine says of its store, in `folder`; None where it is of something else.

    >>> print(store_error(RuntimeError('panicked: SqliteFailure(.., Some("database or disk is full"))'), Path("state")))
    the disk of the recovery folder state is full; what was committed is intact
      fix: free space and start again: the run goes on after its last commit
    """
    said = str(error)
    if "SqliteFailure" not in said:
        return None
    return full(folder) if any(words in said for words in _FULL) else _unwritable(folder, said)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise RecoveryError where something cannot be written in the recovery folder."""
    try:
        yield
    except OSError as error:
        no_room = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise (full(folder) if no_room else _unwritable(folder, str(error))) from error
    except BaseException as error:  # the engine's panics are no exceptions
        told = store_error(error, folder)
        if told is None:
            raise
        raise told from error


def full(folder: Path) -> RecoveryError:
    """The disk of the recovery folder is full."""
    return RecoveryError(
        f"the disk of the recovery folder {folder} is full; what was committed is intact",
        fix="free space and start again: the run goes on after its last commit",
    )


def _unwritable(folder: Path, why: str) -> RecoveryError:
    return RecoveryError(
        f"the state in {folder} cannot be written: {why}",
        fix="see that the folder is there, with the rights of the user of the flow, and that its disk is well; then"
        " start again: the run goes on after its last commit",
    )
