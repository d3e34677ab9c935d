"""Opening the lake, and every way in which that goes wrong."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from schemas.errors import SinkError
from sinks.lake import catalog
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.failures import NoLakeError
from sinks.lake.writer import LakeWriter

from .conftest import CATALOGUES
from .frames import rows_of

THREADS = duckdb.sql("SELECT current_setting('threads')").fetchall()[0][0]
"""Of a DuckDB that was told nothing."""

OPEN_AS_NOBODY = """
import importlib.readers, os, pathlib, sys, pytz
import sinks.lake.writer
from sinks.lake.catalog import LakeLocation, connect
from schemas.errors import SinkError
location, reached = (LakeLocation(pathlib.Path(folder)) for folder in sys.argv[1:])
connect(reached, read_only=False).close()  # loads what the user may not reach
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for read_only in (False, True):
    try:
        print(connect(location, read_only=read_only).execute("SELECT count(*) FROM signal").fetchall())
    except SinkError as error:
        print(error)
"""


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="takt-public-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def write_signals(location: LakeLocation, count: int = 2) -> None:
    writer = LakeWriter(location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    writer.append("signal", rows_of("signal", count))
    writer.commit()
    writer.close()


def test_session_is_in_utc_and_offline(location: LakeLocation) -> None:
    """Times are shown in UTC whatever the machine's zone, and nothing can be downloaded by itself."""
    lake = connect(location, read_only=True)
    assert lake.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
    assert lake.execute("SELECT current_setting('autoinstall_known_extensions')").fetchone() == (False,)
    lake.close()


@pytest.mark.parametrize(("given", "found"), [({}, THREADS), ({"threads": THREADS + 1}, THREADS + 1)])
def test_queries_have_all_threads_or_those_given(
    sqlite_location: LakeLocation, given: dict[str, int], found: int
) -> None:
    """That the catalogue is read by one thread does not slow queries down."""
    lake = connect(sqlite_location, read_only=True, config=given)
    assert lake.execute("SELECT current_setting('threads')").fetchone() == (found,)
    lake.close()


def test_only_what_the_catalogue_needs_is_loaded(sqlite_location: LakeLocation) -> None:
    """A lake on SQLite loads nothing for PostgreSQL: loading takes a tenth of a second."""
    lake = connect(sqlite_location, read_only=True)
    loaded = lake.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()
    assert ("sqlite_scanner",) in loaded
    assert ("postgres_scanner",) not in loaded
    lake.close()


@pytest.mark.slow
def test_an_open_lake_loads_nothing_unsigned(sqlite_location: LakeLocation, tmp_path: Path) -> None:
    """Whoever queries an open lake cannot load an extension of their own, nor allow it."""
    lake = connect(sqlite_location, read_only=True)
    forged = tmp_path / "postgres_scanner.duckdb_extension"
    signed = catalog._extension_file("postgres_scanner").read_bytes()
    forged.write_bytes(signed[:-256] + bytes(256))  # the signature is at the end
    with pytest.raises(duckdb.IOException, match="signature is either missing or invalid"):
        lake.execute(f"LOAD '{forged}'")
    with pytest.raises(duckdb.InvalidInputException, match="while database is running"):
        lake.execute("SET allow_unsigned_extensions = true")
    lake.close()


def test_read_only_refuses_writes(location: LakeLocation) -> None:
    """A read-only connection cannot change the lake."""
    lake = connect(location, read_only=True)
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        lake.execute("DELETE FROM internal.signal")
    lake.close()


@pytest.mark.parametrize("kind", CATALOGUES)
def test_missing_lake(nowhere: Callable[[str], LakeLocation], kind: str) -> None:
    """Reading a lake that is not there says how to get one, and makes nothing."""
    location = nowhere(kind)
    with pytest.raises(NoLakeError, match="there is no lake at") as caught:
        connect(location, read_only=True)
    assert "takt demo" in caught.value.fix
    assert not location.folder.exists()


def test_lake_folder_can_be_moved(sqlite_location: LakeLocation, tmp_path: Path) -> None:
    """A lake with a SQLite catalogue works after its folder was moved."""
    write_signals(sqlite_location)
    moved = sqlite_location.folder.rename(tmp_path / "elsewhere")
    lake = connect(LakeLocation(moved), read_only=True)
    assert lake.execute("SELECT count(DISTINCT subject) FROM signal").fetchone() == (2,)
    lake.close()


