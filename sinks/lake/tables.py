"""Tables, views and macros of the lake, all generated from `schemas.outputs.OUTPUTS`.

- `internal.<output>`: the rows, with the hidden columns of `HIDDEN`. Append-only but for the undo on resume.
- `main.<output>`: the stable view analysts use: the output's columns and `recorded_at`.
- `main.<output>_latest`: only the newest revision of each row, where rows are revised.
- `main.<output>_as_of(t)`, `main.<output>_latest_as_of(t)`: the same as it stood at time t. Rows carry their
  commit time, so this works for ever; DuckLake's time travel ends where snapshots are expired.
- `main`, further: the views and macros of `DERIVED`.
- `meta`: see `sinks.lake.meta`.

DuckLake keeps comments on tables and views, but not on columns of views, nor on macros: for those there are the
dictionaries `meta.columns` and `meta.macros`. Columns of `internal` have no comments of their own, as each would cost
every new lake, and so the start of a run, a third of a millisecond; the dictionary says it of the view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import duckdb

from schemas.errors import SinkError
from schemas.outputs import OUTPUTS, Column, Kind, Output
from sinks.lake.alignment_views import ALIGNMENT_VIEWS
from sinks.lake.demand_views import DEMAND_VIEWS
from sinks.lake.derived import PIPELINE_VIEWS
from sinks.lake.meta import (
    COLUMNS,
    EXAMPLES,
    FRESHNESS,
    MACROS,
    META_TABLES,
    RECORDED_AT,
    VERSION,
    event_time_column,
    example_queries,
)
from sinks.lake.quoting import identifier, literal
from sinks.lake.stock_views import STOCK_VIEWS

SCHEMA_VERSION = 1
"""Raised by hand when a change of layout needs more than added columns, views or comments."""

SQL_TYPES: dict[Kind, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "decimal": "DECIMAL(18,3)",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "bytes": "BLOB",
    "strings": "VARCHAR[]",
}

HIDDEN = (
    Column("_run", "string", "", "Run that wrote the row"),
    Column("_part", "string", "", "Flow and part of the sink that wrote the row"),
    Column("_seq", "integer", "1", "Sequence number of the commit; rows above the durable one are undone"),
    Column("_recorded_at", "timestamp", "UTC", "When the row was committed"),
)

_ROW, _CELL = "\x1e", "\x1f"
"""Separators of rows and cells in a text; no text of ours has them."""

DERIVED = (*PIPELINE_VIEWS, *STOCK_VIEWS, *DEMAND_VIEWS, *ALIGNMENT_VIEWS)
"""Views and macros beside those that every output has."""


def ensure_schema(
    connection: duckdb.DuckDBPyConnection, *, now: datetime, outputs: Mapping[str, Output] = OUTPUTS
) -> bool:
    """Bring the attached lake's tables, views, macros and dictionary up to date; call it inside a transaction.

    Returns whether anything changed. A column that an output has gained is added, null in old rows. Raises
    SinkError if the lake is of a newer layout or a column changed its type.
    """
    statements = [*_definitions(outputs.values())]
    dictionary = [*_dictionary(outputs.values())]
    macros = [*_macros(outputs.values())]
    examples = [(e.name, e.title, e.sql) for e in example_queries()]
    fingerprint = hashlib.sha256(repr((statements, dictionary, macros, examples)).encode()).hexdigest()
    if layout_in_force(connection) == (SCHEMA_VERSION, fingerprint):
        return False
    for schema in ("internal", "meta"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    present = _columns(connection)
    for schema, table, columns in _tables(outputs.values()):
        _ensure_table(connection, schema, table, columns, present.get((schema, table.name), {}))
    connection.execute(";".join(statements))
    _refill(connection, COLUMNS, dictionary)
    _refill(connection, MACROS, macros)
    _refill(connection, EXAMPLES, examples)
    _refill(connection, VERSION, [(SCHEMA_VERSION, fingerprint, now)])
    return True


def layout_in_force(connection: duckdb.DuckDBPyConnection) -> tuple[int, str] | None:
    """Version and fingerprint of the lake's layout; None in a new lake. SinkError where a newer Takt wrote it."""
    newest = "SELECT version, fingerprint FROM meta.schema_version ORDER BY version DESC LIMIT 1"
    try:
        row = connection.execute(newest).fetchone()
    except duckdb.CatalogException:  # a new lake; to ask for its tables first would take as long as to bind every view
        return None
    if row is None:
        return None
    if row[0] > SCHEMA_VERSION:
        raise SinkError(
            f"the lake has layout version {row[0]}, this Takt knows up to {SCHEMA_VERSION}",
            fix="use the version of Takt that wrote the lake, or newer",
        )
    return int(row[0]), str(row[1])


