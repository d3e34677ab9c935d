"""Lakes for tests: on SQLite, and on a private PostgreSQL where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.lake.catalog import LakeLocation

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


@pytest.fixture
def postgres_location(postgres: str, tmp_path: Path) -> LakeLocation:
    """New lake with a PostgreSQL catalogue."""
    name = f"lake_{uuid4().hex}"
    programs = _programs()
    assert programs is not None
    subprocess.run([programs / "psql", "-q", f"{postgres}/postgres", "-c", f"CREATE DATABASE {name}"], check=True)
    return LakeLocation(tmp_path / "lake", f"{postgres}/{name}")


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> LakeLocation:
    """New lake, once on each kind of catalogue."""
    if request.param == "sqlite":
        return LakeLocation(tmp_path / "lake")
    made = request.getfixturevalue("postgres_location")
    assert isinstance(made, LakeLocation)
    return made


@pytest.fixture
def sqlite_location(tmp_path: Path) -> LakeLocation:
    """New lake with a SQLite catalogue."""
    return LakeLocation(tmp_path / "lake")
