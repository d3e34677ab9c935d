"""A process that writes epochs into a lake and keeps its token as an engine would: after the lake's commit.

Arguments: lake folder, catalogue URL or "", state file, epochs in all. Each epoch commits three signals and
two late rows. Exits with 0 once all epochs are in.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from sinks.lake.catalog import LakeLocation
from sinks.lake.writer import LakeWriter
from tests.sinks.lake.frames import rows_of


def main(folder: str, catalog: str, state: Path, epochs: int) -> None:
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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
