"""The spool: bounded, harmless to the flow, never half a sample."""

from __future__ import annotations

import errno
from itertools import count
from pathlib import Path

import pytest

from quality.audit_sample import Sample
from quality.audit_spool import Spool, UnreadableSampleError
from tests.quality.audit_samples import ROBOT_STATE, messages, sample_of

SAMPLE = sample_of(ROBOT_STATE, messages(100))


def spool_in(folder: Path, *, most: int = 3) -> Spool:
    ticks = count(1)
    return Spool(folder, now_ns=lambda: next(ticks), most=most)


def read(spool: Spool) -> list[Sample | None]:
    return [spool.read(path) for path in spool.waiting()]


def test_a_sample_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Bytes, codes and counts survive the file."""
    spool = spool_in(tmp_path / "spool")
    spool.put(SAMPLE)
    assert read(spool) == [SAMPLE]
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_the_oldest_samples_go_when_the_spool_is_full(tmp_path: Path) -> None:
    """Never more than the bound wait; how many went is counted and told with the next sample."""
    spool = spool_in(tmp_path)
    for seen in range(5):
        spool.put(Sample("r", "s", "c", "h", seen, 0, SAMPLE.rows))
    found = read(spool)
    assert [sample.seen for sample in found if sample] == [2, 3, 4]
    assert spool.lost == 2
    assert found[-1] is not None
    assert found[-1].lost == 2


def test_a_spool_that_cannot_be_written_does_not_stop_the_flow(tmp_path: Path) -> None:
    """A sample is lost and counted when its folder has gone."""
    folder = tmp_path / "spool"
    spool = spool_in(folder)
    folder.rmdir()
    spool.put(SAMPLE)
    assert spool.lost == 1


def test_nothing_is_left_of_a_sample_that_a_full_disk_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it would take what room there is, for good."""

    def write_half(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    spool = spool_in(tmp_path)
    spool.put(SAMPLE)
    assert spool.lost == 1
    assert [*tmp_path.iterdir()] == []


def test_a_sample_that_was_thrown_away_under_the_reader_is_no_error(tmp_path: Path) -> None:
    """Between looking and reading the flow may remove a sample."""
    spool = spool_in(tmp_path)
    spool.put(SAMPLE)
    (path,) = spool.waiting()
    spool.remove(path)
    assert spool.read(path) is None


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x81\xa3run\xa1r"])
def test_a_file_that_is_no_sample_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    """What is broken is named, so that it can be removed."""
    spool = spool_in(tmp_path)
    (tmp_path / "1-x.sample").write_bytes(data)
    (path,) = spool.waiting()
    with pytest.raises(UnreadableSampleError, match=r"1-x\.sample"):
        spool.read(path)
