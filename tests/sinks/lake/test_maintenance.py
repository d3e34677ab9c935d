"""Compaction: fewer files, the same rows, nothing deleted that somebody may still read."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.maintenance import Compaction, compact
from sinks.lake.writer import LakeWriter, utc_now

from .frames import rows_of

ZERO = timedelta(0)


def fill(location: LakeLocation, epochs: int = 6) -> None:
    writer = LakeWriter(location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    for epoch in range(epochs):
        writer.append("signal", rows_of("signal", 2, first=2 * epoch))
        writer.commit()
    writer.close()


def on_disk(location: LakeLocation) -> int:
    return len([*location.data.rglob("*.parquet")])


@pytest.mark.slow
def test_files_are_merged_and_rows_kept(location: LakeLocation) -> None:
    """Compaction merges files, expires snapshots and deletes what was replaced; every row stays."""
    fill(location)
    done = compact(location, now=utc_now() + timedelta(hours=1), keep=ZERO, grace=ZERO)
    assert done.before.files >= 12
    assert done.after.files < done.before.files - 8
    assert (done.after.snapshots, done.after.waiting) == (1, 0)
    assert done.deleted >= 12
    assert on_disk(location) == done.after.files
    lake = connect(location, read_only=True)
    got = lake.execute("SELECT * EXCLUDE recorded_at FROM signal ORDER BY event_time").pl()
    lake.close()
    assert_frame_equal(got, rows_of("signal", 12))


@pytest.mark.slow
def test_files_and_snapshots_in_use_stay(location: LakeLocation) -> None:
    """Right after a merge the replaced files and the young snapshots are still there: a reader may use them."""
    fill(location)
    reader = connect(location, read_only=True)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM signal").fetchone() == (12,)
    files = on_disk(location)
    done = compact(location, now=utc_now())
    assert done.deleted == 0
    assert done.after.waiting >= 12
    assert done.after.snapshots >= done.before.snapshots
    assert on_disk(location) >= files
    assert reader.execute("SELECT count(DISTINCT subject) FROM signal").fetchone() == (12,)
    reader.close()


@pytest.mark.slow
def test_replaced_files_go_after_the_grace(location: LakeLocation) -> None:
    """A replaced file goes in the first compaction after its grace, on the same day too, not before."""
    fill(location)
    merged = utc_now()
    waiting = compact(location, now=merged).after.waiting
    assert waiting > 0
    assert compact(location, now=merged + timedelta(minutes=9)).deleted == 0
    assert compact(location, now=utc_now() + timedelta(minutes=11)).deleted == waiting


@pytest.mark.slow
def test_undo_after_compaction(location: LakeLocation) -> None:
    """Rows beyond the token are undone also when compaction has merged them with durable ones."""
    fill(location)
    compact(location, now=utc_now() + timedelta(hours=1), keep=ZERO, grace=ZERO)
    writer = LakeWriter(location, "run-1", "throughput", "lake-0")
    writer.resume(5)
    writer.close()
    done = compact(location, now=utc_now() + timedelta(hours=1), keep=ZERO, grace=ZERO)
    lake = connect(location, read_only=True)
    got = lake.execute("SELECT * EXCLUDE recorded_at FROM signal ORDER BY event_time").pl()
    lake.close()
    assert_frame_equal(got, rows_of("signal", 10))
    assert isinstance(done, Compaction)


@pytest.mark.slow
def test_writer_compacts_by_itself(sqlite_location: LakeLocation) -> None:
    """A writer with `compact_every` keeps the number of files small without any command."""
    now = datetime(2025, 3, 1, tzinfo=UTC)
    moments = iter(now + timedelta(minutes=n) for n in range(10_000))
    writer = LakeWriter(
        sqlite_location,
        "run-1",
        "throughput",
        "lake-0",
        clock=lambda: next(moments),
        compact_every=timedelta(minutes=10),
    )
    writer.resume(None)
    for epoch in range(15):
        writer.append("signal", rows_of("signal", 1, first=epoch))
        writer.commit()
    writer.close()
    lake = connect(sqlite_location, read_only=True)
    info = "SELECT file_count FROM ducklake_table_info('lake') WHERE table_name = 'signal'"
    files = lake.execute(info).fetchone()
    assert files is not None
    assert files[0] < 8
    assert lake.execute("SELECT count(*) FROM signal").fetchone() == (15,)
    lake.close()


@pytest.mark.slow
def test_leftovers_of_a_killed_commit_go(sqlite_location: LakeLocation) -> None:
    """A file that no commit knows goes when the flow resumes; replaced files that readers may use stay."""
    fill(sqlite_location)
    waiting = compact(sqlite_location, now=utc_now()).after.waiting
    leftover = sqlite_location.data / "internal" / "signal" / "half-written.parquet"
    leftover.write_bytes(b"PAR1")
    files = on_disk(sqlite_location)
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(6)
    writer.close()
    assert waiting > 0
    assert not leftover.exists()
    assert on_disk(sqlite_location) == files - 1


@pytest.mark.slow
def test_young_unknown_files_stay(location: LakeLocation) -> None:
    """Compaction leaves a young file that no commit knows alone: a commit of another writer may be under way."""
    fill(location)
    young = location.data / "internal" / "signal" / "young.parquet"
    old = young.with_name("old.parquet")
    for file in (young, old):
        file.write_bytes(b"PAR1")
    long_ago = (utc_now() - timedelta(days=2)).timestamp()
    os.utime(old, (long_ago, long_ago))
    compact(location, now=utc_now())
    assert young.exists()
    assert not old.exists()


def test_no_lake_to_compact(tmp_path: Path) -> None:
    """Compacting a lake that is not there makes none."""
    with pytest.raises(SinkError, match="there is no lake"):
        compact(LakeLocation(tmp_path / "none"), now=utc_now())
    assert not (tmp_path / "none").exists()
