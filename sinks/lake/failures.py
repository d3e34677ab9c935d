"""What DuckDB, DuckLake, SQLite and PostgreSQL say when something is wrong, turned into errors with a fix.

DuckDB's exception types do not tell these cases apart, so the words of the message decide.
"""

from __future__ import annotations

import duckdb

from schemas.errors import SinkError

_RETRIABLE = (
    "database is locked",
    "database table is locked",
    "transaction conflict",
    "could not serialize access",
    "deadlock detected",
    "exceeded the maximum retry count",
)

_NO_RIGHT = ("readonly database", "read-only file system", "permission denied", "unable to open database file")

_CASES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("database is locked", "database table is locked"),
        "the catalogue of the lake is locked by another process",
        "stop the other writer or maintenance run; several writers need a PostgreSQL catalogue",
    ),
    (
        ("no space left", "disk is full", "file too large", "out of disk", "disk quota"),
        "the disk of the lake is full; what was committed is intact",
        "free space and start again: the run goes on after its last commit",
    ),
    (
        _NO_RIGHT,
        "the lake cannot be opened or written with the rights of this user",
        "give this user read and write permission on the lake folder and its catalogue",
    ),
    (
        ("unable to connect to postgres", "connection to server", "terminating connection"),
        "the PostgreSQL catalogue of the lake is out of reach",
        "check host, port, database, user and password of the catalogue URL, and that the server runs",
    ),
    (
        ("does not match existing data path",),
        "the catalogue belongs to a lake in another folder",
        "set the lake folder the catalogue was made with, or give this lake a catalogue database of its own",
    ),
    (
        ("ducklake version", "ducklake catalog version", "unsupported ducklake"),
        "the lake was written by another version of DuckLake",
        "use the version of Takt that wrote it, or newer",
    ),
    (
        ("file is not a database", "malformed"),
        "the catalogue of the lake is damaged or not a catalogue",
        "restore it from a backup, or set another lake folder",
    ),
)


class NoLakeError(SinkError):
    """There is no lake to be read, or not yet."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"there is no lake at {place}",
            fix="make one with `takt demo` or `takt run`, or set lake.folder to that of an existing one",
        )


def retriable(error: Exception) -> bool:
    """Whether the same transaction may succeed when tried again: a lock or a conflict, nothing committed."""
    words = str(error).lower()
    return any(part in words for part in _RETRIABLE)


def no_right_to_write(error: duckdb.Error) -> bool:
    """Whether a file could not be opened or written with the rights of this user."""
    words = str(error).lower()
    return any(part in words for part in _NO_RIGHT)


def sink_error(error: Exception, *, place: str, secret: str = "") -> SinkError:
    """SinkError that names the place, the cause and the fix; `secret` never appears in it."""
    said = str(error)
    if secret:
        said = said.replace(secret, "***")
    words = said.lower()
    if "creating a new ducklake is explicitly disabled" in words:
        return NoLakeError(place)
    for parts, what, fix in _CASES:
        if any(part in words for part in parts):
            return SinkError(f"{what} ({place}): {said}", fix=fix)
    return SinkError(f"the lake at {place} refused a statement: {said}", fix="`takt doctor` checks the lake")
