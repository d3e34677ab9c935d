"""Files as a stream, read the way the engine reads them."""

from __future__ import annotations

import gzip
import os

import polars as pl
import pytest

from flows.sources import file_reader, files
from flows.sources.files import PARTITION
from flows.valve import Valves
from schemas.errors import BreakerOpenError, RecoveryError, SourceError
from tests.flows.sources.reading import batches, messages, partition, rows


def test_every_line_is_a_row_with_its_line_number(tmp_path):
    """Blank lines, carriage returns, bytes that are no text and a last line without newline are rows as they are."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n\n{"b":2}\r\n\xff\xfe\n  \n{"c":3}')
    expected = [b'{"a":1}', b"", b'{"b":2}\r', b"\xff\xfe", b"  ", b'{"c":3}']
    assert rows(partition(path)) == [("a.jsonl", i, m) for i, m in enumerate(expected)]


@pytest.mark.parametrize("content", [b"", b"\n", b"x", b"x\n", b"\n\n", b"x\ny"])
def test_newlines_end_lines_and_begin_none(tmp_path, content):
    """As many rows as Python counts lines; an empty file has none."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert messages(partition(path)) == content.splitlines()


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_where_a_poll_ends_changes_no_row(tmp_path, monkeypatch, chunk):
    """Rows, offsets and order are the same for every chunk size; lines longer than a chunk are whole."""
    monkeypatch.setattr(files, "_CHUNK", chunk)
    (tmp_path / "a.jsonl").write_bytes(b"1\n22\n\n4444444444\n5")
    (tmp_path / "b.jsonl").write_bytes(b"6\n7\n")
    assert rows(partition(tmp_path)) == [
        ("a.jsonl", 0, b"1"),
        ("a.jsonl", 1, b"22"),
        ("a.jsonl", 2, b""),
        ("a.jsonl", 3, b"4444444444"),
        ("a.jsonl", 4, b"5"),
        ("b.jsonl", 0, b"6"),
        ("b.jsonl", 1, b"7"),
    ]


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_reading_goes_on_at_every_snapshot(tmp_path, monkeypatch, chunk):
    """From the snapshot after each batch a new reader reads exactly the rest."""
    monkeypatch.setattr(files, "_CHUNK", chunk)
    (tmp_path / "a.jsonl").write_bytes(b"1\n22\n\n4444444444\n5")
    (tmp_path / "b.jsonl").write_bytes(b"")
    (tmp_path / "c.jsonl").write_bytes(b"6\n7\n")
    whole = rows(partition(tmp_path))
    part, read = partition(tmp_path), 0
    for batch in batches(part):
        read += len(batch)
        assert rows(partition(tmp_path, part.snapshot())) == whole[read:]
    assert read == len(whole) == 7


def test_silence_is_told_once_a_second(tmp_path, monkeypatch):
    """While nothing comes, an empty batch a second shows the flow that the source is idle."""
    now = 100.0
    monkeypatch.setattr(files.time, "monotonic", lambda: now)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    part = partition(path, follow=True)
    told = []
    for _ in range(30):
        told.append([len(b) for b in part.next_batch()])
        now += 0.25
    assert told[0] == [1]
    assert [i for i, lengths in enumerate(told) if lengths == [0]] == [4, 8, 12, 16, 20, 24, 28]
    assert part.next_awake() is not None


