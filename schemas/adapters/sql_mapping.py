"""A SQL mapping: one query over any file that DuckDB reads, returning a contract's columns, is a stream.

The query's columns must be fields of the contract, with its names. Rows come in event-time order. Where the
query gives no idempotency key, a row's key is the MD5 of all its values, so two rows that agree in every
column are one event. Values are checked by the gate like any other message, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from schemas.adapters.json_rows import as_json
from schemas.contract import Contract
from schemas.errors import ContractError, SourceError

_ROWS = 16_384


def mapped(query: str, contract: Contract, *, folder: Path) -> Iterator[list[bytes]]:
    """Batches of JSON messages of `contract`, in event-time order. Relative paths in the query start at `folder`.

    Raises SourceError when the query fails, ContractError when its columns do not fit the contract.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET file_search_path = '{str(folder.absolute()).replace(chr(39), chr(39) * 2)}'")
        try:
            columns = [
                row[0]
                for row in connection.execute(f"DESCRIBE SELECT * FROM ({_clean(query)}\n) AS mapping").fetchall()
            ]
            _check(columns, contract)
            reader = connection.execute(_ordered(_clean(query), columns, contract)).to_arrow_reader(_ROWS)
            for batch in reader:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a record batch is always a frame
                yield as_json(frame)
        except duckdb.Error as error:
            raise SourceError(f"the mapping query failed: {error}", fix="try it in `duckdb` until it runs") from error


def _clean(query: str) -> str:
    return query.strip().rstrip(";")


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


def _ordered(query: str, columns: list[str], contract: Contract) -> str:
    derived = [f"md5(to_json(mapping)::VARCHAR) AS {_quoted(k)}" for k in _derivable(contract) if k not in columns]
    order = [contract.event_time_field, *contract.idempotency_key]
    selected = ", ".join(["*", *derived])
    return f"SELECT {selected} FROM ({query}\n) AS mapping ORDER BY {', '.join(map(_quoted, order))}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
