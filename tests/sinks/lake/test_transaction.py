"""Bounded retry when the catalogue is locked."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.transaction import Transactions

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
database.rollback()
"""


@contextmanager
def locked(catalog: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the catalogue's write lock in another process, until its input is closed."""
    command = [sys.executable, "-c", HOLD, str(catalog)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield holder
        holder.communicate()


@pytest.fixture
def lake(sqlite_location: LakeLocation) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(sqlite_location, read_only=False)
    connection.execute("CREATE TABLE numbers (n BIGINT)")
    yield connection
    connection.close()


@pytest.mark.slow
def test_locked_catalogue_is_an_error_in_the_end(
    lake: duckdb.DuckDBPyConnection, sqlite_location: LakeLocation
) -> None:
    """A lock that stays ends in an error with the fix; nothing of the transaction is in the lake."""
    transactions = Transactions(lake, sqlite_location, patience_s=0.1)
    with locked(sqlite_location.sqlite), pytest.raises(SinkError, match="locked by another process"):
        transactions.run(lambda: lake.execute("INSERT INTO numbers VALUES (1)"))
    assert lake.execute("SELECT * FROM numbers").fetchall() == []
    transactions.run(lambda: lake.execute("INSERT INTO numbers VALUES (2)"))
    assert lake.execute("SELECT * FROM numbers").fetchall() == [(2,)]


@pytest.mark.slow
def test_lock_that_goes_is_waited_for(lake: duckdb.DuckDBPyConnection, sqlite_location: LakeLocation) -> None:
    """A lock that goes only costs time: the row is there once, and the retry is counted."""
    transactions = Transactions(lake, sqlite_location)
    tried = threading.Event()

    def insert() -> None:
        lake.execute("INSERT INTO numbers VALUES (1)")
        if transactions.retries:
            tried.set()

    with locked(sqlite_location.sqlite) as holder:
        release = threading.Thread(target=lambda: (tried.wait(60), holder.communicate()))
        release.start()
        transactions.run(insert)
        release.join()
    assert transactions.retries >= 1
    assert lake.execute("SELECT * FROM numbers").fetchall() == [(1,)]


def test_other_errors_are_not_retried(lake: duckdb.DuckDBPyConnection, sqlite_location: LakeLocation) -> None:
    """An error that will not go away by itself is raised at once, with nothing half done."""
    transactions = Transactions(lake, sqlite_location)

    def body() -> None:
        lake.execute("INSERT INTO numbers VALUES (1)")
        lake.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(SinkError, match="nowhere"):
        transactions.run(body)
    assert transactions.retries == 0
    assert lake.execute("SELECT * FROM numbers").fetchall() == []
