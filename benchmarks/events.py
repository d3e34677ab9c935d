"""The input of the standard job: robot.state messages as one NDJSON file, in arrival order.

500 robots report once a second of event time. A message arrives up to 5 s after it happened; 0.1 % arrive 5 to
60 s late; 0.5 % arrive twice, most of them within a minute, one in twenty after more than the 10 minutes that
ids are remembered; 1 % are invalid in one of seven ways. The same numbers give the same bytes.

    python -m benchmarks.events 2000000 var/bench/events.ndjson
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.job import DISORDER_S, START
from domain.twin import text
from domain.twin.robot import MODES
from domain.twin.text import Fields

Int64 = npt.NDArray[np.int64]

ROBOTS = 500

_INVALID, _LATE, _DOUBLED, _LONG_AFTER = 0.01, 0.001, 0.005, 0.05
_BROKEN: tuple[dict[str, str] | None, ...] = (
    None,  # truncated
    {"battery": '"full"'},
    {"battery": "140.5"},
    {"mode": '"flying"'},
    {"queue_depth": "-3"},
    {"units": "-1"},
    {"event_time": '"yesterday"'},
)
_BLOCK_S = 120


def write(events: int, path: Path, *, robots: int = ROBOTS) -> None:
    """Write `events` lines of `robots` robots to `path`, unless it is there already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for lines in _blocks(events, robots):
            file.write(str(lines.str.join("\n").item()).encode())
            file.write(b"\n")
    partial.replace(path)


def _blocks(events: int, fleet: int) -> Iterator[pl.Series]:
    """Lines in arrival order, `events` in all, block by block of event time."""
    rng = np.random.Generator(np.random.PCG64(events))
    waiting = pl.DataFrame(schema={"arrives": pl.Int64, "line": pl.String})
    written, second = 0, 0
    while written < events:
        waiting = pl.concat([waiting, _block(rng, second, fleet)])
        second += _BLOCK_S
        arrived = pl.col("arrives") < second * 1_000_000
        out = waiting.filter(arrived).sort("arrives", maintain_order=True).head(events - written)
        waiting = waiting.filter(~arrived)
        written += out.height
        yield out["line"]


def _block(rng: np.random.Generator, first_second: int, fleet: int) -> pl.DataFrame:
    """The messages of `_BLOCK_S` seconds of event time with their arrivals in microseconds."""
    seconds = np.repeat(np.arange(first_second, first_second + _BLOCK_S), fleet)
    robots = np.tile(np.arange(fleet), _BLOCK_S)
    times = seconds * 1_000 + robots * 1_000 // fleet
    n = len(times)
    fields = _fields(rng, robots, seconds, times)
    lines = text.compose(fields)
    fate = rng.random(n)
    arrives = times * 1_000 + rng.integers(0, DISORDER_S * 1_000_000, n)
    late = fate < _LATE
    arrives[late] = times[late] * 1_000 + rng.integers(DISORDER_S * 1_000_000, 60_000_000, int(late.sum()))
    invalid = np.flatnonzero((fate >= _LATE) & (fate < _LATE + _INVALID))
    doubled = np.flatnonzero((fate >= 1 - _DOUBLED) & ~late)
    again = arrives[doubled] + _return_us(rng, len(doubled))
    valid = np.flatnonzero((fate < _LATE) | (fate >= _LATE + _INVALID))
    parts = [
        _arriving(arrives[valid], lines.gather(valid)),
        _arriving(again, lines.gather(doubled)),
        *_broken(rng, fields, lines, arrives, invalid),
    ]
    return pl.concat(parts)


def _fields(rng: np.random.Generator, robots: Int64, seconds: Int64, times: Int64) -> Fields:
    n = len(robots)
    names = [f"robot-{i:04d}" for i in range(int(robots.max()) + 1)]
    seq = text.integers(seconds)
    ids = (text.names(names, robots).str.head(-1), pl.lit("-1-"), seq, pl.lit('"'))
    mode = rng.choice(len(MODES), n, p=[0.25, 0.6, 0.1, 0.04, 0.01])
    return {
        "event_id": pl.select(pl.concat_str(*ids)).to_series(),
        "robot": text.names(names, robots),
        "zone": text.names([f"zone-{i:02d}" for i in range(10)], robots % 10),
        "site": '"site-1"',
        "boot_epoch": "1",
        "seq": seq,
        "event_time": text.timestamps(START, times),
        "mode": text.names(MODES, mode),
        "battery": text.tenths(rng.uniform(0, 100, n)),
        "tasks_done": text.integers(seconds // 90),
        "busy_s": text.seconds(seconds * 600),
        "available_s": text.seconds(seconds * 850),
        "queue_depth": text.integers(rng.integers(0, 20, n)),
        "units": text.integers(rng.integers(0, 4, n)),
    }


def _return_us(rng: np.random.Generator, n: int) -> Int64:
    soon = rng.integers(1, 60_000_000, n)
    long_after = rng.integers(620_000_000, 900_000_000, n)
    return np.where(rng.random(n) < _LONG_AFTER, long_after, soon)


def _broken(
    rng: np.random.Generator, fields: Fields, lines: pl.Series, arrives: Int64, invalid: Int64
) -> Iterator[pl.DataFrame]:
    kind = rng.integers(0, len(_BROKEN), len(invalid))
    for number, change in enumerate(_BROKEN):
        mine = invalid[kind == number]
        if change is None:
            broken = lines.gather(mine).str.head(pl.Series(rng.integers(1, 200, len(mine))))
        else:
            broken = text.compose({**text.rows(fields, mine), **change})
        yield _arriving(arrives[mine], broken)


def _arriving(arrives: Int64, lines: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"arrives": arrives, "line": lines}, schema={"arrives": pl.Int64, "line": pl.String})


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
