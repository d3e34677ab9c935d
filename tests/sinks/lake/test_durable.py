"""A power cut: what the catalogue knows of is on the disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import SinkError
from sinks.lake import durable
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.maintenance import compact_open
from sinks.lake.writer import LakeWriter

from .frames import START, rows_of


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """What was put on the disk."""
    paths: set[Path] = set()
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        paths.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    return paths


def _committed(lake: LakeWriter) -> set[Path]:
    """Files that the catalogue knows of, deletions included."""
    files = lake._connection.execute("""
        SELECT s.path || t.path || f.path FROM
            (SELECT table_id, path FROM __ducklake_metadata_lake.ducklake_data_file
             UNION ALL SELECT table_id, path FROM __ducklake_metadata_lake.ducklake_delete_file) AS f
        JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id)
        JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
    """).fetchall()
    return {lake._location.data / name for (name,) in files}


def test_all_that_is_committed_was_put_on_the_disk(sqlite_location: LakeLocation, synced: set[Path]) -> None:
    """Files of commits, of the undo on resume and of compaction, and the folders that name them."""
    with closing(LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")) as writer:
        before = _committed(writer)
        writer.resume(None)
        for number in range(3):
            writer.append("late", rows_of("late", 5, first=5 * number))
            writer.commit()
        files = _committed(writer)
        compact_open(writer._connection, writer._transactions, now=START)
        files |= _committed(writer)
        writer.resume(2)
        files = (files | _committed(writer)) - before
    assert any("delete" in file.name for file in files)
    assert len(files) >= 9
    folders = {file.parent for file in files}
    assert files | folders | {folder.parent for folder in folders} <= synced


def test_a_lake_that_was_just_made_is_on_the_disk(tmp_path: Path, synced: set[Path]) -> None:
    """The folder is, and the one that names it."""
    location = LakeLocation(tmp_path / "lake")
    with closing(LakeWriter(location, "run-1", "throughput", "lake-0")) as writer:
        writer.resume(None)
    assert {location.data, location.folder, tmp_path} <= synced


def test_nothing_is_committed_that_the_disk_does_not_take(
    sqlite_location: LakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not on the disk is asked before the commit: an error then, and readers see the state before."""

    def broken(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")) as writer:
        writer.resume(None)
        writer.append("late", rows_of("late", 5))
        with monkeypatch.context() as patch:
            patch.setattr(durable.os, "fsync", broken)
            with pytest.raises(SinkError, match="the disk of the lake is full"):
                writer.commit()
        with closing(connect(sqlite_location, read_only=True)) as lake:
            assert lake.execute("SELECT count(*) FROM late").fetchone() == (0,)
        writer.commit()
        with closing(connect(sqlite_location, read_only=True)) as lake:
            assert lake.execute("SELECT count(*) FROM late").fetchone() == (5,)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A file system in an image file, and that file: what is in it is what is on the disk."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting an image needs root and mkfs.ext4")
    image, place = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if not _mount(image, place):
        pytest.skip("mounting an image is not permitted here")
    yield place, image
    subprocess.run(["umount", "-l", place], check=True)


def _mount(image: Path, place: Path) -> bool:
    place.mkdir()
    return subprocess.run(["mount", "-o", "loop", image, place], check=False, capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_power_cut_right_after_a_commit(disk: tuple[Path, Path], tmp_path: Path) -> None:
    """The image as it stands then, mounted elsewhere, has every row of every commit."""
    place, image = disk
    with closing(LakeWriter(LakeLocation(place / "lake"), "run-1", "throughput", "lake-0")) as writer:
        writer.resume(None)
        for number in range(3):
            writer.append("late", rows_of("late", 5, first=5 * number))
            writer.commit()
        shutil.copyfile(image, tmp_path / "left")
    assert _mount(tmp_path / "left", tmp_path / "after")
    try:
        with closing(connect(LakeLocation(tmp_path / "after" / "lake"), read_only=False)) as lake:
            assert lake.execute("SELECT count(DISTINCT raw) FROM late").fetchone() == (15,)
            assert lake.execute("SELECT count(*) FROM meta.commits").fetchone() == (3,)
    finally:
        subprocess.run(["umount", "-l", tmp_path / "after"], check=True)
