"""Read-only queries: what they may read, and that they can write nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.sql import QueryResult, open_reader, query, run
from schemas.errors import SinkError, TaktError
from schemas.outputs import OUTPUTS
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.maintenance import compact
from sinks.lake.meta import ExampleQuery, example_queries
from sinks.lake.writer import LakeWriter, utc_now
from tests.sinks.lake.frames import rows_of


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> LakeLocation:
    """A lake with rows in every output, replaced files of one waiting to be deleted, and a file nobody knows."""
    made = LakeLocation(tmp_path_factory.mktemp("queries") / "lake")
    writer = LakeWriter(made, "run-1", "throughput", "lake-0")
    writer.resume(None)
    for output in OUTPUTS:
        writer.append(output, rows_of(output, 4))
    writer.commit()
    writer.append("accounting", rows_of("accounting", 4, first=4))
    writer.commit()
    writer.close()
    compact(made, now=utc_now())
    (made.data / "internal" / "signal" / "unknown.parquet").write_text("x")
    return made


@pytest.fixture(scope="module")
def read(location: LakeLocation) -> Iterator[Callable[[str], QueryResult]]:
    """What `query` does, without opening the lake for each statement."""
    reader = open_reader(location)
    yield lambda sql: run(reader, sql, location)
    reader.close()


def files(location: LakeLocation) -> set[Path]:
    return set(location.folder.rglob("*.parquet"))


def test_rows_and_types(location: LakeLocation) -> None:
    """Columns, SQL types and rows come back."""
    result = query(location, 'SELECT "offset", raw FROM late ORDER BY 1 LIMIT 1')
    assert result == QueryResult(["offset", "raw"], ["BIGINT", "BLOB"], [(0, b"\0\0\xff")])


@pytest.mark.slow
@pytest.mark.parametrize("example", example_queries(), ids=lambda e: e.name)
def test_examples_run(read: Callable[[str], QueryResult], example: ExampleQuery) -> None:
    """Every shipped query has a title and runs as it is, also as found in the lake."""
    assert example.title
    assert not example.title.startswith("SELECT")
    stored = read(f"SELECT sql FROM meta.example_queries WHERE name = '{example.name}'")
    assert read(stored.rows[0][0]).columns


def test_accounting_example_counts(location: LakeLocation) -> None:
    """The accounting example gives the rows missing per partition: here the made-up rows do not add up."""
    sql = next(e.sql for e in example_queries() if e.name == "rows_accounted")
    result = query(location, sql)
    assert result.columns[-1] == "missing"
    assert result.rows[2][2:] == (2, 2, 2, 2, 2, 2, -8)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM internal.signal",
        "INSERT INTO meta.runs VALUES ('a', 'b', now(), '')",
        "DROP VIEW main.signal",
        "CREATE TABLE t (i INT)",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "DETACH lake",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '1GB'",
        "PRAGMA enable_profiling",
        "CALL ducklake_merge_adjacent_files('lake')",
        "FROM ducklake_merge_adjacent_files('lake')",
        "SELECT * FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "WITH x AS (FROM \"DuckLake_Cleanup_Old_Files\"('lake', cleanup_all => true)) SELECT * FROM x",
        "SELECT (SELECT count(*) FROM main.ducklake_cleanup_old_files('lake', cleanup_all => true))",
        "EXPLAIN ANALYZE FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)",
        "FROM query('FROM ducklake_cleanup_old_files(''lake'', cleanup_all => true)')",
        "FROM sqlite_query('__ducklake_metadata_lake', 'DELETE FROM ducklake_snapshot')",
        "SELECT 1; DELETE FROM internal.signal",
        "FROM read_text('/etc/passwd')",
        "FROM '/etc/passwd'",
        "FROM glob('/etc/*')",
        "",
        "-- nothing",
    ],
)
def test_nothing_but_reading_the_lake(location: LakeLocation, read: Callable[[str], QueryResult], sql: str) -> None:
    """Writing, settings, other files and maintenance are refused with a fix; the lake's files stay as they were."""
    before = files(location)
    with pytest.raises(TaktError) as caught:
        read(sql)
    assert caught.value.fix
    assert files(location) == before


def test_temporary_files_of_others_are_out_of_reach(
    location: LakeLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query reads no file of the folder for temporary files, which every user of the machine has a part in."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "secret").write_text("x")
    reader = open_reader(location)
    with pytest.raises(TaktError, match="Cannot access file"):
        run(reader, f"FROM read_text('{tmp_path}/secret')", location)
    reader.close()


@pytest.mark.parametrize(
    ("sql", "what", "fix"),
    [
        ("SELECT * FROM robot_windw", "no table or view 'robot_windw'", "did you mean robot_window"),
        ("FROM meta.colums", "no table or view", "meta.columns"),
        ("FROM throughput_latest_asof(now())", "no table or view", "throughput_latest_as_of"),
        ("FROM xyzzy", "no table or view 'xyzzy'", "known are accounting"),
        ("SELEC 1", 'syntax error at or near "SELEC"', "change the statement"),
        ("SELECT nope FROM late", 'column "nope" not found', "meta.columns"),
        ("SELECT CAST('x' AS INT)", "Could not convert", "TRY_CAST"),
        ("PIVOT accounting ON source USING sum(good)", "2 statements", "ON x IN ('a', 'b')"),
    ],
)
def test_mistakes_come_with_the_fix(read: Callable[[str], QueryResult], sql: str, what: str, fix: str) -> None:
    """A wrong name, a syntax error and a failed cast say what and how to go on."""
    with pytest.raises(TaktError) as caught:
        read(sql)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "DESCRIBE signal",
        "SUMMARIZE late",
        "EXPLAIN SELECT * FROM signal",
        "explain analyze SELECT * FROM signal",
        "FROM lake.snapshots()",
        "VALUES (1)",
        "PIVOT accounting ON source IN ('a', 'b') USING sum(good)",
        "SELECT 1;",
        "FROM signal AT (VERSION => 2)",
    ],
)
def test_ways_to_look_around(read: Callable[[str], QueryResult], sql: str) -> None:
    """What only looks is allowed."""
    assert read(sql).columns


def test_a_lake_without_a_commit_is_told_as_empty(tmp_path: Path) -> None:
    """A start that was killed before its first commit leaves a lake without tables."""
    location = LakeLocation(tmp_path / "lake")
    connect(location, read_only=False).close()
    with pytest.raises(TaktError) as caught:
        query(location, "FROM accounting")
    assert "the lake is empty" in caught.value.fix


def test_missing_lake(tmp_path: Path) -> None:
    """A lake that is not there, or is an empty file, says how to make one."""
    with pytest.raises(SinkError, match="there is no lake") as caught:
        query(LakeLocation(tmp_path / "none"), "SELECT 1")
    assert "takt demo" in caught.value.fix
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "catalog.sqlite").touch()
    with pytest.raises(SinkError, match="there is no lake"):
        query(LakeLocation(tmp_path / "none"), "SELECT 1")
