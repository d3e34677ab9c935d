"""Results as table, CSV and JSON lines: nothing lost, nothing made up."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.render import Format, render
from dashboards.sql import QueryResult

NAN = float("nan")
CASES: list[tuple[Any, str, str, Any]] = [
    (None, "NULL", "", None),
    ("", "", '""', ""),
    ("NULL", "NULL", "NULL", "NULL"),
    (NAN, "NaN", "NaN", "NaN"),
    (float("inf"), "Infinity", "Infinity", "Infinity"),
    (-float("inf"), "-Infinity", "-Infinity", "-Infinity"),
    (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004", 0.1 + 0.2),
    (2**63 - 1, "9223372036854775807", "9223372036854775807", 2**63 - 1),
    (2**100, str(2**100), str(2**100), 2**100),
    (True, "true", "true", True),
    (b"text", "text", "dGV4dA==", "dGV4dA=="),
    (b"\xff\x00", "0xff00", "/wA=", "/wA="),
    (datetime(2025, 3, 1, tzinfo=UTC), *["2025-03-01T00:00:00Z"] * 3),
    (datetime(2025, 3, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))), *["2025-03-01T00:00:00.000005Z"] * 3),
    (datetime(2025, 3, 1), *["2025-03-01T00:00:00"] * 3),  # noqa: DTZ001
    (date(2025, 3, 1), *["2025-03-01"] * 3),
    (Decimal("1.10"), *["1.10"] * 3),
    ([1.5, None, NAN], '[1.5,null,"NaN"]', '"[1.5,null,""NaN""]"', [1.5, None, "NaN"]),
    (
        {"a": b"\x00", "b": ["x"]},
        '{"a":"AA==","b":["x"]}',
        '"{""a"":""AA=="",""b"":[""x""]}"',
        {"a": "AA==", "b": ["x"]},
    ),
    ("a,b", "a,b", '"a,b"', "a,b"),
    ('say "x"', 'say "x"', '"say ""x"""', 'say "x"'),
    ("\x1b[2J", "\\x1b[2J", "\x1b[2J", "\x1b[2J"),
    ("[bold]x[/bold]", *["[bold]x[/bold]"] * 3),
]


def one(value: object) -> QueryResult:
    return QueryResult(["v"], ["ANY"], [(value,)])


@pytest.mark.parametrize(("value", "table", "as_csv", "as_json"), CASES)
def test_values(value: object, table: str, as_csv: str, as_json: object) -> None:
    """Each kind of value is written faithfully in each format."""
    assert render(one(value), "table").splitlines()[-2].rstrip() == table
    assert render(one(value), "csv") == f"v\n{as_csv}\n"
    assert json.loads(render(one(value), "json")) == {"v": as_json}


@given(st.lists(st.tuples(st.text(), st.text(alphabet=',"\r\n\x00a ')), max_size=5))
def test_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    """Any text survives CSV as Python reads it."""
    text = render(QueryResult(["a", "b"], ["VARCHAR"] * 2, [*rows]), "csv")
    assert [*csv.reader(StringIO(text, newline=""))] == [["a", "b"], *map(list, rows)]


@given(st.lists(st.tuples(st.text(), st.one_of(st.none(), st.integers(), st.floats(allow_nan=False)))))
def test_json_reads_back(rows: list[tuple[str, object]]) -> None:
    """Any text and number survives JSON lines, one line per row."""
    text = render(QueryResult(["a", "b"], ["VARCHAR", "DOUBLE"], [*rows]), "json")
    infinite = {float("inf"): "Infinity", -float("inf"): "-Infinity"}
    wanted = [{"a": a, "b": infinite.get(b, b) if isinstance(b, float) else b} for a, b in rows]
    assert [json.loads(line) for line in text.split("\n")[:-1]] == wanted


def test_columns_of_one_name() -> None:
    """Two columns of one name are both in the JSON object."""
    result = QueryResult(["a", "a"], ["INTEGER"] * 2, [(1, 2)])
    assert json.loads(render(result, "json")) == {"a": 1, "a_2": 2}


def test_table_wider_than_the_terminal() -> None:
    """Rows that do not fit are shown one value per line; nothing is cut."""
    result = QueryResult(["first", "second"], ["VARCHAR"] * 2, [("x" * 50, "y" * 50)])
    narrow = render(result, "table", width=80)
    assert narrow == f"-- row 1\nfirst   {'x' * 50}\nsecond  {'y' * 50}\n(1 row)\n"
    assert len(render(result, "table", width=120).splitlines()) == 4


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_rows(form: Format) -> None:
    """No rows is no error; table and CSV still name the columns."""
    text = render(QueryResult(["a"], ["INTEGER"], []), form)
    assert text == {"table": "a\n─\n(0 rows)\n", "csv": "a\n", "json": ""}[form]
