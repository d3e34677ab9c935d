"""A SQL mapping: one query over any file that DuckDB reads, returning a contract's columns, is a stream.

The query's columns must be fields of the contract, with its names. Rows come in event-time order. Where the
query gives no idempotency key, a row's key is the MD5 of all its values, so two rows that agree in every
column are one event. Values are checked by the gate like any other message, not here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from schemas.adapters.interruptible import interruptible
from schemas.adapters.json_rows import as_json
from schemas.contract import Contract
from schemas.errors import ContractError, SourceError

_ROWS = 16_384


def mapped(query: str, contract: Contract, *, folder: Path) -> Iterator[list[bytes]]:
    """Batches of JSON messages of `contract`, in event-time order. Relative paths in the query start at `folder`.

    Raises SourceError when the folder is none or the query fails, ContractError when its columns do not fit the
    contract.
    """
    text = _alone(query)
    # What does not fit into memory is put there, wherever the query works.
    with duckdb.connect(config={"temp_directory": str(Path(".tmp").absolute())}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        try:
            with _within(folder):
                described = connection.execute(f"DESCRIBE SELECT * FROM ({text}\n) AS mapping").fetchall()
                types = {row[0]: row[1] for row in described}
                _check(list(types), contract)
                batches = _batches(connection, _ordered(text, types, contract))
                # Rows are sorted, so with the first of them every file has been read.
                batch = interruptible(connection, lambda: next(batches, None))
            while batch is not None:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a record batch is always a frame
                yield as_json(frame)
                batch = next(batches, None)
        except duckdb.Error as error:
            raise SourceError(
                f"the mapping query failed: {error}", fix="correct it; names of files in it start at --data"
            ) from error


def _alone(query: str) -> str:
    """The query without the semicolon that ends it, and comments behind that. Raises SourceError for more than one."""
    data = query.encode()
    tokens = [at for at, _ in duckdb.tokenize(query)]
    ends = [at for at in tokens if data[at : at + 1] == b";"]
    if not ends:
        return query
    if any(at not in ends for at in tokens if at > ends[0]):
        raise SourceError(
            "the mapping has more than one statement", fix="leave one query, with CTEs where it needs them"
        )
    return data[: ends[0]].decode()


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Any]:
    yield from connection.execute(query).to_arrow_reader(_ROWS)


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    """Work in `folder` for a while: DuckDB's `file_search_path` would still prefer files of the working folder."""
    before = Path.cwd()
    try:
        os.chdir(folder)
    except OSError as error:
        raise SourceError(
            f"{folder}, where file names of the query start, cannot be entered: {error.strerror}", fix="correct --data"
        ) from error
    try:
        yield
    finally:
        os.chdir(before)


def _check(columns: list[str], contract: Contract) -> None:
    unknown = sorted(set(columns) - set(contract.field_names))
    needed = {f.name for f in contract.fields if f.required} - set(_derivable(contract))
    missing = sorted(needed - set(columns))
    if unknown or missing:
        problems = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(
            missing
        )
        raise ContractError(
            f"columns of the query do not fit {contract.key} ({'; '.join(problems)})",
            fix="name the query's columns with AS; the contract has " + ", ".join(contract.field_names),
        )


def _derivable(contract: Contract) -> tuple[str, ...]:
    key = contract.idempotency_key
    return key if len(key) == 1 and contract.field(key[0]).type == "string" else ()


def _ordered(query: str, types: Mapping[str, str], contract: Contract) -> str:
    derived = [f"md5(to_json(mapping)::VARCHAR) AS {_quoted(k)}" for k in _derivable(contract) if k not in types]
    # A day alone, as DuckDB finds it in a CSV file, is its first moment.
    days = [f.name for f in contract.fields if f.type == "timestamp" and types.get(f.name) == "DATE"]
    moments = ", ".join(f"{_quoted(name)}::TIMESTAMP AS {_quoted(name)}" for name in days)
    selected = ", ".join([f"* REPLACE ({moments})" if days else "*", *derived])
    order = [contract.event_time_field, *contract.idempotency_key]
    return f"SELECT {selected} FROM ({query}\n) AS mapping ORDER BY {', '.join(map(_quoted, order))}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