def _tables(outputs: Iterable[Output]) -> Iterator[tuple[str, Output, tuple[Column, ...]]]:
    for output in outputs:
        yield "internal", output, (*output.columns, *HIDDEN)
    for table in META_TABLES:
        yield "meta", table, table.columns


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, str]]:
    """SQL types by column, of all tables and views by schema and name."""
    rows = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = current_database()"
    ).fetchall()
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in rows:
        found.setdefault((schema, table), {})[column] = kind
    return found


def _ensure_table(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: Output,
    columns: tuple[Column, ...],
    present: Mapping[str, str],
) -> None:
    name = f"{schema}.{identifier(table.name)}"
    if not present:
        fields = ", ".join(f"{identifier(c.name)} {SQL_TYPES[c.kind]}" for c in columns)
        connection.execute(f"CREATE TABLE {name} ({fields})")
        return
    for column in columns:
        wanted = SQL_TYPES[column.kind]
        found = present.get(column.name)
        if found is None:
            connection.execute(f"ALTER TABLE {name} ADD COLUMN {identifier(column.name)} {wanted}")
        elif found != wanted:
            raise SinkError(
                f"column {column.name} of {schema}.{table.name} is {found} in the lake, now {wanted}",
                fix="start a new lake folder, or use the version of Takt that wrote this one",
            )


def _definitions(outputs: Iterable[Output]) -> Iterator[str]:
    """Comments, views and macros, in an order in which each finds what it refers to."""
    outputs = list(outputs)
    for schema, table, _ in _tables(outputs):
        yield f"COMMENT ON TABLE {schema}.{identifier(table.name)} IS {literal(_about(table))}"
    for table in META_TABLES:
        for column in table.columns:
            name = f"meta.{identifier(table.name)}.{identifier(column.name)}"
            yield f"COMMENT ON COLUMN {name} IS {literal(_meaning(column))}"
    for output in outputs:
        yield from _views(output)
    for derived in DERIVED:
        yield derived.definition
        if not derived.parameters:
            yield f"COMMENT ON VIEW main.{identifier(derived.about.name)} IS {literal(_about(derived.about))}"
    yield f"CREATE OR REPLACE VIEW meta.freshness AS {' UNION ALL '.join(map(_freshness, outputs))}"
    yield f"COMMENT ON VIEW meta.freshness IS {literal(_about(FRESHNESS))}"


def _views(output: Output) -> Iterator[str]:
    shown = ", ".join(identifier(c.name) for c in output.columns)
    view = f"main.{identifier(output.name)}"
    rows = f"SELECT {shown}, _recorded_at AS recorded_at FROM internal.{identifier(output.name)}"
    yield f"CREATE OR REPLACE VIEW {view} AS {rows}"
    yield f"COMMENT ON VIEW {view} IS {literal(_about(output))}"
    then = f"(FROM {view} WHERE recorded_at <= CAST(t AS TIMESTAMP WITH TIME ZONE))"
    yield f"CREATE OR REPLACE MACRO main.{identifier(output.name + '_as_of')}(t) AS TABLE SELECT * FROM {then}"
    if output.latest_by:
        latest = f"main.{identifier(output.name + '_latest')}"
        yield f"CREATE OR REPLACE VIEW {latest} AS {_newest(output, view)}"
        yield f"COMMENT ON VIEW {latest} IS {literal(_about_latest(output))}"
        macro = identifier(output.name + "_latest_as_of")
        yield f"CREATE OR REPLACE MACRO main.{macro}(t) AS TABLE {_newest(output, then)}"


