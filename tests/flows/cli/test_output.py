"""What commands print, where it cannot be printed, and queries that cannot be read."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from sinks.lake.catalog import LakeLocation, connect
from tests.flows.cli.command import takt
from tests.takt_client import ask
from tests.takt_served import SOCKET, served

NAME = "é漢"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with settings and a lake without tables."""
    (tmp_path / "takt.toml").write_text('[lake]\nfolder = "lake"\n')
    connect(LakeLocation(tmp_path / "lake"), read_only=False).close()
    return tmp_path


def printed(folder: Path, arguments: Sequence[str], given: str | Path, to: Path) -> tuple[int, str]:
    """Exit code and errors of a command that reads a file and prints into another."""
    with Path(given).open("rb") as asked, to.open("wb") as out, (folder / "err").open("w+b") as err:
        streams = [asked.fileno(), out.fileno(), err.fileno()]
        code = ask(str(served() / SOCKET), list(arguments), str(folder), dict(os.environ), streams)
        err.seek(0)
        return code, err.read().decode()


def test_a_full_disk_behind_standard_output(folder: Path) -> None:
    """Where output goes to a full disk, the command says so and fails."""
    code, said = printed(folder, ["sql", "-c", "SELECT 1"], os.devnull, Path("/dev/full"))
    assert code == 1
    assert said.splitlines()[0] == "error: standard output cannot be written: No space left on device"
    assert "fix:" in said


def test_a_query_that_is_not_utf8(folder: Path) -> None:
    """Bytes that are no text are refused with the fix: in a file, on standard input, as an argument."""
    (folder / "query.sql").write_bytes(b"SELECT '\xff'")
    wrong = takt(folder, "sql", "--file", "query.sql", code=1).stderr
    assert "query query.sql cannot be read" in wrong
    assert "write it in UTF-8" in wrong
    code, said = printed(folder, ["sql"], folder / "query.sql", folder / "out")
    assert code == 1
    assert "the query cannot be read" in said
    assert "the query cannot be read" in takt(folder, "sql", "-c", "SELECT '\udcff'", code=1).stderr


def run(*arguments: str) -> object:
    """Exit code of a command that runs in this process."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("flows.cli").app(list(arguments))
    return ended.value.code


def test_a_locale_without_the_letters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's locale cannot write is printed as escapes."""
    printed = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(printed, "latin-1", write_through=True))
    query = ["sql", "-s", str(folder / "takt.toml"), "-c", f"SELECT '{NAME}' AS name"]
    assert run(*query, "--format", "csv") == 0
    assert printed.getvalue() == b"name\n\xe9\\u6f22\n"


def test_a_place_that_cannot_be_made(folder: Path) -> None:
    """A lock or a demo that cannot be written is an error with its path and the fix, not a traceback."""
    (folder / "lake" / "locks").touch()
    for arguments, place in (
        (["lake", "compact"], "lake/locks/maintenance.lock"),
        (["demo", "--folder", "lake/locks/demo"], "lake/locks/demo"),
    ):
        code, said = printed(folder, arguments, os.devnull, folder / "out")
        assert code == 1
        assert said.startswith("error: ")
        assert place in said.splitlines()[0]
        assert "fix:" in said
