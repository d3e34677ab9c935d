"""Messages as lines of a file: each is one, whatever it holds."""

from __future__ import annotations

import pytest

from flows.ingest import to_file
from schemas.errors import SinkError


def test_a_message_of_several_lines_becomes_one(tmp_path):
    """JSON as people like to read it, from a topic, is one message in a file too, and no batch adds a line."""
    path = tmp_path / "a.jsonl"
    told: list[int] = []
    assert to_file([[b'{\n  "a": 1\n}', b""], [], [b"{"]], path, told.append) == 3
    assert path.read_bytes() == b'{   "a": 1 }\n\n{\n'
    assert told == [2, 2, 3]


def test_what_cannot_be_a_line_is_refused(tmp_path):
    """In a text a line break is not a blank: the message would be another one, and maybe pass. Nothing is written."""
    with pytest.raises(SinkError, match=r"is no JSON.*a\\nb"):
        to_file([[b'{"a":"a\nb"}']], tmp_path / "a.jsonl", lambda _: None)
    assert [*tmp_path.iterdir()] == []
