"""Compaction: many small files become few, old snapshots go, and files nobody can need are deleted.

Each commit writes a small Parquet file per table. Merging them loses nothing: rows keep their hidden
columns, so the undo on resume, which deletes rows and needs no snapshot, works as before. Snapshots younger
than `keep` stay for time travel; the `*_as_of` macros need none.

A replaced file is deleted only once it has been out of use for `grace`, for a reader may still be in the
middle of a query on it; so it goes in a later compaction. DuckLake's own `older_than` is not used: with a
SQLite catalogue it compares times as text and takes everything of the same day for older.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.locks import MAINTENANCE, WriterLock, running_writers
from sinks.lake.quoting import literal
from sinks.lake.transaction import Transactions

KEEP = timedelta(hours=1)
"""Age up to which snapshots stay for time travel."""

GRACE = timedelta(minutes=10)
"""How long a replaced file stays for readers that are in the middle of a query."""

ORPHAN_AGE = timedelta(days=1)
"""Age from which a file that no commit knows cannot belong to a commit under way: a killed writer left it."""


@dataclass(frozen=True, slots=True)
class LakeFigures:
    """Size of a lake: Parquet files in use, their bytes, snapshots, replaced files waiting for deletion."""

    files: int
    bytes: int
    snapshots: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Compaction:
    """Figures before and after, and how many files were deleted from disk."""

    before: LakeFigures
    after: LakeFigures
    deleted: int


def compact(location: LakeLocation, *, now: datetime, keep: timedelta = KEEP, grace: timedelta = GRACE) -> Compaction:
    """Compact the lake of no running flow, or any lake with a PostgreSQL catalogue.

    A SQLite catalogue takes one writer, so while a flow runs only that flow may compact it (it does, see
    `LakeSink`): then, or when the lake is missing or locked, SinkError.
    """
    connect(location, read_only=True).close()
    with WriterLock(location.folder, MAINTENANCE):
        writers = {name: pid for name, pid in running_writers(location.folder).items() if name != MAINTENANCE}
        if writers and not location.postgres:
            name, pid = next(iter(writers.items()))
            raise SinkError(
                f"the lake {location} is being written by {name} (process {pid})",
                fix="let it be: a running flow compacts its own lake; or stop it first",
            )
        with (
            closing(connect(location, read_only=False)) as connection,
            closing(Transactions(connection, location)) as transactions,
        ):
            return compact_open(connection, transactions, now=now, keep=keep, grace=grace)


def compact_open(
    connection: duckdb.DuckDBPyConnection,
    transactions: Transactions,
    *,
    now: datetime,
    keep: timedelta = KEEP,
    grace: timedelta = GRACE,
) -> Compaction:
    """Compact through an open connection, between two commits of its writer."""
    before = figures(connection)
    deleted = _delete_replaced(connection, transactions, now - grace)
    transactions.run(lambda: connection.execute("CALL ducklake_rewrite_data_files('lake')").fetchall())
    transactions.run(lambda: connection.execute("CALL ducklake_merge_adjacent_files('lake')").fetchall())
    transactions.run(lambda: _expire(connection, now - keep))
    deleted += _delete_replaced(connection, transactions, now - grace)
    deleted += delete_orphans(connection, transactions, until=now - ORPHAN_AGE)
    return Compaction(before, figures(connection), deleted)


def delete_orphans(
    connection: duckdb.DuckDBPyConnection, transactions: Transactions, *, until: datetime | None = None
) -> int:
    """Delete files that no commit knows, all or those last written before `until`; how many.

    Without `until` only where nobody else writes: a commit under way has such files.
    """
    which = "cleanup_all => true" if until is None else f"older_than => {literal(until)}"
    gone: list[object] = []
    transactions.run(
        lambda: gone.extend(connection.execute(f"CALL ducklake_delete_orphaned_files('lake', {which})").fetchall())
    )
    return len(gone)


def figures(connection: duckdb.DuckDBPyConnection) -> LakeFigures:
    """Size of the lake now."""
    row = connection.execute(
        "SELECT (SELECT coalesce(sum(file_count), 0) FROM ducklake_table_info('lake')),"
        " (SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_table_info('lake')),"
        " (SELECT count(*) FROM ducklake_snapshots('lake')),"
        " (SELECT count(*) FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion)"
    ).fetchone()
    if row is None:
        raise AssertionError("an aggregate without rows")
    return LakeFigures(*(int(value) for value in row))


def _expire(connection: duckdb.DuckDBPyConnection, until: datetime) -> None:
    old = connection.execute(
        f"SELECT snapshot_id FROM ducklake_snapshots('lake') WHERE snapshot_time < {literal(until)}"
        " AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots('lake'))"
    ).fetchall()
    if old:
        versions = ", ".join(str(row[0]) for row in old)
        connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{versions}])").fetchall()


def _delete_replaced(connection: duckdb.DuckDBPyConnection, transactions: Transactions, until: datetime) -> int:
    """Delete replaced files from disk if all of them have been out of use since `until`; how many."""
    row = connection.execute(
        f"SELECT max(CAST(schedule_start AS TIMESTAMP WITH TIME ZONE)) < {literal(until)}, count(*)"
        " FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion"
    ).fetchone()
    if row is None or not row[0]:
        return 0
    transactions.run(
        lambda: connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)").fetchall()
    )
    return int(row[1])
