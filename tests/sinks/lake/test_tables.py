"""Tables, views, macros and dictionary made from the declarations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest

from schemas.errors import SinkError
from schemas.outputs import OUTPUTS, Column, Output
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.meta import event_time_column
from sinks.lake.tables import DERIVED, HIDDEN, ensure_schema
from sinks.lake.writer import LakeWriter

from .frames import rows_of

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lake(location: LakeLocation) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(location, read_only=False)
    ensure(connection)
    yield connection
    connection.close()


def ensure(connection: duckdb.DuckDBPyConnection, **outputs: Output) -> bool:
    connection.execute("BEGIN")
    changed = ensure_schema(connection, now=NOW, outputs={**OUTPUTS, **outputs})
    connection.execute("COMMIT")
    return changed


def test_twice_changes_nothing(lake: duckdb.DuckDBPyConnection) -> None:
    """Bringing an up-to-date lake up to date adds no snapshot."""
    before = lake.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone()
    assert not ensure(lake)
    assert lake.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone() == before


def test_everything_is_commented(lake: duckdb.DuckDBPyConnection) -> None:
    """No table, view, macro or column of `meta` is without a comment; those of tables and views say the grain."""
    for kind in ("duckdb_tables()", "duckdb_views()"):
        comments = lake.execute(f"SELECT comment FROM {kind} WHERE database_name = 'lake'").fetchall()
        assert len(comments) > len(OUTPUTS) / 2
        assert all(comment and "Grain: " in comment for (comment,) in comments)
    bare = lake.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake'"
        " AND comment IS NULL AND table_name NOT IN (SELECT view_name FROM duckdb_views())"
        " AND schema_name = 'meta'"
    ).fetchall()
    assert bare == []
    made = lake.execute(
        "SELECT function_name || '(' || array_to_string(parameters, ', ') || ')' FROM duckdb_functions()"
        " WHERE database_name = 'lake' AND function_type = 'table_macro' AND schema_name = 'main'"
    ).fetchall()
    told = lake.execute("SELECT macro FROM meta.macros WHERE comment <> '' AND grain <> ''").fetchall()
    assert sorted(told) == sorted(made)
    assert len(told) > len(OUTPUTS)


def test_dictionary_describes_what_is_there(lake: duckdb.DuckDBPyConnection) -> None:
    """`meta.columns` has exactly the columns of the main views and meta tables, in order, with their types."""
    described = lake.execute(
        "SELECT schema, output, \"column\", type FROM meta.columns WHERE NOT contains(output, '(')"
        " ORDER BY schema, output, position"
    ).fetchall()
    actual = lake.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = 'lake' AND schema_name IN ('main', 'meta')"
        " ORDER BY schema_name, table_name, column_index"
    ).fetchall()
    assert described == actual
    units = lake.execute("SELECT unit FROM meta.columns WHERE output = 'throughput' AND \"column\" = 'rate'")
    assert units.fetchall() == [("{task}/h",)]


def test_dictionary_describes_what_macros_give(lake: duckdb.DuckDBPyConnection) -> None:
    """Columns of a macro with a description are those it gives, in order, with their types."""
    found: dict[str, list[tuple[str, str]]] = {}
    query = "SELECT output, \"column\", type FROM meta.columns WHERE contains(output, '(') ORDER BY output, position"
    for macro, column, kind in lake.execute(query).fetchall():
        found.setdefault(macro, []).append((column, kind))
    assert found.keys() == {derived.call for derived in DERIVED if derived.parameters}
    for macro, columns in found.items():
        name, _, parameters = macro.rstrip(")").partition("(")
        given = ", ".join("'2025-03-01'" for _ in parameters.split(", "))
        assert [row[:2] for row in lake.execute(f"DESCRIBE FROM {name}({given})").fetchall()] == columns


def test_hidden_columns_stay_hidden(lake: duckdb.DuckDBPyConnection) -> None:
    """Views show the declared columns and the time of recording, nothing else."""
    for output in OUTPUTS.values():
        shown = lake.execute(f"DESCRIBE main.{output.name}").pl()["column_name"].to_list()
        assert shown == [*output.schema, "recorded_at"]
        assert not {c.name for c in HIDDEN} & set(shown)


@pytest.mark.slow
def test_new_column_is_added(lake: duckdb.DuckDBPyConnection) -> None:
    """An output that gains a column keeps its old rows, null there; the dictionary follows."""
    hidden = "'r', 'f/p', 1, now()"
    values = "'k', 's', now(), 'info', 'why', '{}'"
    lake.execute(f"INSERT INTO internal.signal VALUES ({values}, {hidden})")
    grown = dataclasses.replace(
        OUTPUTS["signal"], columns=(*OUTPUTS["signal"].columns, Column("cost", "number", "EUR", "Cost", nullable=True))
    )
    assert ensure(lake, signal=grown)
    assert not ensure(lake, signal=grown)
    assert lake.execute("SELECT kind, cost FROM signal").fetchall() == [("k", None)]
    found = lake.execute("SELECT unit FROM meta.columns WHERE output = 'signal' AND \"column\" = 'cost'")
    assert found.fetchall() == [("EUR",)]


def test_changed_type_is_refused(lake: duckdb.DuckDBPyConnection) -> None:
    """A column that changed its type is an error that names it, not a silent cast."""
    columns = tuple(
        dataclasses.replace(c, kind="number") if c.name == "reason" else c for c in OUTPUTS["signal"].columns
    )
    lake.execute("BEGIN")
    with pytest.raises(SinkError, match=r"column reason of internal\.signal is VARCHAR"):
        ensure_schema(
            lake, now=NOW, outputs={**OUTPUTS, "signal": dataclasses.replace(OUTPUTS["signal"], columns=columns)}
        )
    lake.execute("ROLLBACK")


def test_newer_layout_is_refused(lake: duckdb.DuckDBPyConnection) -> None:
    """A lake of a later Takt is left alone."""
    lake.execute("INSERT INTO meta.schema_version VALUES (99, 'x', ?)", [NOW + timedelta(days=1)])
    with pytest.raises(SinkError, match="layout version 99"):
        ensure_schema(lake, now=NOW)


def revised(revision: int, tasks: int) -> pl.DataFrame:
    return rows_of("throughput", 3).with_columns(revision=pl.lit(revision, pl.Int64), tasks=pl.lit(tasks, pl.Int64))


def test_latest_and_as_of(location: LakeLocation) -> None:
    """The latest view shows the newest revision only; as-of macros show what was known then."""
    times = iter(NOW + timedelta(hours=h) for h in range(100))
    writer = LakeWriter(location, "run-1", "throughput", "lake-0", clock=lambda: next(times))
    writer.resume(None)
    writer.append("throughput", revised(0, 5))
    writer.commit()
    between = next(times)
    writer.append("throughput", revised(1, 7)[:2])
    writer.commit()
    writer.close()
    lake = connect(location, read_only=True)

    def tasks(source: str) -> list[int]:
        return lake.execute(f"SELECT tasks FROM {source} ORDER BY ALL").pl()["tasks"].to_list()

    assert tasks("throughput") == [5, 5, 5, 7, 7]
    assert tasks("throughput_latest") == [5, 7, 7]
    assert tasks(f"throughput_as_of('{between.isoformat()}')") == [5, 5, 5]
    assert tasks(f"throughput_latest_as_of('{between.isoformat()}')") == [5, 5, 5]
    assert tasks("throughput_latest_as_of(now() + INTERVAL 100 YEAR)") == [5, 7, 7]
    assert tasks(f"throughput_as_of('{NOW.isoformat()}')") == []
    lake.close()


@pytest.mark.slow
def test_freshness(location: LakeLocation) -> None:
    """Freshness gives per output the rows, the last event time and the age of the last commit."""
    writer = LakeWriter(
        location, "run-1", "throughput", "lake-0", clock=lambda: datetime.now(UTC) - timedelta(seconds=90)
    )
    writer.resume(None)
    frame = rows_of("robot_window", 3)
    writer.append("robot_window", frame)
    writer.commit()
    writer.close()
    lake = connect(location, read_only=True)
    got = {row[0]: row[1:] for row in lake.execute("FROM meta.freshness").fetchall()}
    lake.close()
    assert got.keys() == OUTPUTS.keys()
    assert got["late"] == (0, None, None, None)
    rows, last_event, _, age = got["robot_window"]
    assert (rows, last_event) == (3, frame["window_end"].max())
    timeless = {output for output in OUTPUTS if event_time_column(OUTPUTS[output]) is None}
    assert timeless == {"quarantine", "rule_failures"}
    assert 90 <= age < 300
