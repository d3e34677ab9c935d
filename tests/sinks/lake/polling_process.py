"""A process that polls a lake, as an analyst's dashboard does, until a stop file appears.

Arguments: lake folder, catalogue URL or "", stop file. Prints one JSON object: polls, states seen (signals,
late rows, rows by the commits), and errors.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dashboards.sql import query
from schemas.errors import TaktError
from sinks.lake.catalog import LakeLocation

PAUSE_S = 0.1

COUNTS = """
SELECT (SELECT count(*) FROM signal), (SELECT count(*) FROM late), (SELECT coalesce(sum(rows), 0) FROM meta.commits),
       (SELECT count(DISTINCT subject) FROM signal)
"""


def main(folder: str, catalog: str, stop: Path) -> None:
    location = LakeLocation(Path(folder), catalog or None)
    states: set[tuple[int, ...]] = set()
    errors: list[str] = []
    polls = 0
    while not stop.exists():
        polls += 1
        try:
            states.add(tuple(map(int, query(location, COUNTS).rows[0])))
        except TaktError as error:
            errors.append(str(error))
        time.sleep(PAUSE_S)
    sys.stdout.write(json.dumps({"polls": polls, "states": sorted(states), "errors": errors}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
