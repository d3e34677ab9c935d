"""A disk that fills up: a clear error, and everything committed before is intact."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.writer import LakeWriter

from .frames import rows_of

pytestmark = pytest.mark.slow

LIMITED = """
import resource, sys, pathlib
sys.path.insert(0, sys.argv[2])
from tests.sinks.lake.frames import rows_of
from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation
from sinks.lake.writer import LakeWriter
writer = LakeWriter(LakeLocation(pathlib.Path(sys.argv[1])), "run-1", "throughput", "lake-0")
writer.resume(None)
writer.append("signal", rows_of("signal", 10))
writer.commit()
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
writer.append("late", rows_of("late", 5_000))
try:
    writer.commit()
except SinkError as error:
    print(error)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_full_disk(small_disk: Path) -> None:
    """The commit that fills the disk fails with the fix; the rows before it can be read, and written on."""
    location = LakeLocation(small_disk / "lake")
    writer = LakeWriter(location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    writer.append("signal", rows_of("signal", 10))
    token = writer.commit()
    noise = pl.Series("raw", [random.Random(n).randbytes(2_000) for n in range(2_000)])
    writer.append("late", rows_of("late", 2_000).with_columns(noise))  # 4 MB, however they are packed
    with pytest.raises(SinkError, match="disk of the lake is full") as caught:
        writer.commit()
    assert "free space" in caught.value.fix
    writer.close()
    lake = connect(location, read_only=True)
    assert lake.execute("SELECT count(*) FROM signal").fetchone() == (10,)
    assert lake.execute("SELECT count(*) FROM late").fetchone() == (0,)
    lake.close()
    again = LakeWriter(location, "run-1", "throughput", "lake-0")
    again.resume(token)
    again.append("late", rows_of("late", 10))
    assert again.commit() == token + 1
    again.close()


def test_file_too_large(sqlite_location: LakeLocation) -> None:
    """A limit on file size (quota, ulimit) is reported like a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, sqlite_location.folder, Path(__file__).parent],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "disk of the lake is full" in done.stdout
    lake = connect(sqlite_location, read_only=True)
    assert lake.execute("SELECT count(*) FROM signal").fetchone() == (10,)
    assert lake.execute("SELECT count(*) FROM late").fetchone() == (0,)
    lake.close()
