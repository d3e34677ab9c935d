"""Service times of tasks, from their last start to their end, and their rolling mean and quantiles per zone.

A task's transitions are taken in event time; at one instant failed comes before started, for it is tried again,
and done and cancelled come after. A start opens a task, or opens it anew; done, failed and cancelled close it.
Only done gives a service time. A done without an open start has none: it is counted among the tasks done, and
as `unmatched`. A start older than `open_us` is given up and counted as `abandoned`, so tasks whose end was lost
do not pile up.

Mean and quantiles are those of the last `sample` service times of the zone by time of done, none older than `age_us`
(linear interpolation, as numpy's default). A rolling sample forgets; sketches such as P2 over all time do not
follow a change of load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.throughput.counters import WINDOW_START
from domain.throughput.stages import Stages
from domain.throughput.task_windows import STARTED
from schemas.outputs import SERVICE_TIME

_DAY_US: Final = 86_400_000_000
_TASK: Final = ("site", "task")
_ZONE: Final = ("site", "zone")
_WINDOW: Final = (*_ZONE, WINDOW_START)

OPEN_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "task": pl.String,
    "started_us": pl.Int64,
}
"""Tasks at work: last start in event time."""
SAMPLE_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "zone": pl.String,
    "done_us": pl.Int64,
    "service_us": pl.Int64,
}
"""Service times behind the quantiles, per zone in order of done."""
_RANK: Final = {"failed": 0, STARTED: 1, "done": 2, "cancelled": 2}
COUNT_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {"unmatched": pl.Int64, "abandoned": pl.Int64}


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """Parameters: size of the sample, age at which a service time leaves it, age at which a start is given up."""

    sample: int = 500
    age_us: int = 7 * _DAY_US
    open_us: int = _DAY_US

    def __str__(self) -> str:
        return f"service-time@1(sample={self.sample},age={self.age_us / _DAY_US:g}d,open={self.open_us / _DAY_US:g}d)"


@dataclass(frozen=True, slots=True)
class _State:
    open: pl.DataFrame
    sample: pl.DataFrame
    counts: pl.DataFrame


@dataclass(frozen=True, slots=True)
class ServiceNote:
    """A window, and the service times that were known after it."""

    rows: pl.DataFrame
    sample: pl.DataFrame


class ServiceTimeLearner:
    """Learns and estimates service times from `TASK_SCHEMA` rows."""

    def __init__(self, model: ServiceModel, window_us: int, contract: str, state: _State | None = None) -> None:
        self._model = model
        self._window_us = window_us
        self._contract = contract
        self._state = state or _State(
            pl.DataFrame(schema=OPEN_SCHEMA),
            pl.DataFrame(schema=SAMPLE_SCHEMA),
            pl.DataFrame({"unmatched": [0], "abandoned": [0]}, schema=COUNT_SCHEMA),
        )

    @property
    def unmatched(self) -> int:
        """Tasks done without a start on record."""
        return int(self._state.counts["unmatched"][0])

    @property
    def abandoned(self) -> int:
        """Starts given up for age."""
        return int(self._state.counts["abandoned"][0])

    def windows(self, rows: pl.DataFrame) -> dict[int, pl.DataFrame]:
        """Windows in order by start; rows in an order of their own, so that equal sets are equal frames."""
        parts = rows.sort(WINDOW_START, pl.exclude(WINDOW_START)).partition_by(WINDOW_START, maintain_order=True)
        return {int(part[WINDOW_START][0]): part for part in parts}

    def rows(self, windows: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Rows that `windows` turns into the same windows."""
        return pl.concat(windows)

    def learn(self, rows: pl.DataFrame) -> ServiceTimeLearner:
        """What is known after one more window."""
        end = int(rows[WINDOW_START][0]) + self._window_us
        walked = _walk(rows, self._state.open, self._model.open_us)
        still = walked.group_by(_TASK).last().filter(pl.col("transition") == STARTED)
        still = still.select(*_TASK, pl.col("at_us").alias("started_us")).sort(_TASK)
        untouched = self._state.open.join(rows, on=_TASK, how="anti")
        young = untouched.filter(pl.col("started_us") >= end - self._model.open_us)
        done = walked.filter(pl.col("transition") == "done")
        timed = done.filter(pl.col("service_us").is_not_null()).sort("at_us", *_ZONE, "task")
        sample = pl.concat([self._state.sample, timed.select(*_ZONE, pl.col("at_us").alias("done_us"), "service_us")])
        sample = sample.filter(pl.col("done_us") >= end - self._model.age_us)
        counts = self._state.counts.with_columns(
            pl.col("unmatched") + (done.height - timed.height),
            pl.col("abandoned") + (untouched.height - young.height),
        )
        state = _State(
            pl.concat([young, still]).sort(_TASK),
            sample.group_by(_ZONE, maintain_order=True).tail(self._model.sample).select(SAMPLE_SCHEMA.keys()),
            counts,
        )
        return ServiceTimeLearner(self._model, self._window_us, self._contract, state)

    def note(self, rows: pl.DataFrame) -> ServiceNote:
        """All that `estimate` needs of the window last learned."""
        return ServiceNote(rows, self._state.sample)

    def estimate(self, notes: Sequence[ServiceNote]) -> pl.DataFrame:
        """Columns of the output `service_time` but for those of the stage; zones where a task was done or failed."""
        rows = pl.concat([note.rows for note in notes])
        done = pl.col("transition") == "done"
        counted = (
            rows.group_by(*_WINDOW)
            .agg(
                done.sum().cast(pl.Int64).alias("done"),
                (pl.col("transition") == "failed").sum().cast(pl.Int64).alias("failed"),
                pl.col("work_micro").filter(done).sum(),
            )
            .filter(pl.col("done") + pl.col("failed") > 0)
            .sort(WINDOW_START, *_ZONE)
        )
        return (
            counted.join(_statistics(notes), on=_WINDOW, how="left", maintain_order="left")
            .with_columns(
                pl.Series("work_units", counted["work_micro"].to_numpy() / 1e6, pl.Float64),
                pl.col("sample").fill_null(0),
                pl.lit(str(self._model)).alias("model"),
                pl.lit(self._contract).alias("contract"),
            )
            .drop("work_micro")
        )

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        state = self._state
        return {"open": to_bytes(state.open), "sample": to_bytes(state.sample), "counts": to_bytes(state.counts)}

    def restored(self, state: dict[str, bytes]) -> ServiceTimeLearner:
        """Learner of the same parameters with a snapshot's state."""
        frames = _State(*(from_bytes(state[name]) for name in ("open", "sample", "counts")))
        return ServiceTimeLearner(self._model, self._window_us, self._contract, frames)