def test_folder_is_a_file(tmp_path: Path) -> None:
    """A file in the place of the lake folder, or of one above it, is named, and no rights are blamed."""
    place = tmp_path / "lake"
    place.write_text("")
    for folder in (place, place / "below"):
        with pytest.raises(SinkError, match=f"lake folder {folder} cannot be made: {place}.* is not a folder"):
            connect(LakeLocation(folder), read_only=False)


@pytest.mark.slow
def test_no_right_to_write(made_lake: LakeLocation, public_folder: Path, tmp_path: Path) -> None:
    """A user without rights on the folder is told so; reading needs no right to write."""
    location = LakeLocation(public_folder / "lake")
    shutil.copytree(made_lake.folder, location.folder)
    write_signals(location)
    if os.geteuid() != 0:
        for path in (location.folder, location.data):
            path.chmod(0o555)
    command = [sys.executable, "-c", OPEN_AS_NOBODY, location.folder, tmp_path / "reached"]
    refused, fix, found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "is not writable: Permission denied" in refused
    assert "fix: give user" in fix
    assert found == "[(2,)]"


def test_newer_ducklake(sqlite_location: LakeLocation) -> None:
    """A catalogue in a newer format is refused, not migrated."""
    with sqlite3.connect(sqlite_location.sqlite) as database:
        database.execute("UPDATE ducklake_metadata SET value = '99.0' WHERE key = 'version'")
    database.close()
    with pytest.raises(SinkError, match="another version of DuckLake"):
        connect(sqlite_location, read_only=True)


def test_not_a_catalogue(sqlite_location: LakeLocation) -> None:
    """A file that is no database is named as such."""
    sqlite_location.sqlite.write_text("no database, but text that is long enough to look at" * 50)
    with pytest.raises(SinkError, match="damaged or not a catalogue"):
        connect(sqlite_location, read_only=True)


def test_missing_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extension wheel is named with the version to install."""
    monkeypatch.setattr(catalog, "SQLITE", "no_such")
    with pytest.raises(SinkError, match=f"install duckdb-extension-no-such=={duckdb.__version__}"):
        connect(LakeLocation(tmp_path / "lake"), read_only=False)


def test_other_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extensions made for another DuckDB are refused with both versions."""
    monkeypatch.setattr(duckdb, "__version__", "0.0.1")
    with pytest.raises(SinkError, match=r"DuckDB is 0\.0\.1, but duckdb-extension-ducklake is 1"):
        connect(LakeLocation(tmp_path / "lake"), read_only=False)


def test_postgres_out_of_reach(tmp_path: Path) -> None:
    """A server that is not there is an error without the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    location = LakeLocation(tmp_path, f"postgresql://takt:hidden-word@127.0.0.1:{port}/lake")
    with pytest.raises(SinkError, match="out of reach") as caught:
        connect(location, read_only=False)
    assert "hidden-word" not in str(caught.value)
    assert f"127.0.0.1:{port}/lake" in str(caught.value)


@pytest.mark.slow
def test_wrong_password(postgres_location: LakeLocation, tmp_path: Path) -> None:
    """A refused password is reported and not shown."""
    url = (postgres_location.catalog or "").replace(postgres_location.secret, "wr%40ng-word")
    with pytest.raises(SinkError, match="password authentication failed") as caught:
        connect(LakeLocation(tmp_path, url), read_only=False)
    assert "ng-word" not in str(caught.value)


@pytest.mark.slow
def test_password_stays_hidden(postgres_location: LakeLocation) -> None:
    """The password is in no repr, and no query on an open lake shows it."""
    write_signals(postgres_location)
    assert postgres_location.secret
    assert postgres_location.secret not in f"{postgres_location} {postgres_location!r}"
    lake = connect(postgres_location, read_only=True)
    shown = [lake.execute(f"FROM {source}()").fetchall() for source in ("duckdb_databases", "duckdb_secrets")]
    lake.close()
    assert postgres_location.secret not in repr(shown)


@pytest.mark.slow
def test_catalogue_of_another_folder(postgres_location: LakeLocation, tmp_path: Path) -> None:
    """A PostgreSQL catalogue is bound to the folder it was made with."""
    write_signals(postgres_location)
    with pytest.raises(SinkError, match="belongs to a lake in another folder"):
        connect(LakeLocation(tmp_path / "other", postgres_location.catalog), read_only=False)
