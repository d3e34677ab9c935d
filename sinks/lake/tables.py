"""Tables, views and macros of the lake, all generated from `schemas.outputs.OUTPUTS`.

- `internal.<output>`: the rows, with the hidden columns of `HIDDEN`. Append-only but for the undo on resume.
- `main.<output>`: the stable view analysts use: the output's columns and `recorded_at`.
- `main.<output>_latest`: only the newest revision of each row, where rows are revised.
- `main.<output>_as_of(t)`, `main.<output>_latest_as_of(t)`: the same as it stood at time t. Rows carry their
  commit time, so this works for ever; DuckLake's time travel ends where snapshots are expired.
- `meta`: see `sinks.lake.meta`.

DuckLake keeps comments on tables, table columns and views, but not on columns of views: for those the
dictionary is `meta.columns`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import duckdb

from schemas.errors import SinkError
from schemas.outputs import OUTPUTS, Column, Kind, Output
from sinks.lake.meta import (
    ATTEMPTS,
    COLUMNS,
    EXAMPLES,
    FRESHNESS,
    META_TABLES,
    RULE_TOTALS,
    VERSION,
    event_time_column,
    example_queries,
)
from sinks.lake.quoting import identifier, literal

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

RECORDED_AT = Column("recorded_at", "timestamp", "UTC", "When the row was committed to the lake")

HIDDEN = (
    Column("_run", "string", "", "Run that wrote the row"),
    Column("_part", "string", "", "Flow and part of the sink that wrote the row"),
    Column("_seq", "integer", "1", "Sequence number of the commit; rows above the durable one are undone"),
    Column("_recorded_at", "timestamp", "UTC", "When the row was committed"),
)

_ATTEMPTS_SQL = """
    SELECT source, arg_max(contract, _seq) AS contract, raw, count(*) AS attempts, arg_max(reasons, _seq) AS reasons,
           arg_max(detail, _seq) AS detail,
           min(_recorded_at) AS first_recorded_at, max(_recorded_at) AS last_recorded_at
    FROM internal.quarantine WHERE kind = 'quarantined' GROUP BY source, raw
"""

_RULE_TOTALS_SQL = """
    SELECT source, contract, code, severity, failed, rows_in, failed / rows_in AS share, last_recorded_at
    FROM (SELECT source, contract, code, arg_max(severity, _recorded_at) AS severity, sum(failed)::BIGINT AS failed,
                 max(_recorded_at) AS last_recorded_at FROM internal.rule_failures GROUP BY source, contract, code)
    JOIN (SELECT source, contract, sum(rows_in)::BIGINT AS rows_in FROM internal.accounting GROUP BY source, contract)
    USING (source, contract)
