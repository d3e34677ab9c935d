"""Work by difference of cumulative counters, per robot, exact and independent of batch cuts and row order.

A robot reports running totals, so a lost message loses no work: the next reading brings it. Times are turned
to whole microseconds before anything is added; integer sums do not depend on the order of addition.

Rules for a reading, per robot in (event_time, boot_epoch, seq, event_id) order:

- Its *baseline* is the reading before it. Without one nothing is counted: totals earned before Takt listened
  are not work of this window. A reading older than `BASELINE_US` is forgotten altogether.
- A reading of a lower boot epoch than one already seen is *stale* (a retained message, delivered again after a
  restart). It is no baseline for the newer epoch, which goes on from its own last reading, and it adds nothing
  itself. A second stale reading of the same epoch running counts from the first, so that a robot whose boot
  counter was set back for good is not dead.
- A higher boot epoch, or any counter that fell, is a *reset*: the totals count from zero. But only if they can
  have been earned since the baseline, that is if busy and available time are no longer than the time between
  the two readings (plus `TOLERANCE_US`). Otherwise the totals outlived the restart, or a broken one is being
  put right: then the differences count, and none below zero.
- Without a reset the difference counts as it is, even where it exceeds the time between the readings: such a
  robot reports nonsense, and to cut it down would hide that.

Work between two readings belongs to the window (and zone) of the later one. After a telemetry gap a window can
therefore hold more available time than it is long; rate and utilisation stay right, as both sides grow alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.streaming.frames import micros

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

BASELINE_US: Final = 7 * 86_400_000_000
"""A reading older than this is no baseline: what lies between is no work of one window."""
TOLERANCE_US: Final = 1_000_000
"""Clock error allowed when a total is held against the time in which it was earned."""

WINDOW_START = "window_start"
KEY: Final = ("site", "zone", "robot", WINDOW_START)
"""Key of a window row."""

CARRY_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "robot": pl.String,
    "stale": pl.Boolean,
    "boot_epoch": pl.Int64,
    "at_us": pl.Int64,
    "tasks": pl.Int64,
    "busy_us": pl.Int64,
    "available_us": pl.Int64,
}
"""Last reading per robot, and its last stale one where that came after; sorted by robot, then stale."""

PARTIAL_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "zone": pl.String,
    "robot": pl.String,
    WINDOW_START: pl.Int64,
    "messages": pl.Int64,
    "tasks": pl.Int64,
    "units": pl.Int64,
    "busy_us": pl.Int64,
    "available_us": pl.Int64,
    "battery_ppm": pl.Int64,
    "battery_min": pl.Float64,
    "queue_max": pl.Int64,
    "resets": pl.Int64,
}
"""Mergeable window row: integer sums (`battery_ppm` is the sum of charge in millionths of a percent)."""

_LARGEST = 2**52  # 143 years in microseconds; two thousand of them still fit into an Int64
_TOTALS = ("tasks", "busy_us", "available_us")


def empty_carry() -> pl.DataFrame:
    """Carry before the first reading."""
    return pl.DataFrame(schema=CARRY_SCHEMA)


def empty_partial() -> pl.DataFrame:
    """Partial without windows."""
    return pl.DataFrame(schema=PARTIAL_SCHEMA)


def prune(carry: pl.DataFrame, before_us: int) -> pl.DataFrame:
    """Carry without readings that no row at or after event time `before_us` can use as a baseline."""
    kept = carry.filter(pl.col("at_us") >= before_us - BASELINE_US)
    return kept.with_columns(pl.col("stale") & pl.col("robot").is_duplicated())


def increments(rows: pl.DataFrame, carry: pl.DataFrame) -> tuple[pl.DataFrame, Callable[[], pl.DataFrame]]:
    """Rows with `d_tasks`, `d_busy_us`, `d_available_us` (Int64) and `reset` (Boolean), and what makes the new carry.

    `rows` are robot.state rows sorted by (robot, event_time, boot_epoch, seq, event_id), all behind the rows
    that made `carry`. To cut the rows anywhere and pass the carry on gives the same increments.
    """
    if rows.height == 0:
        added = {f"d_{name}": pl.Int64 for name in _TOTALS} | {"reset": pl.Boolean}
        return rows.with_columns(pl.Series(name, [], dtype) for name, dtype in added.items()), lambda: carry
    starts = np.flatnonzero(changes(rows["robot"]))
    readings = _stack(rows, carry)
    base, last, stale = _baselines(rows, carry, starts, readings)
    m = carry.height
    known = (base >= 0) & (readings["at_us"][m:] - readings["at_us"][base] <= BASELINE_US)
    now = {name: values[m:] for name, values in readings.items()}
    then = {name: values[base] for name, values in readings.items()}
    begun = now["boot_epoch"] > then["boot_epoch"]
    for name in _TOTALS:
        begun |= now[name] < then[name]
    longest = now["at_us"] - then["at_us"] + TOLERANCE_US
    from_zero = begun & (now["busy_us"] <= longest) & (now["available_us"] <= longest)
    columns = [
        pl.Series(f"d_{name}", np.where(from_zero, now[name], np.maximum(now[name] - then[name], 0)) * known)
        for name in _TOTALS
    ]
    counted = rows.hstack([*columns, pl.Series("reset", begun & known)])
    robots = pl.concat([carry["robot"], rows["robot"]])
    return counted, lambda: _next_carry(readings, robots, np.append(last, stale), len(last))


def changes(*columns: pl.Series) -> Bool:
    """True where a row differs in any column from the row before it; the first row differs."""
    differs = np.zeros(len(columns[0]), dtype=np.bool_)
    differs[:1] = True
    for column in columns:
        differs[1:] |= (column[1:] != column[:-1]).to_numpy()
    return differs


def _millionths(seconds: pl.Series) -> Int64:
    bounded: Float64 = np.minimum(seconds.to_numpy(), _LARGEST)  # seconds that are absurd enough overflow as millionths
    return np.rint(np.minimum(bounded * 1e6, _LARGEST)).astype(np.int64)


def _stack(rows: pl.DataFrame, carry: pl.DataFrame) -> dict[str, Int64]:
    """Totals, time and boot epoch of the carried readings, then of the rows."""
    new = {
        "boot_epoch": rows["boot_epoch"].to_numpy(),
        "at_us": micros(rows["event_time"]),
        "tasks": np.minimum(rows["tasks_done"].to_numpy(), _LARGEST),
        "busy_us": _millionths(rows["busy_s"]),
        "available_us": _millionths(rows["available_s"]),
    }
    return {name: np.concatenate([carry[name].to_numpy(), values]) for name, values in new.items()}


def _baselines(
    rows: pl.DataFrame, carry: pl.DataFrame, starts: Int64, readings: dict[str, Int64]
) -> tuple[Int64, Int64, list[int]]:
    """Place of each row's baseline in the stack (-1: none); last readings and last stale ones to carry."""
    m, n = carry.height, rows.height
    base = np.arange(m - 1, m + n - 1)
    robots = rows["robot"].gather(starts)
    is_stale = carry["stale"].to_numpy()
    fresh_at, stale_at = (_places(robots, carry["robot"], held) for held in (~is_stale, is_stale))
    base[starts] = fresh_at
    ends = np.append(starts[1:], n)
    last = m + ends - 1
    stale: list[int] = []
    epochs = readings["boot_epoch"]
    falls = (base >= 0) & (epochs[m:] < epochs[base])
    odd = (stale_at >= 0) | np.logical_or.reduceat(falls, starts)
    for i in np.flatnonzero(odd).tolist():
        span, held = (int(starts[i]), int(ends[i])), (int(fresh_at[i]), int(stale_at[i]))
        last[i], final = _walk(base, readings, m, span, held)
        if final != last[i]:
            stale.append(final)
    absent = np.ones(m + 1, dtype=np.bool_)
    absent[fresh_at] = absent[stale_at] = False  # -1, none, falls on the entry too many
    last = np.append(last, np.flatnonzero(absent[:m] & ~is_stale))
    stale += np.flatnonzero(absent[:m] & is_stale).tolist()
    return base, last, stale


