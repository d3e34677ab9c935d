"""Folders as sources: files that follow each other, grow, come later and are taken away."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
import structlog

from flows.sources import files
from flows.sources.files import FilePartition
from schemas.errors import SourceError
from tests.flows.sources.reading import messages, partition, rows


def test_folder_is_read_in_order_of_name_without_hidden_files(tmp_path):
    """Hidden files and folders are no input, empty files are passed over."""
    for name in ("b.jsonl", "a.jsonl", ".hidden.jsonl", "c.jsonl"):
        (tmp_path / name).write_text(name)
    (tmp_path / "aa.jsonl").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.jsonl").write_text("x")
    assert messages(partition(tmp_path)) == [b"a.jsonl", b"b.jsonl", b"c.jsonl"]


def test_empty_folder_ends_at_once(tmp_path):
    """Nothing to read is an end, not an error."""
    assert rows(partition(tmp_path)) == []


def test_folder_that_grows_is_followed(tmp_path):
    """New lines and new files are read; a line counts once its newline, or a further file, is there."""
    part = partition(tmp_path, follow=True)
    assert messages(part) == []
    first = tmp_path / "a.jsonl"
    first.write_bytes(b"1\n2")
    assert messages(part) == [b"1"]
    with first.open("ab") as file:
        file.write(b"2\n3")
    assert messages(part) == [b"22"]
    assert messages(part) == []
    (tmp_path / "b.jsonl").write_bytes(b"4\n")
    assert rows(part) == [("a.jsonl", 2, b"3"), ("b.jsonl", 0, b"4")]


@pytest.mark.parametrize(("first", "follow"), [(b"1\n", True), (b"1\n", False), (b"1", True)])
def test_a_file_is_read_to_its_end_before_the_next_one(tmp_path, monkeypatch, first, follow):
    """Its writer appends the last line and begins the next file just after the reader has found nothing more."""
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    a.write_bytes(first)
    look = FilePartition._following

    def write_and_look(part: FilePartition) -> str | None:
        if not b.exists():
            a.write_bytes(b"1\n2\n")
            b.write_bytes(b"3\n")
        return look(part)

    monkeypatch.setattr(FilePartition, "_following", write_and_look)
    assert messages(partition(tmp_path, follow=follow)) == [b"1", b"2", b"3"]


def test_rows_arrive_when_they_are_written_and_not_before_the_run_began(tmp_path):
    """What is true today is not from the future for a run that began last week; nor is old data that it found."""
    path = tmp_path / "a.jsonl"
    part = partition(tmp_path, follow=True)
    arrivals = []
    for line, written_s in ((b"old\n", 0), (b"first\n", 1_000), (b"second\n", 2_000)):
        with path.open("ab") as file:
            file.write(line)
        os.utime(path, (written_s, written_s))
        (batch,) = part.next_batch()
        arrivals += batch.arrival_us.tolist()
    assert arrivals == [7, 1_000_000_000, 2_000_000_000]


def test_the_name_of_a_file_is_no_pattern(tmp_path):
    """A second download is called `a[1]`; and what looks like a pattern does not bring in other files."""
    names = ["a[1].parquet", "b*.parquet", "bc.parquet"]
    for name in names:
        pl.DataFrame({"name": [name]}).write_parquet(tmp_path / name)
    assert messages(partition(tmp_path)) == [b'{"name":"%s"}' % name.encode() for name in names]


def test_a_file_whose_name_is_no_text_stops_the_flow(tmp_path):
    """Rows could not tell where they come from; the error says so with the name as Python writes it."""
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.jsonl")).write_bytes(b"1\n")
    with pytest.raises(SourceError, match=r"'caf\\udce9.jsonl', which is not UTF-8"):
        messages(partition(tmp_path))


def test_file_is_read_whenever_it_turns_up_and_only_once(tmp_path):
    """A file that sorts before one that was read already is not passed over, also after a restart."""
    (tmp_path / "m.jsonl").write_bytes(b"1\n")
    part = partition(tmp_path, follow=True)
    assert messages(part) == [b"1"]
    (tmp_path / "~replay.jsonl").write_bytes(b"2\n")
    assert messages(part) == [b"2"]
    (tmp_path / "n.jsonl").write_bytes(b"3\n")
    (tmp_path / "a.jsonl").write_bytes(b"4\n")
    restarted = partition(tmp_path, part.snapshot(), follow=True)
    assert messages(restarted) == messages(part) == [b"4", b"3"]
    assert messages(partition(tmp_path, part.snapshot(), follow=True)) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_that_grows_on_behind_another_is_read_on(tmp_path, restarted):
    """A replay, or a decision, is a file of its own; whoever appends to the one before it goes on doing so."""
    growing = tmp_path / "a.jsonl"
    growing.write_bytes(b"1\n2\n")
    part = partition(tmp_path, follow=True)
    assert messages(part) == [b"1", b"2"]
    (tmp_path / "replay.jsonl").write_bytes(b"3\n")
    assert messages(part) == [b"3"]
    for number in (4, 5):
        if restarted:
            part = partition(tmp_path, part.snapshot(), follow=True)
        with growing.open("ab") as file:
            file.write(b"%d\n" % number)
        assert rows(part) == [("a.jsonl", number - 2, b"%d" % number)]
        with (tmp_path / "replay.jsonl").open("ab") as file:
            file.write(b"again %d\n" % number)
        assert rows(part) == [("replay.jsonl", number - 3, b"again %d" % number)]


@pytest.mark.parametrize(("now", "told"), [(b"9\n", "has become shorter since"), (b"9\n8\n7\n", "was written anew")])
def test_a_file_that_was_read_and_is_another_now_stops_the_flow(tmp_path, now, told):
    """What is in it was never read, and could be passed over without a word."""
    first = tmp_path / "a.jsonl"
    first.write_bytes(b"1\n2\n")
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    part = partition(tmp_path, follow=True)
    assert messages(part) == [b"1", b"2", b"3"]
    first.write_bytes(now)
    with pytest.raises(SourceError, match=told):
        messages(part)


def test_state_forgets_files_that_were_taken_away(tmp_path):
    """What is stored does not grow with every file that ever was."""
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    part = partition(tmp_path, follow=True)
    for name, finished in (("b", "a.jsonl"), ("c", "b.jsonl")):
        (tmp_path / f"{name}.jsonl").write_bytes(b"x\n")
        rows(part)
        assert [done[0] for done in part.position[4]] == [finished]
        (tmp_path / finished).unlink()


def test_a_folder_is_not_looked_through_for_each_of_its_files(tmp_path, monkeypatch):
    """All that a look finds is read before the next one, or for a second: time does not grow by the square of files."""
    looks, scan, now = 0, os.scandir, 100.0

    def counted(path: Path) -> object:
        nonlocal looks
        looks += 1
        return scan(path)

    monkeypatch.setattr(files.os, "scandir", counted)
    monkeypatch.setattr(files.time, "monotonic", lambda: now)
    for number in range(20):
        (tmp_path / f"{number:02d}.jsonl").write_bytes(b"%d\n" % number)
    part = partition(tmp_path, follow=True)
    for number in range(19):
        assert [list(b.messages) for b in part.next_batch()] == [[b"%d" % number]]
    assert looks == 1
    (tmp_path / "00.jsonl").write_bytes(b"0\ngrown\n")
    now += 1
    assert messages(part) == [b"grown", b"19"]


def test_a_file_that_is_taken_away_before_its_turn_is_passed_over(tmp_path):
    """Nothing of it was read, and nothing can be; the log says so."""
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text(name)
    part = partition(tmp_path)
    part.next_batch()
    (tmp_path / "b.jsonl").unlink()
    with structlog.testing.capture_logs() as logs:
        assert messages(part) == [b"c"]
    assert [(log["event"], log["file"]) for log in logs] == [("source.file_gone", "b.jsonl")]


def test_a_parquet_file_that_is_being_written_is_waited_for(tmp_path):
    """A followed folder is looked at while its writer is at work; what has no end after a minute is broken."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2]}).write_parquet(path)
    whole = path.read_bytes()
    for half in (b"", whole[:-1]):
        path.write_bytes(half)
        assert messages(partition(tmp_path, follow=True)) == []
    part = partition(tmp_path, follow=True)
    assert messages(part) == []
    path.write_bytes(whole)
    assert messages(part) == [b'{"n":1}', b'{"n":2}']
    path.write_bytes(whole[:-1])
    os.utime(path, (0, 0))
    with pytest.raises(SourceError, match=r"a\.parquet is not a readable Parquet file"):
        messages(partition(tmp_path, follow=True))


def test_a_link_that_leads_nowhere_is_no_file_and_one_in_a_circle_is_named(tmp_path):
    """The file of a link may come back; the circle is a mistake that hides one."""
    (tmp_path / "a.jsonl").write_text("a")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "gone.jsonl")
    assert messages(partition(tmp_path)) == [b"a"]
    (tmp_path / "c.jsonl").symlink_to(tmp_path / "c.jsonl")
    with pytest.raises(SourceError, match=r"c\.jsonl cannot be looked at: Too many levels"):
        messages(partition(tmp_path))


def test_a_folder_that_is_taken_away_stops_the_flow(tmp_path):
    """A share that is no longer mounted is no end of its files."""
    folder = tmp_path / "day"
    folder.mkdir()
    part = partition(folder, follow=True)
    assert messages(part) == []
    folder.rmdir()
    with pytest.raises(SourceError, match="day cannot be looked at: No such file"):
        part.next_batch()
