"""A process that writes epochs into a lake and keeps its token as an engine would: after the lake's commit."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from sinks.lake.catalog import LakeLocation
from sinks.lake.writer import LakeWriter
from tests.sinks.lake.frames import rows_of


def main(folder: str, catalog: str, state: Path, epochs: int) -> None:
    """Write until so many epochs are in the lake, each of three signals and two late rows; `catalog` is a URL or ""."""
    writer = LakeWriter(
        LakeLocation(Path(folder), catalog or None),
        "run-1",
        "throughput",
        "lake-0",
        compact_every=timedelta(seconds=3),
    )
    done, token = map(int, state.read_text().split()) if state.exists() else (0, None)
    writer.resume(token)
    for epoch in range(done, epochs):
        writer.append("signal", rows_of("signal", 3, first=10 * epoch))
        writer.append("late", rows_of("late", 2, first=10 * epoch))
        token = writer.commit()
        new = state.with_suffix(".new")
        new.write_text(f"{epoch + 1} {token}")
        os.replace(new, state)  # noqa: PTH105  one call that is atomic, as an engine's commit is
    writer.close()