def _places(robots: pl.Series, carried: pl.Series, held: Bool) -> Int64:
    """Place in the carry of each robot's reading among those `held`, -1 where it has none."""
    known = dict(zip(carried.filter(pl.Series(held)).to_list(), np.flatnonzero(held).tolist(), strict=True))
    return np.array([known.get(robot, -1) for robot in robots.to_list()])


def _walk(
    base: Int64, readings: dict[str, Int64], m: int, span: tuple[int, int], held: tuple[int, int]
) -> tuple[int, int]:
    """Baselines of one robot that sent stale readings, row by row; its last fresh and its last reading."""
    epochs, times = readings["boot_epoch"], readings["at_us"]
    fresh, stale = held
    previous = stale if stale >= 0 else fresh
    for i in range(*span):
        at = m + i
        if fresh >= 0 and times[at] - times[fresh] > BASELINE_US:
            fresh = previous if times[at] - times[previous] <= BASELINE_US else -1
        if fresh < 0 or epochs[at] >= epochs[fresh]:
            base[i] = fresh
            fresh = at
        else:
            base[i] = previous if epochs[previous] == epochs[at] else -1
        previous = at
    return fresh, previous


def _next_carry(readings: dict[str, Int64], robots: pl.Series, picked: Int64, fresh: int) -> pl.DataFrame:
    picked = picked.astype(np.int64)
    columns = {name: values[picked] for name, values in readings.items()}
    frame = pl.DataFrame({"robot": robots.gather(picked), "stale": np.arange(len(picked)) >= fresh, **columns})
    return frame.select(CARRY_SCHEMA.keys()).sort("robot", "stale")


