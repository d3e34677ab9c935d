"""Where the lake is, and how to open it: a DuckDB connection with the DuckLake catalogue attached as `lake`.

Rules: extensions come from the installed wheels and are never downloaded, and none can be loaded once the lake is
open but such as DuckDB's makers signed; only those a catalogue needs are loaded; the session's time zone is UTC;
nothing is written into the catalogue as text but by DuckLake's own statements, so its inlining of small
inserts is off (it breaks on NUL). The SQLite catalogue runs in write-ahead mode: with a rollback journal
two polling readers held a commit up for 9 s, with a write-ahead log for 0.5 s.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb

from schemas.errors import SinkError
from sinks.lake.catalog_copy import copy_of
from sinks.lake.failures import NoLakeError, no_right_to_write, sink_error
from sinks.lake.quoting import literal

LAKE = "lake"
"""Name under which the lake is attached."""

BUSY_MS = 5_000
"""How long SQLite itself waits for a lock before it says "database is locked"."""

CONNECT_S = 5
"""How long to wait for PostgreSQL to accept a connection."""

DUCKLAKE = "ducklake"
SQLITE = "sqlite_scanner"
POSTGRES = "postgres_scanner"

Config = Mapping[str, str | int]
"""Settings of DuckDB by name."""


@dataclass(frozen=True, slots=True)
class LakeLocation:
    """Place of one lake.

    `folder` holds the data files under `data/`. `catalog` is None for the SQLite file `catalog.sqlite` in the
    folder, the path of another SQLite file, or a PostgreSQL URL (`postgresql://user:password@host:port/name`).
    A SQLite catalogue must be on a local disk and has one writing process, which must not also open it with
    Python's `sqlite3` (two SQLite libraries in a process do not see each other's locks); PostgreSQL takes many.
    """

    folder: Path
    catalog: str | None = field(default=None, repr=False)

    @property
    def postgres(self) -> bool:
        """Whether the catalogue is a PostgreSQL database."""
        return self.catalog is not None and self.catalog.startswith(("postgresql://", "postgres://"))

    @property
    def data(self) -> Path:
        """Folder of the Parquet files."""
        return self.folder.absolute() / "data"

    @property
    def sqlite(self) -> Path:
        """File of the SQLite catalogue."""
        return (self.folder / "catalog.sqlite" if self.catalog is None else Path(self.catalog)).absolute()

    @property
    def secret(self) -> str:
        """Password in the catalogue's URL, or "": for redaction only."""
        return unquote(urlsplit(self.catalog or "").password or "") if self.postgres else ""

    def __str__(self) -> str:
        if not self.postgres:
            return str(self.sqlite)
        url = urlsplit(self.catalog or "")
        return f"postgresql://{url.hostname or ''}:{url.port or 5432}{url.path}"


def connect(
    location: LakeLocation, *, read_only: bool, config: Config = MappingProxyType({})
) -> duckdb.DuckDBPyConnection:
    """Open the lake; DuckDB connection in UTC with the catalogue attached as `lake` and in use.

    With `read_only` nothing can be written and a missing lake is an error; otherwise it is made. `config` holds
    DuckDB's settings from the start, `threads` and the like. Raises SinkError with the fix: lake missing, folder not
    writable, catalogue locked, made by a newer version or out of reach, extension missing.
    """
    _check_place(location, read_only=read_only)
    # One thread to begin with: a catalogue is read by many small queries, which cost twice as much on two.
    connection = _session((DUCKLAKE, POSTGRES if location.postgres else SQLITE), {"threads": 1, **config})
    try:
        _attach(connection, location, read_only=read_only)
        connection.execute(f"USE {LAKE}" if "threads" in config else f"USE {LAKE}; RESET threads")
    except duckdb.Error as error:
        connection.close()
        raise sink_error(error, place=str(location), secret=location.secret) from error
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, location: LakeLocation, *, read_only: bool) -> None:
    if location.postgres:
        connection.execute(_attach_postgres(connection, location, read_only=read_only))
        return
    try:
        connection.execute(_attach_sqlite(location, location.sqlite, read_only=read_only))
    except duckdb.Error as error:
        if not (read_only and no_right_to_write(error) and os.access(location.sqlite, os.R_OK)):
            raise
        copy = copy_of(location.sqlite)
        weakref.finalize(connection, shutil.rmtree, copy.parent, ignore_errors=True)
        connection.execute(_attach_sqlite(location, copy, read_only=True))


