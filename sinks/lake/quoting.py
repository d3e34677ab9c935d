"""SQL text from our own names and values: the one place that quotes."""

from __future__ import annotations

from datetime import datetime


def identifier(name: str) -> str:
    """Quoted SQL identifier.

    >>> identifier('last')
    '"last"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | datetime) -> str:
    """SQL constant: text, whole number, or aware timestamp.

    Values stand in the text of a statement because a bound parameter makes DuckDB import pandas, which takes more
    than a second of the start of every flow.

    >>> literal("it's"), literal(7)
    ("'it''s'", '7')
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat()}'"
    return str(int(value))