"""

_SUMMARIES = ((ATTEMPTS, _ATTEMPTS_SQL), (RULE_TOTALS, _RULE_TOTALS_SQL))
"""Views over all runs: columns, and the query that gives them."""


def ensure_schema(
    connection: duckdb.DuckDBPyConnection, *, now: datetime, outputs: Mapping[str, Output] = OUTPUTS
) -> bool:
    """Bring the attached lake's tables, views, macros and dictionary up to date; call it inside a transaction.

    Returns whether anything changed. A column that an output has gained is added, null in old rows. Raises
    SinkError if the lake is of a newer layout or a column changed its type.
    """
    statements = [*_definitions(outputs.values())]
    dictionary = [*_dictionary(outputs.values())]
    examples = [(e.name, e.title, e.sql) for e in example_queries()]
    fingerprint = hashlib.sha256(repr((statements, dictionary, examples)).encode()).hexdigest()
    if _in_force(connection) == (SCHEMA_VERSION, fingerprint):
        return False
    for schema in ("internal", "meta"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    present = _columns(connection)
    for schema, table, columns in _tables(outputs.values()):
        _ensure_table(connection, schema, table, columns, present.get((schema, table.name), {}))
    connection.execute(";".join(statements))
    _refill(connection, COLUMNS, dictionary)
    _refill(connection, EXAMPLES, examples)
    _refill(connection, VERSION, [(SCHEMA_VERSION, fingerprint, now)])
    return True


def _in_force(connection: duckdb.DuckDBPyConnection) -> tuple[int, str] | None:
    if ("meta", VERSION.name) not in _columns(connection):
        return None
    row = connection.execute(
        "SELECT version, fingerprint FROM meta.schema_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
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
    for schema, table, columns in _tables(outputs):
        name = f"{schema}.{identifier(table.name)}"
        yield f"COMMENT ON TABLE {name} IS {literal(_about(table))}"
        for column in columns:
            yield f"COMMENT ON COLUMN {name}.{identifier(column.name)} IS {literal(_meaning(column))}"
    for output in outputs:
        yield from _views(output)
    for summary, sql in _SUMMARIES:
        yield f"CREATE OR REPLACE VIEW main.{summary.name} AS {sql}"
        yield f"COMMENT ON VIEW main.{summary.name} IS {literal(_about(summary))}"
    yield f"CREATE OR REPLACE VIEW meta.freshness AS {' UNION ALL '.join(map(_freshness, outputs))}"
    yield f"COMMENT ON VIEW meta.freshness IS {literal(_about(FRESHNESS))}"


def _views(output: Output) -> Iterator[str]:
    shown = ", ".join(identifier(c.name) for c in output.columns)
    view = f"main.{identifier(output.name)}"
    rows = f"SELECT {shown}, _recorded_at AS recorded_at FROM internal.{identifier(output.name)}"
    yield f"CREATE OR REPLACE VIEW {view} AS {rows}"
    yield f"COMMENT ON VIEW {view} IS {literal(_about(output))}"
    as_of = f"SELECT * FROM {view} WHERE recorded_at <= CAST(t AS TIMESTAMP WITH TIME ZONE)"
    yield f"CREATE OR REPLACE MACRO main.{identifier(output.name + '_as_of')}(t) AS TABLE {as_of}"
    if output.latest_by:
        by = ", ".join(map(identifier, output.latest_by))
        newest = f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY revision DESC) = 1"
        latest = f"main.{identifier(output.name + '_latest')}"
        yield f"CREATE OR REPLACE VIEW {latest} AS SELECT * FROM {view} {newest}"
        yield f"COMMENT ON VIEW {latest} IS {literal(_about_latest(output))}"
        macro = identifier(output.name + "_latest_as_of")
        yield f"CREATE OR REPLACE MACRO main.{macro}(t) AS TABLE {as_of} {newest}"


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
    for summary, _ in _SUMMARIES:
        yield from _described("main", summary.name, summary.grain, summary.columns)
    for table in (*META_TABLES, FRESHNESS):
        yield from _described("meta", table.name, table.grain, table.columns)


def _described(schema: str, name: str, grain: str, columns: Iterable[Column]) -> Iterator[tuple[str | int, ...]]:
    for position, c in enumerate(columns, start=1):
        yield schema, name, position, c.name, SQL_TYPES[c.kind], c.unit, c.nullable, c.comment, grain


def _about(output: Output) -> str:
    return f"{output.comment}. Grain: {output.grain}."


def _latest_grain(output: Output) -> str:
    return f"one row per {', '.join(output.latest_by)}: the newest revision"


def _about_latest(output: Output) -> str:
    return f"{output.comment}. Grain: {_latest_grain(output)}."


def _meaning(column: Column) -> str:
    return f"{column.comment} [{column.unit}]" if column.unit else column.comment


def _refill(
    connection: duckdb.DuckDBPyConnection, table: Output, rows: Sequence[tuple[str | int | datetime, ...]]
) -> None:
    connection.execute(f"DELETE FROM meta.{identifier(table.name)}")
    if rows:
        values = ", ".join("(" + ", ".join(literal(value) for value in row) + ")" for row in rows)
        connection.execute(f"INSERT INTO meta.{identifier(table.name)} VALUES {values}")
