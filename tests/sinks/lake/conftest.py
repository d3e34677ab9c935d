"""Lakes for tests: on SQLite, and on a private PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.tables import ensure_schema
from sinks.lake.transaction import Transactions
from sinks.lake.writer import SESSION

from .frames import START

CATALOGUES = ("sqlite", pytest.param("postgres", marks=pytest.mark.slow))
"""To start a server takes seconds, so the fast part has SQLite only."""

PASSWORD = "s3cret-of-the-lake"  # noqa: S105


def _programs() -> Path | None:
    """Folder of PostgreSQL's programs; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path:
        found = [Path(on_path).resolve()]
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL, without a database name, of a private server that asks for a password."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and its user cannot look into pytest's own folder.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="takt-postgres-"))
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["-D", str(folder / "data")]
    setup = ["-U", "takt", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    run(programs / "initdb", *where, *setup)
    run(programs / "pg_ctl", *where, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://takt:{PASSWORD}@127.0.0.1:{port}"
    finally:
        run(programs / "pg_ctl", *where, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def nowhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LakeLocation]:
    """Gives places for lakes on "sqlite" or "postgres" where nothing is yet."""

    def place(kind: str) -> LakeLocation:
        folder = tmp_path_factory.mktemp("new") / "lake"
        if kind == "sqlite":
            return LakeLocation(folder)
        postgres, name = request.getfixturevalue("postgres"), f"lake_{uuid4().hex}"
        _sql(postgres, f"CREATE DATABASE {name}")
        return LakeLocation(folder, f"{postgres}/{name}")

    return place


@pytest.fixture(scope="session")
def made_lake(nowhere: Callable[[str], LakeLocation]) -> LakeLocation:
    """Lake on SQLite with all tables and views and no row, to be copied: to make one takes half a second."""
    return _make(nowhere("sqlite"))


@pytest.fixture(scope="session")
def made_postgres_lake(nowhere: Callable[[str], LakeLocation]) -> LakeLocation:
    """As `made_lake`, on PostgreSQL."""
    return _make(nowhere("postgres"))


@pytest.fixture
def postgres_location(made_postgres_lake: LakeLocation, postgres: str, tmp_path: Path) -> LakeLocation:
    """Lake without rows, with a PostgreSQL catalogue."""
    name = f"lake_{uuid4().hex}"
    location = LakeLocation(tmp_path / "lake", f"{postgres}/{name}")
    shutil.copytree(made_postgres_lake.folder, location.folder)
    _sql(postgres, f"CREATE DATABASE {name} TEMPLATE {str(made_postgres_lake).rpartition('/')[2]}")
    _sql(postgres, f"UPDATE ducklake_metadata SET value = '{location.data}/' WHERE key = 'data_path'", name)
    return location


@pytest.fixture
def sqlite_location(made_lake: LakeLocation, tmp_path: Path) -> LakeLocation:
    """Lake without rows, with a SQLite catalogue."""
    shutil.copytree(made_lake.folder, tmp_path / "lake")
    return LakeLocation(tmp_path / "lake")


@pytest.fixture(params=CATALOGUES)
def location(request: pytest.FixtureRequest) -> LakeLocation:
    """Lake without rows, once on each kind of catalogue."""
    made = request.getfixturevalue(f"{request.param}_location")
    assert isinstance(made, LakeLocation)
    return made


def _make(location: LakeLocation) -> LakeLocation:
    with closing(connect(location, read_only=False, config=SESSION)) as lake:
        Transactions(lake, location).run(lambda: ensure_schema(lake, now=START))
    return location


def _sql(postgres: str, statement: str, database: str = "postgres") -> None:
    programs = _programs()
    assert programs is not None
    subprocess.run([programs / "psql", "-qX", f"{postgres}/{database}", "-c", statement], check=True)
