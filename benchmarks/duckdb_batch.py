"""The standard job as one DuckDB batch: the limit of what a batch engine needs, and the oracle of all others.

Lines are read as text and decoded by `from_json`. `read_json(..., ignore_errors=true)` would be a third faster,
but DuckDB 1.5.5 then also empties some good rows near a broken line (some 170 of 2,000,000 here), and the text of a
broken line is gone.

The verdicts follow Takt's order: rules, then known id, then lateness. An id comes at most twice, with the same
event time, in the standard input; that makes a repeat known exactly when its event time is within reach.

    python -m benchmarks.duckdb_batch INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

from benchmarks.job import DEDUPE_S, LATENESS_S, WINDOW_S

_STRUCTURE = json.dumps(
    {
        "event_id": "VARCHAR",
        "robot": "VARCHAR",
        "event_time": "TIMESTAMP",
        "mode": "VARCHAR",
        "battery": "DOUBLE",
        "queue_depth": "BIGINT",
        "units": "BIGINT",
    }
)

# `list_contains`, because IN becomes a hash join, which does not keep the rows in order.
_RULES = {
    "robot": "e.robot IS NOT NULL AND length(e.robot) BETWEEN 1 AND 64",
    "event_time": "e.event_time IS NOT NULL",
    "mode": "e.mode IS NOT NULL AND list_contains(['idle', 'busy', 'charging', 'fault', 'offline'], e.mode)",
    "battery": "e.battery IS NOT NULL AND e.battery BETWEEN 0 AND 100",
    "queue_depth": "e.queue_depth IS NOT NULL AND e.queue_depth >= 0",
    "units": "e.units IS NOT NULL AND e.units >= 0",
}


def _gate(source: Path) -> str:
    # The path is written into the query: a bound parameter makes DuckDB import pandas, 1.4 s of CPU time.
    path = str(source).replace("'", "''")
    return f"""
CREATE TEMP TABLE gated AS
WITH lines AS (
    SELECT row_number() OVER () AS row, column0 AS line
    FROM read_csv('{path}', header = false, delim = '\x01', quote = '', escape = '', columns = {{'column0': 'VARCHAR'}})
), parsed AS (
    SELECT row, line, CASE WHEN json_valid(line) THEN from_json(line, '{_STRUCTURE}') END AS e FROM lines
), judged AS (
    SELECT *, e IS NOT NULL AND {" AND ".join(f"({rule})" for rule in _RULES.values())} AS valid FROM parsed
)
SELECT
    row, valid,
    e.event_id, e.robot, e.event_time, e.battery, e.queue_depth, e.units,
    CASE WHEN NOT valid THEN line END AS raw,
    CASE
        WHEN valid THEN NULL
        WHEN e IS NULL THEN ['undecodable']
        ELSE list_filter(
            [{", ".join(f"CASE WHEN NOT ({rule}) THEN '{name}' END" for name, rule in _RULES.items())}],
            lambda reason: reason IS NOT NULL
        )
    END AS reasons
FROM judged
"""


_VERDICTS = f"""
CREATE TEMP TABLE verdicts AS
WITH repeated AS (
    SELECT event_id, min(row) AS first_row FROM gated WHERE valid GROUP BY event_id HAVING count(*) > 1
), timed AS (
    SELECT *, max(event_time) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newest
    FROM gated WHERE valid
)
SELECT
    CASE
        WHEN row > first_row AND event_time >= newest - INTERVAL {DEDUPE_S} SECOND THEN 'duplicate'
        WHEN event_time < newest - INTERVAL {LATENESS_S} SECOND THEN 'late'
        ELSE 'good'
    END AS verdict,
    robot, event_time, battery, queue_depth, units
FROM timed LEFT JOIN repeated USING (event_id)
"""

_OUTPUTS = {
    "windows": f"""
        SELECT robot, time_bucket(INTERVAL {WINDOW_S} SECOND, event_time) AS window_start, count(*) AS events,
            sum(units)::BIGINT AS units, avg(battery) AS battery_mean, max(queue_depth) AS queue_max
        FROM verdicts WHERE verdict = 'good' GROUP BY ALL""",
    "quarantine": "SELECT row, raw, reasons FROM gated WHERE NOT valid",
    "refused": "SELECT verdict, count(*) AS rows FROM verdicts WHERE verdict <> 'good' GROUP BY ALL",
}


def run(source: Path, out: Path) -> None:
    """Do the job with one thread, as every contender has one worker."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(_gate(source))
        connection.execute(_VERDICTS)
        for name, query in _OUTPUTS.items():
            connection.execute(f"COPY ({query}) TO '{out / name}.parquet'")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