def _newest(output: Output, rows: str) -> str:
    """Rows less those that a later revision replaces.

    Few rows are ever revised, so this looks each up among these few: with ranks among all the revisions of each row, a
    million moves took four times as long.
    """
    keys = [identifier(name) for name in output.latest_by]
    revised = f"SELECT {', '.join(keys)}, max(revision) AS newest FROM {rows} WHERE revision > 0 GROUP BY ALL"
    same = " AND ".join(f"m.{key} = n.{key}" for key in keys)
    return f"SELECT m.* FROM {rows} AS m ANTI JOIN ({revised}) AS n ON {same} AND m.revision < n.newest"


def _freshness(output: Output) -> str:
    time = event_time_column(output)
    last_event = "CAST(NULL AS TIMESTAMP WITH TIME ZONE)" if time is None else f"max({identifier(time)})"
    return (
        f"SELECT {literal(output.name)} AS output, count(*) AS rows, {last_event} AS last_event_time,"
        " max(_recorded_at) AS last_recorded_at,"
        " epoch(now() - max(_recorded_at)) AS age_s"
        f" FROM internal.{identifier(output.name)}"
    )


def _dictionary(outputs: Iterable[Output]) -> Iterator[tuple[str | int, ...]]:
    """Rows of `meta.columns`."""
    for output in outputs:
        columns = (*output.columns, RECORDED_AT)
        yield from _described("main", output.name, output.grain, columns)
        if output.latest_by:
            yield from _described("main", f"{output.name}_latest", _latest_grain(output), columns)
    for derived in DERIVED:
        yield from _described("main", derived.call, derived.about.grain, derived.about.columns)
    for table in (*META_TABLES, FRESHNESS):
        yield from _described("meta", table.name, table.grain, table.columns)


def _described(schema: str, name: str, grain: str, columns: Iterable[Column]) -> Iterator[tuple[str | int, ...]]:
    for position, c in enumerate(columns, start=1):
        yield schema, name, position, c.name, SQL_TYPES[c.kind], c.unit, c.nullable, c.explained, grain


def _macros(outputs: Iterable[Output]) -> Iterator[tuple[str, str, str]]:
    """Rows of `meta.macros`."""
    for output in outputs:
        yield f"{output.name}_as_of(t)", f"{output.name} as the lake had it at t", output.grain
        if output.latest_by:
            name = f"{output.name}_latest"
            yield f"{name}_as_of(t)", f"{name} as the lake had it at t", _latest_grain(output)
    for derived in DERIVED:
        if derived.parameters:
            yield derived.call, derived.about.comment, derived.about.grain


def _about(output: Output) -> str:
    return f"{output.comment}. Grain: {output.grain}."


def _latest_grain(output: Output) -> str:
    return f"one row per {', '.join(output.latest_by)}: the newest revision"


def _about_latest(output: Output) -> str:
    return f"{output.comment}. Grain: {_latest_grain(output)}."


def _meaning(column: Column) -> str:
    return f"{column.comment} [{column.unit}]" if column.unit else column.explained


def _refill(
    connection: duckdb.DuckDBPyConnection, table: Output, rows: Sequence[tuple[str | int | datetime, ...]]
) -> None:
    """Make these the rows of a table of `meta`.

    They travel as one text that DuckDB takes apart: as VALUES, each of some five thousand cells is an expression to
    plan, which takes five times as long, at the start of every run with a new lake.
    """
    connection.execute(f"DELETE FROM meta.{identifier(table.name)}")
    if rows:
        text = _ROW.join(_CELL.join(_cell(value) for value in row) for row in rows)
        cells = ", ".join(f"cells[{place}]" for place in range(1, len(rows[0]) + 1))
        connection.execute(
            f"INSERT INTO meta.{identifier(table.name)} SELECT {cells} FROM"
            f" (SELECT string_split(unnest(string_split({literal(text)}, {literal(_ROW)})), {literal(_CELL)}) AS cells)"
        )


def _cell(value: str | int | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
