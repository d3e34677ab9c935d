"""Reading files to the end, as tests do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows.sources.files import PARTITION, FilePartition, FileSource, FileSourceOptions, Position
from flows.valve import Valves
from schemas.batch import RawBatch


def partition(
    path: Path, resume: Position | None = None, *, follow: bool = False, valves: Valves | None = None
) -> FilePartition:
    source = FileSource(FileSourceOptions("telemetry", path, follow, 7), valves or Valves(0.0))
    assert source.list_parts() == [PARTITION]
    return source.build_part("step", PARTITION, resume)


def batches(part: FilePartition) -> Iterator[RawBatch]:
    """All batches until the end of a bounded input, or until a followed one has nothing more."""
    while True:
        try:
            found = part.next_batch()
        except StopIteration:
            return
        if not found:
            return
        yield from found


def rows(part: FilePartition) -> list[tuple[str, int, bytes]]:
    """File, offset and message of every row."""
    return [
        (b.partition, offset, message)
        for b in batches(part)
        for offset, message in zip(b.offsets.tolist(), b.messages, strict=True)
    ]


def messages(part: FilePartition) -> list[bytes]:
    return [message for _, _, message in rows(part)]
