"""What was replayed: how often each message had failed when it was last given to its source again.

The lake counts every failure of a message (`quarantine_attempts`). A message that has not failed once more since its
last replay has passed, or is still on its way: giving it again would only make a duplicate, or a second row in `late`.

One text file per source in the lake's folder, a line per replayed message: SHA-256 of its bytes, attempts so far. The
last line of a message counts.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from schemas.errors import SinkError


class Ledger:
    """Replays of one source."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        file.seek(0)
        # A line that a full disk cut short is no replay, and the next one must not go on in it.
        whole = file.read().rpartition("\n")[0]
        file.truncate(len(whole) + 1 if whole else 0)
        lines = (line.split() for line in whole.splitlines())
        self._attempts = {digest: int(attempts) for digest, attempts in lines}

    def waits(self, raw: bytes, attempts: int) -> bool:
        """Whether a message that has failed `attempts` times was not replayed since the last of them."""
        return self._attempts.get(_digest(raw), 0) < attempts

    def note(self, replayed: Iterable[tuple[bytes, int]]) -> None:
        """Take note of messages that were given to their source, with their attempts so far."""
        self._file.seek(0, 2)
        self._file.writelines(f"{_digest(raw)} {attempts}\n" for raw, attempts in replayed)
        self._file.flush()


@contextmanager
def opened(folder: Path, source: str) -> Iterator[Ledger]:
    """The ledger of a source in a lake's folder, for one replay at a time.

    Raises SinkError when it cannot be written or another replay of the source is under way.
    """
    with _file(folder / "replays" / f"{source}.txt") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SinkError(
                f"source {source!r} is being replayed by another process", fix="wait for its end"
            ) from error
        yield Ledger(file)


def _file(path: Path) -> TextIO:
    try:
        path.parent.mkdir(exist_ok=True)
        return path.open("a+", encoding="ascii")
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror}", fix="check the lake's folder and its rights"
        ) from error


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