def test_parquet_rows_are_messages_and_reading_goes_on_at_a_row(tmp_path, monkeypatch):
    """Parquet rows become JSON objects; timestamps are written as contracts want them; a snapshot is a row number."""
    monkeypatch.setattr(files, "_PARQUET_ROWS", 2)
    frame = pl.DataFrame({"robot": ["r1", "r2", "r3"], "x": [1.5, None, 2.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_bytes(b"{}\n")
    part = partition(tmp_path)
    assert [list(b.messages) for b in part.next_batch()] == [[b'{"robot":"r1","x":1.5}', b'{"robot":"r2"}']]
    assert rows(partition(tmp_path, part.snapshot())) == [
        ("a.parquet", 2, b'{"robot":"r3","x":2.0}'),
        ("b.jsonl", 0, b"{}"),
    ]


def test_line_of_five_megabytes_is_one_row(tmp_path):
    """A line longer than a poll is read whole and does not hide its neighbours; the gate decides on it."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n" + b"x" * 5_000_000 + b"\n3\n")
    assert [len(m) for m in messages(partition(path))] == [1, 5_000_000, 1]


def test_file_without_lines_is_refused(tmp_path, monkeypatch):
    """A line beyond all measure says that this is no file of lines, naming file and line."""
    monkeypatch.setattr(files, "_CHUNK", 100)
    monkeypatch.setattr(file_reader, "_LONGEST_LINE", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n" + b"x" * 5_000)
    with pytest.raises(SourceError, match=r"a\.jsonl line 2 is over 1,000 bytes"):
        rows(partition(path))


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("content", "kind", "fix"),
    [
        (gzip.compress(b'{"a":1}\n{"a":2}\n'), "gzip", "unpack it"),
        (b"PAR1\n", "Parquet", r"let its name end in \.parquet"),
        ('{"a":1}\n'.encode("utf-16"), "UTF-16", "write it as UTF-8"),
    ],
    ids=["gzip", "parquet", "utf-16"],
)
def test_files_that_hold_no_lines_are_refused_as_what_they_are(tmp_path, content, kind, fix, follow):
    """A file of another kind is named with the way out, and not taken to pieces for quarantine."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(content + b"\n")
    with pytest.raises(SourceError, match=f"a.jsonl is {kind}, not JSON lines\n  fix: {fix}"):
        rows(partition(tmp_path, follow=follow))


@pytest.mark.parametrize("first", [b"\xff\xfe\xfd", b"BZh", b"\x1f", b"PK"])
def test_a_broken_first_message_is_a_message(tmp_path, first):
    """What only begins like another kind of file is left to the gate."""
    (tmp_path / "a.jsonl").write_bytes(first + b'\n{"a":1}\n')
    assert messages(partition(tmp_path)) == [first, b'{"a":1}']


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path, monkeypatch):
    """It is passed over at the beginning of a file and nowhere else, and reading goes on at the right byte."""
    monkeypatch.setattr(files, "_CHUNK", 8)
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a":1}\n\xef\xbb\xbf{"a":2}\n')
    assert messages(partition(tmp_path)) == [b'{"a":1}', b'\xef\xbb\xbf{"a":2}']


def test_missing_path_is_refused_by_name(tmp_path):
    """A path that is not there stops the start, naming source, path and setting."""
    with pytest.raises(SourceError, match=r"'telemetry': .*nowhere.* does not exist(.|\n)*sources\.telemetry\.path"):
        partition(tmp_path / "nowhere")


def test_a_pipe_is_refused(tmp_path):
    """What was read of it could not be read again after a crash, and its reader would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="pipe is neither a file nor a folder"):
        partition(tmp_path / "pipe")


def test_file_that_vanished_is_refused_by_name(tmp_path):
    """A file that is gone when reading is to go on in it is an error, not an end."""
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    part = partition(tmp_path)
    part.next_batch()
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(SourceError, match=r"a\.jsonl was read up to line 2 and is gone"):
        part.next_batch()


@pytest.mark.parametrize("follow", [False, True])
def test_file_that_became_shorter_is_refused(tmp_path, follow):
    """A position beyond the end of the file means that it was cut or replaced: silence would lose its rows."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n3\n")
    part = partition(path, follow=follow)
    assert len(messages(part)) == 3
    path.write_bytes(b"4\n")
    with pytest.raises(SourceError, match=r"a\.jsonl was read up to line 3 and has become shorter"):
        rows(partition(path, part.snapshot(), follow=follow))


@pytest.mark.parametrize("follow", [False, True])
def test_file_that_was_written_anew_is_refused(tmp_path, follow):
    """A file of at least the old length that does not hold what was read; one that grew or was moved goes on."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n3\n")
    part = partition(path, follow=follow)
    assert len(messages(part)) == 3
    path.write_bytes(b"1\n2\n4\n5\n")
    with pytest.raises(SourceError, match=r"a\.jsonl was read up to line 3, and does not hold what was read"):
        rows(partition(path, part.snapshot(), follow=follow))
    path.write_bytes(b"1\n2\n3\n5\n")
    moved = path.rename(tmp_path / "b.jsonl")
    grown = partition(moved, part.snapshot(), follow=follow)
    assert messages(grown) == [b"5"]
    assert messages(partition(moved, grown.snapshot(), follow=follow)) == []


def test_file_that_is_written_anew_while_it_is_followed_is_refused(tmp_path):
    """A log that was cut and is as long again by the next look: its beginning would be passed over."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    part = partition(path, follow=True)
    assert messages(part) == [b"1"]
    path.write_bytes(b"2\n3\n")
    with pytest.raises(SourceError, match=r"a\.jsonl was read up to line 1, and does not hold what was read"):
        part.next_batch()


@pytest.mark.parametrize("more", [b"\n", b"\n3\n", b"\r\n3\n"])
@pytest.mark.parametrize("chunk", [1, 1000])
def test_the_newline_of_a_last_line_that_had_none_is_no_line(tmp_path, monkeypatch, more, chunk):
    """A bounded run reads a line without newline at the end; what is appended later begins with that newline."""
    monkeypatch.setattr(files, "_CHUNK", chunk)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2")
    part = partition(path)
    assert messages(part) == [b"1", b"2"]
    with path.open("ab") as file:
        file.write(more)
    later = partition(path, part.snapshot())
    assert rows(later) == [("a.jsonl", 2, b"3")] * (more != b"\n")
    assert later.position[2] == path.stat().st_size


def test_parquet_file_that_was_written_anew_is_refused(tmp_path):
    """The same for rows of a Parquet file."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(path)
    part = partition(path)
    assert len(messages(part)) == 3
    pl.DataFrame({"n": [1, 2, 3, 4]}).write_parquet(path)
    assert messages(partition(path, part.snapshot())) == [b'{"n":4}']
    pl.DataFrame({"n": [1, 2, 4, 5]}).write_parquet(path)
    with pytest.raises(SourceError, match="does not hold what was read"):
        rows(partition(path, part.snapshot()))


def test_parquet_file_that_became_shorter_is_refused(tmp_path):
    """The same for rows of a Parquet file."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(path)
    part = partition(path)
    assert len(messages(part)) == 3
    pl.DataFrame({"n": [1]}).write_parquet(path)
    with pytest.raises(SourceError, match="has become shorter"):
        rows(partition(path, part.snapshot()))


def test_broken_parquet_file_is_refused_by_name(tmp_path):
    """A file that only claims to be Parquet stops the flow with its name."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"a\.parquet is not a readable Parquet file"):
        rows(partition(tmp_path))


def test_shut_valve_stops_a_bounded_source_only_when_all_was_told(tmp_path, monkeypatch):
    """While the breaker is open nothing is read; the error names file, line and rule once quarantine is stored."""
    monkeypatch.setattr(files, "_CHUNK", 4)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n3\n4\n")
    valves = Valves(0.0)
    part = partition(path, valves=valves)
    assert [list(b.messages) for b in part.next_batch()] == [[b"1", b"2"]]
    valves.of(PARTITION).shut("rule battery.range fails")
    for _ in range(3):
        assert part.next_batch() == []
        part.snapshot()
    with pytest.raises(BreakerOpenError, match=r"'telemetry', a\.jsonl line 3: rule battery\.range fails"):
        part.next_batch()


def test_input_that_is_read_to_its_end_ends_though_the_valve_is_shut(tmp_path):
    """With nothing left to read there is nothing to stop for."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    valves = Valves(60.0)
    part = partition(path, valves=valves)
    part.next_batch()
    valves.of(PARTITION).shut("rule battery.range fails")
    with pytest.raises(StopIteration):
        part.next_batch()


def test_followed_source_pauses_and_reads_a_probe(tmp_path, monkeypatch):
    """While the breaker is open a followed source reads one batch per pause, and freely again when it closes."""
    now = 100.0
    monkeypatch.setattr("flows.valve.time.monotonic", lambda: now)
    monkeypatch.setattr(files, "_CHUNK", 2)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n3\n4\n5\n")
    valves = Valves(30.0)
    part = partition(path, follow=True, valves=valves)
    valve = valves.of(PARTITION)
    valve.shut("rule x fails")
    assert part.next_batch() == []
    now += 29
    assert part.next_batch() == []
    now += 2
    assert [list(b.messages) for b in part.next_batch()] == [[b"1"]]
    valve.shut("rule x fails")
    assert part.next_batch() == []
    now += 31
    assert [list(b.messages) for b in part.next_batch()] == [[b"2"]]
    valve.open()
    assert messages(part) == [b"3", b"4", b"5"]


def test_a_position_of_another_version_is_refused(tmp_path):
    """Where another version of Takt left off is not guessed at: the error says what to do."""
    (tmp_path / "a.jsonl").write_bytes(b"{}\n")
    for other in [("a.jsonl", 3, 1, ()), (0, "a.jsonl", 3, 1, (), b"")]:
        with pytest.raises(RecoveryError, match="state of source 'telemetry' has version") as caught:
            partition(tmp_path, other)
        assert caught.value.fix
