"""Query results as text: a table for people, CSV and JSON lines for programs.

| value      | table               | csv                       | json                      |
|------------|---------------------|---------------------------|---------------------------|
| NULL       | NULL                | empty                     | null                      |
| empty text | empty               | ""                        | ""                        |
| NaN, inf   | NaN, Infinity       | NaN, Infinity             | "NaN", "Infinity"         |
| timestamp  | RFC 3339 in UTC     | RFC 3339 in UTC           | RFC 3339 in UTC           |
| bytes      | text, else hex      | base64                    | base64                    |
| list, map  | JSON                | JSON                      | JSON                      |
| decimal    | digits              | digits                    | digits, as text           |
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from io import StringIO
from typing import Any, Literal

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dashboards.sql import QueryResult

Format = Literal["table", "csv", "json"]

UNLIMITED = 100_000
"""Width of a table that is not shown on a terminal."""


def render(result: QueryResult, form: Format, *, width: int | None = None) -> str:
    """The whole result as text ending in a newline; `width` is that of the terminal, None for no limit."""
    if form == "table":
        return _table(result, width or UNLIMITED)
    lines = _csv(result) if form == "csv" else _json(result)
    return "".join(f"{line}\n" for line in lines)


def _table(result: QueryResult, width: int) -> str:
    cells = [[_visible(_cell(value)) for value in row] for row in result.rows]
    widths = [max(map(cell_len, column)) for column in zip(result.columns, *cells, strict=True)]
    body = _records(result, cells) if sum(widths) + 3 * len(widths) > width else _grid(result, cells)
    rows = len(cells)
    return f"{body}({rows} row{'' if rows == 1 else 's'})\n"


def _grid(result: QueryResult, cells: list[list[str]]) -> str:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, kind in zip(result.columns, result.types, strict=True):
        table.add_column(Text(_visible(name)), justify="right" if kind in _NUMBERS else "left")
    for row in cells:
        table.add_row(*map(Text, row))
    out = StringIO()
    Console(file=out, width=UNLIMITED, color_system=None, force_terminal=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _records(result: QueryResult, cells: list[list[str]]) -> str:
    """One line per value, for rows that are wider than the terminal."""
    names = [_visible(name) for name in result.columns]
    pad = max(map(len, names))
    blocks = (
        [f"-- row {number}", *(f"{name:<{pad}}  {cell}" for name, cell in zip(names, row, strict=True))]
        for number, row in enumerate(cells, start=1)
    )
    return "".join(f"{line}\n" for block in blocks for line in block)


_NUMBERS = frozenset({"BIGINT", "INTEGER", "DOUBLE", "FLOAT", "HUGEINT", "NUMBER", "UBIGINT"})


def _csv(result: QueryResult) -> Iterator[str]:
    yield ",".join(map(_quoted, result.columns))
    for row in result.rows:
        yield ",".join("" if value is None else _quoted(_text(value)) for value in row)


def _quoted(text: str) -> str:
    """CSV field (RFC 4180); an empty text is quoted, so that it differs from NULL."""
    if text and not any(mark in text for mark in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _json(result: QueryResult) -> Iterator[str]:
    names = _distinct(result.columns)
    for row in result.rows:
        yield _as_json(dict(zip(names, row, strict=True)))


def _distinct(names: list[str]) -> list[str]:
    """Column names made different, for a JSON object has each key once.

    >>> _distinct(["a", "a", "a_1"])
    ['a', 'a_2', 'a_1']
    """
    seen = set(names)
    out: list[str] = []
    for name in names:
        new, number = name, 1
        while new in out or (new != name and new in seen):
            number += 1
            new = f"{name}_{number}"
        out.append(new)
    return out


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"0x{value.hex()}"
    return _text(value)


def _visible(text: str) -> str:
    """Control characters but the line feed as escapes: data must not steer the reader's terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _text(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    return _as_json(value)


def _as_json(value: Any) -> str:
    return msgspec.json.encode(_plain(value)).decode()


def _plain(value: Any) -> Any:
    """Value with what JSON lacks written as text."""
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return _scalar(value)


def _scalar(value: Any) -> float | str:
    match value:
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return _timestamp(value)
        case date() | time_of_day():
            return value.isoformat()
        case _:
            return str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _timestamp(value: datetime) -> str:
    """RFC 3339 in UTC with "Z"; a timestamp without zone stays without."""
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
