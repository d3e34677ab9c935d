"""`python -m tests.rware FOLDER` writes a day in rware."""

from __future__ import annotations

import sys
from pathlib import Path

from .day import Day
from .folder import write

if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    sys.exit("usage: python -m tests.rware FOLDER")
day = Day().run()
written = write(day, Path(sys.argv[1]))
print(f"{written:,} messages of {day.truth().height:,} deliveries in {sys.argv[1]}")  # noqa: T201 - its result
