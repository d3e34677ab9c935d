"""A SQL mapping reads the files it is told to, and what no message can say is left to the gate."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flows.ingest import to_file
from schemas.adapters.sql_mapping import mapped
from schemas.errors import SinkError, SourceError
from schemas.registry import find_contract

READING = find_contract("sensor.reading@1", None)


def messages(query: str, folder: Path) -> list[dict[str, object]]:
    """What the query gives, with the columns of a reading that the test does not care about."""
    whole = f"SELECT 'm' AS entity, 'x' AS metric, '1' AS unit, * FROM ({query})"
    return [msgspec.json.decode(one) for batch in mapped(whole, READING, folder=folder) for one in batch]


def test_files_are_those_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the same name in the working folder is not read in place of the one in the folder given."""
    here, data = tmp_path / "here", tmp_path / "data"
    for folder, value in ((here, 1), (data, 2)):
        folder.mkdir()
        (folder / "counts.csv").write_text(f"day,value\n2026-03-02,{value}\n")
    monkeypatch.chdir(here)
    (found,) = messages("SELECT value, day AS event_time FROM 'counts.csv'", data)
    assert found["value"] == 2
    assert Path.cwd() == here


def test_a_day_is_its_first_moment(tmp_path: Path) -> None:
    """Days, as DuckDB finds them in CSV files, do for a contract's timestamps."""
    (found,) = messages("SELECT 1 AS value, DATE '2026-03-02' AS event_time", tmp_path)
    assert found["event_time"] == "2026-03-02T00:00:00.000000Z"


@pytest.mark.parametrize("moment", ["TIMESTAMP 'infinity'", "TIMESTAMPTZ '-infinity'", "TIMESTAMP '20000-01-01'"])
def test_times_out_of_range_are_left_to_the_gate(tmp_path: Path, moment: str) -> None:
    """A time that RFC 3339 cannot tell is no crash but text that the gate refuses, and the other rows are there."""
    both = f"SELECT * FROM (VALUES (1, {moment}), (2, TIMESTAMP '2026-03-02')) AS t(value, event_time)"
    found = {one["value"]: str(one["event_time"]) for one in messages(both, tmp_path)}
    assert found[1].lstrip("-").isdigit()
    assert found[2] == "2026-03-02T00:00:00.000000Z"


@pytest.mark.parametrize("end", [";", "; -- é ;\n;", " -- ; SELECT"])
def test_how_a_query_may_end(tmp_path: Path, end: str) -> None:
    """A semicolon and comments behind a query are no part of it, semicolons in text are."""
    query = "SELECT 'é;' AS entity, 'x' AS metric, 1 AS value, '1' AS unit, DATE '2026-03-02' AS event_time"
    (batch,) = mapped(query + end, READING, folder=tmp_path)
    assert msgspec.json.decode(batch[0])["entity"] == "é;"


def test_two_queries(tmp_path: Path) -> None:
    """None of two statements is left out in silence."""
    with pytest.raises(SourceError, match="more than one statement"):
        next(mapped("SELECT 1; SELECT 2", READING, folder=tmp_path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A wrong --data is told, even where the query would find its file elsewhere."""
    with pytest.raises(SourceError, match="cannot be entered: No such file") as caught:
        messages("SELECT 1 AS value, now() AS event_time", tmp_path / "none")
    assert "--data" in caught.value.fix


@pytest.mark.parametrize("name", [".", "file/x"])
def test_where_no_file_can_be_written(tmp_path: Path, name: str) -> None:
    """A folder as target, or a file as folder, is told with the fix."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"is a folder|Not a directory"):
        to_file([[b"{}"]], tmp_path / name, lambda _: None)
