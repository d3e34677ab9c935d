"""Reading a SQLite catalogue without the right to write beside it.

A catalogue in write-ahead mode can only be opened where its `-shm` file exists or can be made. While a flow
runs it exists; afterwards a user who may not write there is locked out, so such a user reads a private copy.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from schemas.errors import SinkError

ATTEMPTS = 5


def copy_of(catalog: Path) -> Path:
    """Copy of the catalogue, with what its write-ahead log holds, as it stood at one moment.

    In a new temporary folder, which the caller deletes. Raises SinkError if a writer keeps changing it.
    """
    folder = Path(tempfile.mkdtemp(prefix="takt-catalog-"))
    parts = [catalog, catalog.with_name(f"{catalog.name}-wal")]
    for _ in range(ATTEMPTS):
        before = [_stamp(part) for part in parts]
        for part in parts:
            (folder / part.name).unlink(missing_ok=True)
            if part.exists():
                shutil.copyfile(part, folder / part.name)
        if [_stamp(part) for part in parts] == before:
            return folder / catalog.name
    shutil.rmtree(folder)
    raise SinkError(f"the catalogue {catalog} is being written", fix="try again: it can now be read in place")


def _stamp(file: Path) -> tuple[int, int] | None:
    if not file.exists():
        return None
    status = file.stat()
    return status.st_mtime_ns, status.st_size