def _statistics(notes: Sequence[ServiceNote]) -> pl.DataFrame:
    """Size, mean and quantiles of the service times known after windows, per zone and window."""
    sample = pl.concat([note.sample for note in notes])
    starts = [int(note.rows[WINDOW_START][0]) for note in notes]
    columns = [
        pl.Series(WINDOW_START, np.repeat(starts, [note.sample.height for note in notes])),
        pl.Series("seconds", sample["service_us"].to_numpy() / 1e6),
    ]
    known = (
        sample.hstack(columns)
        .group_by(*_WINDOW)
        .agg(
            pl.len().cast(pl.Int64).alias("sample"),
            pl.col("service_us").sum(),
            *(pl.col("seconds").quantile(q / 100, "linear").alias(f"p{q}_s") for q in (50, 90, 95)),
        )
    )
    mean = known["service_us"].to_numpy() / (1e6 * known["sample"].to_numpy())
    return known.drop("service_us").with_columns(pl.Series("mean_s", mean, pl.Float64))


def _walk(rows: pl.DataFrame, still_open: pl.DataFrame, open_us: int) -> pl.DataFrame:
    """Transitions of a window behind the open starts of their tasks, per task in order, with `service_us`."""
    starts = still_open.join(rows, on=_TASK, how="semi").select(
        *_TASK, pl.col("started_us").alias("at_us"), pl.lit(STARTED).alias("transition")
    )
    rank = pl.col("transition").replace_strict(_RANK, return_dtype=pl.Int8)
    walked = pl.concat([starts, rows], how="diagonal").sort(*_TASK, "at_us", rank, "zone", nulls_last=False)
    before = walked.select(*_TASK, "at_us", "transition").shift(1)
    same = (walked["site"] == before["site"]) & (walked["task"] == before["task"])
    took = walked["at_us"] - before["at_us"]
    timed = same & (before["transition"] == STARTED) & (walked["transition"] == "done") & (took <= open_us)
    return walked.with_columns(pl.when(timed).then(took).alias("service_us"))


class ServiceTimeEstimator(Stages[ServiceTimeLearner]):
    """Rows of the output `service_time` from `TASK_SCHEMA` rows of windows, on time and final."""

    def __init__(self, model: ServiceModel, window_us: int, contract: str) -> None:
        super().__init__(ServiceTimeLearner(model, window_us, contract), SERVICE_TIME, window_us)