def aggregate(rows: pl.DataFrame, window_us: int, known: pl.DataFrame | None = None) -> pl.DataFrame:
    """Partial of rows from `increments` and of what is `known` so far, in `PARTIAL_SCHEMA`, sorted by key.

    Windows start at multiples of `window_us` since the Unix epoch.

    Rows stand sorted by robot and time, so most neighbours share a window: runs are summed first, and only
    the runs are grouped.
    """
    before = empty_partial() if known is None else known
    if rows.height == 0:
        return before
    start = pl.Series(WINDOW_START, micros(rows["event_time"]) // window_us * window_us)
    runs = np.flatnonzero(changes(rows["robot"], rows["zone"], rows["site"], start))
    units = np.clip(rows["units"].fill_null(0).to_numpy(), 0, _LARGEST)
    battery = rows["battery"].to_numpy()
    frame = pl.DataFrame(
        {
            **rows[["site", "zone", "robot"]][runs].to_dict(),
            WINDOW_START: start.to_numpy()[runs],
            "messages": np.diff(runs, append=rows.height),
            "tasks": np.add.reduceat(rows["d_tasks"].to_numpy(), runs),
            "units": np.add.reduceat(units, runs),
            "busy_us": np.add.reduceat(rows["d_busy_us"].to_numpy(), runs),
            "available_us": np.add.reduceat(rows["d_available_us"].to_numpy(), runs),
            "battery_ppm": np.add.reduceat(_millionths(rows["battery"]), runs),
            "battery_min": np.minimum.reduceat(battery, runs),
            "queue_max": np.maximum.reduceat(rows["queue_depth"].to_numpy(), runs),
            "resets": np.add.reduceat(rows["reset"].to_numpy().astype(np.int64), runs),
        },
        schema=PARTIAL_SCHEMA,
    )
    return merge([before, frame])


def merge(partials: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One partial of many, sorted by key. Exact, associative and commutative: all sums are integers."""
    if not partials:
        return empty_partial()
    sums = ("messages", "tasks", "units", "busy_us", "available_us", "battery_ppm", "resets")
    return (
        pl.concat(partials)
        .group_by(KEY)
        .agg(pl.col(sums).sum(), pl.col("battery_min").min(), pl.col("queue_max").max())
        .select(PARTIAL_SCHEMA.keys())
        .sort(KEY)
    )


def finish(partial: pl.DataFrame) -> pl.DataFrame:
    """Columns of the output `robot_window` but for window_end, revision and final; `window_start` in Int64 us."""
    # Polars divides by a constant through its reciprocal, which makes 1.1 s of 1,100,000 us come out short.
    busy, available, charge, messages = (
        partial[name].to_numpy() for name in ("busy_us", "available_us", "battery_ppm", "messages")
    )
    return partial.select(
        *KEY,
        "messages",
        "tasks",
        "units",
        pl.Series("busy_s", busy / 1e6, pl.Float64),
        pl.Series("available_s", available / 1e6, pl.Float64),
        pl.Series("battery_mean", charge / (messages * 1_000_000), pl.Float64),
        "battery_min",
        "queue_max",
        "resets",
    )
