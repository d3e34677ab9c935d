"""Is the lake whole, and whose is it? Asked of the catalogue and the folder, through an open connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from schemas.errors import SinkError
from sinks.lake.catalog import LakeLocation
from sinks.lake.quoting import literal

_MAGIC: Final = b"PAR1"
_END: Final = 8  # bytes: length of the footer, and the magic number
_SHOWN: Final = 3
_META: Final = "__ducklake_metadata_lake"
_FILES: Final = f"""
    SELECT s.path || t.path || f.path, f.file_size_bytes, f.footer_size FROM
        (SELECT table_id, path, file_size_bytes, footer_size FROM {_META}.ducklake_data_file
         UNION ALL SELECT table_id, path, file_size_bytes, footer_size FROM {_META}.ducklake_delete_file) AS f
    JOIN {_META}.ducklake_table AS t USING (table_id) JOIN {_META}.ducklake_schema AS s USING (schema_id)
"""


def demand_files(connection: duckdb.DuckDBPyConnection, location: LakeLocation) -> int:
    """How many files the catalogue knows of; SinkError where one is not there as it was written."""
    files = connection.execute(_FILES).fetchall()
    broken = sorted(str(path) for path in _broken(location, files))
    if broken:
        more = f" and {len(broken) - _SHOWN:,} more" if len(broken) > _SHOWN else ""
        raise SinkError(
            f"{len(broken):,} of {len(files):,} files of the lake {location} are missing, cut or overwritten: "
            f"{', '.join(broken[:_SHOWN])}{more}",
            fix="restore lake and recovery folder from one backup, or start a new run with new folders for both",
        )
    return len(files)


def _broken(location: LakeLocation, files: list[tuple[str, int, int]]) -> Iterator[Path]:
    for name, size, footer in files:
        path = location.data / name
        try:
            with path.open("rb") as file:
                file.seek(size - _END)
                end = file.read()
        except FileNotFoundError:
            end = b""
        if end != footer.to_bytes(4, "little") + _MAGIC:
            yield path


def runs_of(connection: duckdb.DuckDBPyConnection, flow: str) -> tuple[frozenset[str], frozenset[str]]:
    """Runs of a flow that opened the lake, and those among them that it has results of."""
    try:
        return _runs(connection, "runs", flow), _runs(connection, "commits", flow)
    except duckdb.CatalogException:  # a new lake
        return frozenset(), frozenset()


def _runs(connection: duckdb.DuckDBPyConnection, table: str, flow: str) -> frozenset[str]:
    rows = connection.execute(f"SELECT DISTINCT run FROM meta.{table} WHERE flow = {literal(flow)}").fetchall()
    return frozenset(run for (run,) in rows)
