"""The standard job as Takt does it: gate, quarantine, dedupe, windows, lake, recovery, all on.

python -m benchmarks.takt_job INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.job import DEDUPE_S, LATENESS_S, WINDOW_S
from flows.run import run
from flows.settings import AuditSettings, FileSource, Lake, Recovery, Settings, Time

SOURCE = "robots"


def settings(source: Path, out: Path) -> Settings:
    """The job's settings; all else is as it comes. Windows are emitted once: lateness is disorder here.

    The audit is off: it is another process on samples, whose cost does not grow with the rows.
    """
    return Settings(
        lake=Lake(folder=out / "lake"),
        recovery=Recovery(folder=out / "recovery"),
        sources={SOURCE: FileSource(kind="files", contract="robot.state@1", path=source)},
        audit=AuditSettings(enabled=False),
        time=Time(window_s=WINDOW_S, disorder_s=LATENESS_S, lateness_s=0, dedupe_s=DEDUPE_S),
    )


if __name__ == "__main__":
    run(settings(Path(sys.argv[1]), Path(sys.argv[2])))