def _check_place(location: LakeLocation, *, read_only: bool) -> None:
    if read_only:
        try:
            # A start that was killed at once leaves an empty file.
            there = location.postgres or (location.sqlite.is_file() and location.sqlite.stat().st_size)
        except OSError as error:
            raise sink_error(error, place=str(location)) from error
        if not there:
            raise NoLakeError(str(location))
        return
    try:
        location.data.mkdir(parents=True, exist_ok=True)
        folders = {location.data} if location.postgres else {location.data, location.sqlite.parent}
        for folder in folders:
            tempfile.TemporaryFile(dir=folder).close()
    except (FileExistsError, NotADirectoryError) as error:
        raise SinkError(
            f"the lake folder {location.folder.absolute()} cannot be made: {error.filename} is not a folder",
            fix="move the file that is in its place, or set another lake folder",
        ) from error
    except OSError as error:
        raise SinkError(
            f"the lake folder {location.folder.absolute()} is not writable: {error.strerror}",
            fix=f"give user {os.geteuid()} write permission on it, free space, or set another lake folder",
        ) from error


def _session(extensions: Iterable[str], config: Config) -> duckdb.DuckDBPyConnection:
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    # Unsigned while our own are loaded: hashing them takes .15 s of CPU each, and they are as trustworthy as DuckDB
    # and all else in the environment they are installed in, which nobody hashes either.
    connection = duckdb.connect(config={**config, **offline, "allow_unsigned_extensions": "true"})
    for name in extensions:
        connection.execute(f"LOAD {literal(str(_extension_file(name)))}")
    connection.execute(
        "SET allow_unsigned_extensions = false; SET TimeZone = 'UTC';"
        f" SET temp_directory = {literal(tempfile.gettempdir())}"
    )
    return connection


def _extension_file(name: str) -> Path:
    """Extension binary in the installed wheel, made for the running DuckDB."""
    package = f"duckdb_extension_{name}"
    wheel = f"duckdb-extension-{name.replace('_', '-')}"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SinkError(
            f"DuckDB extension {name} is not installed",
            fix=f"install {wheel}=={duckdb.__version__} (`make setup` does it); nothing is downloaded at run time",
        )
    file = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not file.is_file():
        raise SinkError(
            f"DuckDB is {duckdb.__version__}, but {wheel} is {version(wheel)}",
            fix="install the same version of both (`make setup` does it)",
        )
    return file


def _attach_sqlite(location: LakeLocation, file: Path, *, read_only: bool) -> str:
    options = (
        *_data_options(location),
        # File names are stored relative to the data path, so a lake folder may be moved or copied whole.
        "OVERRIDE_DATA_PATH true",
        f"META_BUSY_TIMEOUT {BUSY_MS}",
        "READ_ONLY" if read_only else "META_JOURNAL_MODE 'WAL'",
    )
    return f"ATTACH {literal(f'ducklake:sqlite:{file}')} AS {LAKE} ({', '.join(options)})"


def _attach_postgres(connection: duckdb.DuckDBPyConnection, location: LakeLocation, *, read_only: bool) -> str:
    uri = "ducklake:postgres:" + _postgres_secret(connection, location)
    options = (
        *_data_options(location),
        "META_SECRET 'takt_catalog'",
        *(["READ_ONLY"] if read_only else []),
    )
    return f"ATTACH {literal(uri)} AS {LAKE} ({', '.join(options)})"


def _data_options(location: LakeLocation) -> tuple[str, str]:
    return f"DATA_PATH {literal(f'{location.data}/')}", "DATA_INLINING_ROW_LIMIT 0"


def _postgres_secret(connection: duckdb.DuckDBPyConnection, location: LakeLocation) -> str:
    """Put the credentials where `duckdb_databases()` does not show them; the rest of the connection string."""
    url = urlsplit(location.catalog or "")
    parts = {
        "HOST": url.hostname or "",
        "PORT": str(url.port or 5432),
        "DATABASE": unquote(url.path.removeprefix("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": location.secret,
    }
    given = ", ".join(f"{key} {literal(value)}" for key, value in parts.items() if value)
    connection.execute(f"CREATE SECRET takt_catalog (TYPE postgres, {given})")
    extra = {"connect_timeout": str(CONNECT_S), **dict(parse_qsl(url.query))}
    return " ".join(f"{key}={value}" for key, value in extra.items())
