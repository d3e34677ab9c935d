"""A run tells how far it has come through its files, and that changes nothing else."""

from __future__ import annotations

import polars as pl
import pytest

from flows.progress import Extent, Watched
from flows.run import run
from flows.sources.files import VERSION, FileSource, FileSourceOptions, Position
from flows.valve import Valves

from .warehouse import SOURCE, settings_of, small_day, tables


def test_extent_of_a_folder(tmp_path):
    """Finished files count whole, the current one up to its position, hidden ones not; a new file is found."""
    for name, size in (("a", 10), ("b", 20), (".part", 99)):
        (tmp_path / name).write_bytes(b"x" * size)
    extent = Extent(tmp_path)
    assert extent.at((VERSION, "", 0, 0, (), b"")) == (0, 30)
    assert extent.at((VERSION, "b", 5, 1, (("a", 10, 2, b""),), b"")) == (15, 30)
    (tmp_path / "c").write_bytes(b"x" * 70)
    assert extent.at((VERSION, "c", 70, 9, (("a", 10, 2, b""), ("b", 20, 4, b"")), b"")) == (100, 100)


def test_extent_of_parquet_goes_by_rows(tmp_path):
    """Half of the rows of a Parquet file are half of its bytes."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": range(100)}).write_parquet(path)
    size = path.stat().st_size
    assert Extent(path).at((VERSION, "a.parquet", 0, 50, (), b"")) == (size // 2, size)


def test_what_cannot_be_measured_is_left_to_the_source(tmp_path):
    """A file that is no Parquet, or gone, stops nothing here: the source says what is wrong with it."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    heard: list[tuple[str, int, int, str]] = []
    source = FileSource(FileSourceOptions("s", tmp_path, follow=False, begun_us=0), Valves(1.0))
    files = Extent(tmp_path)
    for name in ("a.parquet", "gone.parquet"):
        told = lambda *told: heard.append(told)  # noqa: E731
        watched = Watched("s", source, lambda _, position: files.at(position), "bytes", told)
        watched.build_part("in", "files", (VERSION, name, 0, 1, (), b""))
        watched.tell()
    assert heard == []


def test_partitions_may_be_built_while_others_are_read(tmp_path):
    """A worker that reads already asks all partitions where they are, while another is still building its own."""
    (tmp_path / "a").write_bytes(b"1\n")
    source = FileSource(FileSourceOptions("s", tmp_path, follow=False, begun_us=0), Valves(1.0))
    heard: list[tuple[str, int, int, str]] = []
    later = iter(("1", "2"))

    def measure(_: str, position: Position) -> tuple[int, int]:
        for part in later:
            watched.build_part("in", part, (VERSION, "a", 1, 1, (), b""))
        return position[2], 2

    watched = Watched("s", source, measure, "bytes", lambda *told: heard.append(told))
    watched.build_part("in", "0", (VERSION, "a", 2, 1, (), b""))
    watched.tell()
    assert heard == [("s", 2, 2, "bytes")]


def test_the_end_is_told_however_soon_it_comes(tmp_path):
    """The last that is told of a bounded input is that all of it was read."""
    (tmp_path / "a").write_bytes(b"1\n2\n")
    source = FileSource(FileSourceOptions("s", tmp_path, follow=False, begun_us=0), Valves(1.0))
    heard: list[tuple[str, int, int, str]] = []
    files = Extent(tmp_path)
    watched = Watched("s", source, lambda _, place: files.at(place), "bytes", lambda *told: heard.append(told))
    part = watched.build_part("in", "files", None)
    watched.tell()
    assert sum(len(batch) for batches in iter(part.next_batch, None) for batch in batches) == 2
    assert heard == [("s", 0, 4, "bytes"), ("s", 4, 4, "bytes")]


@pytest.mark.slow
def test_progress_rises_to_the_end_and_changes_no_result(tmp_path):
    """Bytes told rise to those of all files, and the lake equals that of a run that nobody watches."""
    (tmp_path / "in").mkdir()
    messages = small_day().messages
    for number in range(4):
        part = messages[number * len(messages) // 4 : (number + 1) * len(messages) // 4]
        (tmp_path / "in" / f"{number}.jsonl").write_bytes(b"".join(m + b"\n" for m in part))
    total = sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    heard: list[tuple[str, int, int, str]] = []
    for name, hears in (("watched", lambda *told: heard.append(told)), ("alone", None)):
        (tmp_path / name).mkdir()
        run(settings_of(tmp_path / name, tmp_path / "in", every_s=0.01), hears)
    assert {(source, *rest) for source, _, *rest in heard} == {(SOURCE, total, "bytes")}
    read = [done for _, done, *_ in heard]
    assert read == sorted(read)
    assert read[-1] > 0
    watched, alone = (tables(settings_of(tmp_path / name, tmp_path / "in")) for name in ("watched", "alone"))
    assert watched == alone
