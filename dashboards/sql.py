"""Read-only queries on the lake, for `takt sql` and the pages.

What holds even for a query somebody else wrote: the lake is attached read-only; files outside the lake
cannot be read and none can be written; settings are locked; one SELECT or EXPLAIN statement at a time, and
none that calls DuckLake's maintenance functions, which delete files whatever the mode of attachment.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from schemas.adapters.interruptible import interruptible
from schemas.errors import TaktError
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.failures import retriable, sink_error
from sinks.lake.quoting import literal

PATIENCE_S = 10.0
"""How long a query is tried again while the catalogue is busy."""

PAUSE_S = 0.1

_DENIED_PREFIXES = ("ducklake_", "sqlite_", "postgres_")
_DENIED = frozenset({"query"})
_ALLOWED = frozenset(
    {
        "ducklake_current_snapshot",
        "ducklake_list_files",
        "ducklake_options",
        "ducklake_snapshots",
        "ducklake_table_changes",
        "ducklake_table_deletions",
        "ducklake_table_info",
        "ducklake_table_insertions",
    }
)
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_MISSING_TABLE = re.compile(r"(?:Table|View)(?: Function)? with name \"?([^\s\"]+)\"? does not exist", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Names and SQL types of the columns, and the rows as Python values (timestamps aware, in UTC)."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]


def query(location: LakeLocation, sql: str) -> QueryResult:
    """Run one SELECT or EXPLAIN on the lake as it stands at one moment.

    Raises SinkError when the lake is missing or cannot be opened, TaktError for a statement that is wrong or
    not allowed; both with the fix.
    """
    connection = open_reader(location)
    try:
        return run(connection, sql, location)
    finally:
        connection.close()


def open_reader(location: LakeLocation) -> duckdb.DuckDBPyConnection:
    """Connection for `run` that can read the lake and nothing else, for good."""
    connection = connect(location, read_only=True)
    # DuckDB lets queries read the folder it spills to, so that is one of this connection's own, gone with it.
    spill = Path(tempfile.gettempdir()) / f"takt-{uuid4().hex}"
    connection.execute(f"SET temp_directory = {literal(str(spill))}")
    connection.execute(f"SET allowed_directories = [{literal(f'{location.data}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def run(connection: duckdb.DuckDBPyConnection, sql: str, location: LakeLocation) -> QueryResult:
    """As `query`, on an open reader."""
    try:
        _check(connection, sql)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return interruptible(connection, lambda: _fetch(connection, sql))
            except duckdb.Error as error:
                if not retriable(error) or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise _query_error(connection, error) from error
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        raise TaktError(f"the query failed: {error}", fix="use TRY_CAST, or change the query") from error
    except duckdb.PermissionException as error:
        raise TaktError(str(error), fix="query tables of the lake; other files are out of reach here") from error
    except duckdb.Error as error:
        raise sink_error(error, place=str(location), secret=location.secret) from error


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> QueryResult:
    result = connection.execute(sql)
    described = result.description or []
    return QueryResult([d[0] for d in described], [str(d[1]) for d in described], result.fetchall())


def _check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise TaktError unless `sql` is one statement that only reads."""
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        # DuckDB first makes a type of the values that it finds.
        hint = "; PIVOT is one where it names its values: ON x IN ('a', 'b')" if "pivot" in sql.lower() else ""
        raise TaktError(f"{len(statements)} statements given", fix=f"give exactly one SELECT{hint}")
    kind = statements[0].type
    if kind not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        raise TaktError(f"{kind.name} is not allowed: the lake is open read-only", fix="give a SELECT")
    text = sql
    if kind == duckdb.StatementType.EXPLAIN:
        text = _EXPLAIN.sub("", statements[0].query, count=1)
    row = connection.execute(f"SELECT json_serialize_sql({literal(text)})").fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise TaktError("this form of statement is not allowed", fix="give a plain SELECT or EXPLAIN SELECT")
    for name in _functions(tree):
        if name in _DENIED or (name.startswith(_DENIED_PREFIXES) and name not in _ALLOWED):
            raise TaktError(f"function {name} is not allowed here", fix="`takt lake compact` does maintenance")


def _functions(node: object) -> Iterator[str]:
    """Names of all functions called in a serialised syntax tree."""
    if isinstance(node, dict):
        if "function_name" in node:
            yield str(node["function_name"]).lower()
        for child in node.values():
            yield from _functions(child)
    elif isinstance(node, list):
        for child in node:
            yield from _functions(child)


def _query_error(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> TaktError:
    missing = _MISSING_TABLE.search(str(error))
    if not missing:
        return TaktError(str(error), fix="change the statement at the mark; columns: FROM meta.columns")
    names = [row[0] for row in connection.execute(_READABLE).fetchall()]
    wanted = missing.group(1).split(".")[-1]
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    plain = [name for name in names if not name.endswith("_as_of")]
    known = (
        f"did you mean {' or '.join(close)}?"
        if close
        else "the lake is empty: a flow makes the tables with its first commit"
        if not plain
        else f"known are {', '.join(plain)}; outputs also as <output>_as_of(t)"
    )
    return TaktError(f"there is no table or view {missing.group(1)!r}", fix=known)


_READABLE = """
SELECT if(schema_name = 'main', name, schema_name || '.' || name) AS readable
FROM (
    SELECT database_name, schema_name, view_name AS name FROM duckdb_views()
    UNION ALL
    SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE schema_name = 'meta'
    UNION ALL
    SELECT database_name, schema_name, function_name FROM duckdb_functions() WHERE function_type = 'table_macro'
)
WHERE database_name = 'lake' ORDER BY readable
"""
