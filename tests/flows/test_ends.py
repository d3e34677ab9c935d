"""Bounded runs, one after the other: what they tell, without engine and sinks, for random rows, cuts and ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.health import sensor_windows
from domain.streaming.partition import PartitionLogic, Stream
from domain.streaming.timeline import Timeline
from domain.streaming.watermark import TimeBounds
from domain.streaming.windows import WINDOW_START
from domain.throughput import counters
from domain.throughput.task_windows import TASK_SCHEMA
from flows.estimators import Rows
from flows.kinds import KINDS, Kind
from flows.state import StepState
from flows.steps import EstimateStep, PartitionStep
from flows.valve import Valves
from quality.breaker import Breaker, BreakerRule
from schemas.outputs import OUTPUTS
from tests.domain.streaming.test_partition import (
    DISORDER,
    LATENESS,
    TIME,
    WINDOW,
    CountAndSum,
    Row,
    batch,
    build,
    row_specs,
)

ZONE = pl.col("key").str.slice(-1)
"""Robots and machines report to one partition, zones to all."""


class RobotCounts(CountAndSum):
    """Rows as messages of a robot, and their values as its tasks."""

    @staticmethod
    def _group(rows: pl.DataFrame) -> pl.DataFrame:
        place = [pl.lit("site").alias("site"), ZONE.alias("zone"), pl.col("key").alias("robot")]
        counts = [pl.col("rows").alias("messages"), pl.col("value").alias("tasks"), pl.col("rows").alias("queue_max")]
        hours = [(pl.col("rows") * 3_600_000_000).alias(name) for name in ("busy_us", "available_us")]
        rest = [pl.lit(0).alias(name) for name in ("units", "battery_ppm", "battery_min", "resets")]
        counted = CountAndSum._group(rows).with_columns(*place, *counts, *hours, *rest)
        return counted.select(pl.col(name).cast(dtype) for name, dtype in counters.PARTIAL_SCHEMA.items())


class Tasks(CountAndSum):
    """Rows as tasks that are done."""

    @staticmethod
    def _group(rows: pl.DataFrame) -> pl.DataFrame:
        at = pl.col("event_time").to_physical()
        done = rows.select(
            pl.lit("site").alias("site"),
            ZONE.alias("zone"),
            pl.col("_identity").cast(pl.String).alias("task"),
            (at // WINDOW * WINDOW).alias(WINDOW_START),
            at.alias("at_us"),
            pl.lit("done").alias("transition"),
            pl.col("value").alias("work_micro"),
        )
        return done.select(TASK_SCHEMA.keys()).sort(pl.all())


class Readings(CountAndSum):
    """Rows as readings."""

    @staticmethod
    def _group(rows: pl.DataFrame) -> pl.DataFrame:
        sensor = {"entity": pl.col("key"), "metric": pl.lit("heat"), "unit": pl.lit("K")}
        readings = rows.select(**sensor, event_time="event_time", value=pl.col("value").cast(pl.Float64))
        return sensor_windows.statistics(readings, WINDOW)


@dataclass(frozen=True)
class Case:
    """A kind of event over simple rows; `counted`: outputs, and which column of theirs counts rows."""

    name: str
    aggregation: Callable[[int], CountAndSum]
    counted: dict[str, str]

    @property
    def kind(self) -> Kind:
        real = KINDS[self.name]
        return Kind(self.name, {}, self.aggregation, real.published, real.estimator)


CASES = [
    Case("robot.state", lambda _: RobotCounts(), {"robot_window": "messages", "throughput": "messages"}),
    Case("task", lambda _: Tasks(), {"service_time": "done"}),
    Case("sensor.reading", lambda _: Readings(), {"sensor_window": "readings"}),
]
PARTITIONS = ("0", "1")
SILENT_POLLS = 10
PARTS = Path("parts-are-too-small-for-files")


class Flow:
    """The steps of a flow over two partitions, which can be stopped and resumed, and all that they told."""

    def __init__(self, case: Case, lateness: int) -> None:
        self._case, self._lateness = case, lateness
        self.told: list[Rows] = []
        self._read = dict.fromkeys(PARTITIONS, 0)
        self._start()

    def _start(self) -> None:
        bounds = TimeBounds(WINDOW, DISORDER, self._lateness)
        columns = {"key": pl.String, "event_time": TIME, "value": pl.Int64}
        stream = Stream("toy@1", "s", ("event_id",), columns, bounds, dedupe_us=100)
        kind, valves, rule = self._case.kind, Valves(1.0), BreakerRule(1_000, 0.5, 10)
        self._partitions = {
            name: PartitionStep(
                PartitionLogic(stream, kind.aggregation(WINDOW)),
                kind,
                Breaker(rule),
                lambda raw: valves.of(raw.partition),
                StepState(PARTS),
                idle_polls=SILENT_POLLS,
            )
            for name in PARTITIONS
        }
        self._estimates = None
        if kind.estimator is not None:
            timeline = Timeline(PARTITIONS, WINDOW, self._lateness)
            self._estimates = EstimateStep(timeline, kind.estimator(WINDOW, "toy@1"), StepState(PARTS))

    def read(self, partition: str, rows: list[Row]) -> None:
        first = self._read[partition]
        self._read[partition] += len(rows)
        self._take(partition, self._partitions[partition].on_batch([batch(rows, first)])[0])

    def go_silent(self, partition: str) -> None:
        for _ in range(SILENT_POLLS):
            self.read(partition, [])

    def end(self) -> None:
        for name, step in self._partitions.items():
            self._take(name, step.on_eof()[0])
        if self._estimates is not None:
            self.told += self._estimates.on_eof()[0]

    def resume(self) -> None:
        """Go on from what was stored, as after a kill or in the next run."""
        before, estimates = self._partitions, self._estimates
        self._start()
        for name, step in before.items():
            self._partitions[name].restore(step.snapshot())
        if estimates is not None and self._estimates is not None:
            self._estimates.restore(estimates.snapshot())

    def _take(self, partition: str, items) -> None:
        for item in items:
            if isinstance(item, tuple):
                self.told.append(item)
            elif self._estimates is not None:
                self.told += self._estimates.on_batch([(partition, item)])[0]

    def table(self, name: str) -> pl.DataFrame:
        frames = [rows for output, rows in self.told if output == name]
        return pl.concat([pl.DataFrame(schema=OUTPUTS[name].schema), *frames]).sort(OUTPUTS[name].key)

    def newest(self, name: str) -> pl.DataFrame:
        by = OUTPUTS[name].latest_by
        return self.table(name).group_by(by).last().drop("revision", "final").sort(by)


@dataclass(frozen=True)
class Input:
    """Rows of each partition, and how many of them each run finds there."""

    rows: dict[str, list[Row]]
    ends: list[dict[str, int]]


@st.composite
def inputs(draw) -> Input:
    rows = {name: [replace(row, key=name + row.key) for row in build(draw(row_specs))] for name in PARTITIONS}
    counts = {name: sorted(draw(st.lists(st.integers(0, len(r)), max_size=2))) for name, r in rows.items()}
    runs = max(len(c) for c in counts.values())
    ends = [{name: (counts[name] + [len(r)] * 3)[i] for name, r in rows.items()} for i in range(runs + 1)]
    return Input(rows, ends)


def runs(case: Case, lateness: int, given: Input, size: int, *, resume: bool) -> Iterator[Flow]:
    """Read all in batches of `size`, the partitions in turns; the flow at each of the ends between."""
    flow, read = Flow(case, lateness), dict.fromkeys(PARTITIONS, 0)
    for end in given.ends:
        while read != end:
            for name in PARTITIONS:
                rows = given.rows[name][read[name] : min(read[name] + size, end[name])]
                read[name] += len(rows)
                if rows:
                    flow.read(name, rows)
                if resume:
                    flow.resume()
        flow.end()
        flow.resume()
        yield flow


def play(case: Case, lateness: int, given: Input, size: int, *, resume: bool) -> Flow:
    """The same at the last end."""
    *_, flow = runs(case, lateness, given, size, resume=resume)
    return flow


def up_to(given: Input, end: dict[str, int]) -> Input:
    return Input({name: rows[: end[name]] for name, rows in given.rows.items()}, [end])


latenesses = st.sampled_from([0, LATENESS])
sizes = st.sampled_from([3, 11, 80])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=25, deadline=None)
@given(inputs(), latenesses, sizes)
@pytest.mark.slow
def test_at_each_end_the_newest_values_are_those_of_one_run_and_hold_every_accepted_row(case, given, lateness, size):
    """Two or three bounded runs: after each, the newest values are those of a run that read as far at once."""
    for end, flow in zip(given.ends, runs(case, lateness, given, size, resume=False), strict=True):
        whole = play(case, lateness, up_to(given, end), 80, resume=False)
        good = flow.table("accounting")["good"].sum()
        assert whole.table("accounting")["good"].sum() == good
        for name, column in case.counted.items():
            newest = flow.newest(name)
            assert newest.equals(whole.newest(name)), name
            if "level" in newest.columns:
                newest = newest.filter(level="site")
            assert newest[column].sum() == good


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=25, deadline=None)
@given(inputs(), latenesses, sizes)
@pytest.mark.slow
def test_what_runs_tell_depends_on_rows_and_ends_alone(case, given, lateness, size):
    """Every revision is the same for other batches and resumes; none repeats the one before or lacks its rows."""
    expected = play(case, lateness, given, 80, resume=False)
    other = play(case, lateness, given, size, resume=True)
    for name, column in case.counted.items():
        table = other.table(name)
        assert table.equals(expected.table(name))
        for _, rows in table.group_by(OUTPUTS[name].latest_by, maintain_order=True):
            assert rows["revision"].to_list() == list(range(rows.height))
            assert rows[column].is_sorted()
            assert not rows["final"][:-1].any()
            values = rows.drop("revision", "final").rows()
            assert all(before != after for before, after in itertools.pairwise(values))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=20, deadline=None)
@given(inputs(), latenesses)
@pytest.mark.slow
def test_a_run_that_finds_nothing_new_tells_nothing(case, given, lateness):
    """An end of input that was told once is not told again."""
    flow = play(case, lateness, given, 80, resume=False)
    before = len(flow.told)
    flow.end()
    assert len(flow.told) == before


def signals(flow: Flow, kind: str) -> list[tuple[str, int]]:
    rows = flow.table("signal").filter(kind=kind)
    return list(zip(rows["subject"], rows["event_time"].to_physical(), strict=True))


def test_rows_of_a_silent_partition_reach_its_zone_or_a_signal() -> None:
    """A partition fell silent behind the others: what it had by then counts; what came later is told, once."""
    flow = Flow(CASES[0], lateness=0)
    flow.read("1", [Row("a", "r1", 1, 1, bad=False)])
    flow.read("0", [Row("b", "s1", 1, 1, bad=False)])
    flow.go_silent("1")
    flow.read("0", [Row("c", "s1", 5 * WINDOW, 1, bad=False)])
    zone = pl.col("level") == "zone"
    assert flow.newest("throughput").filter(zone)["messages"].to_list() == [2]
    flow.read("1", [Row("d", "r1", 2, 1, bad=False), Row("e", "r1", WINDOW + 1, 1, bad=False)])
    flow.go_silent("1")
    assert signals(flow, "partition_returned") == [("1", 0), ("1", WINDOW)]
    flow.end()
    flow.resume()
    flow.end()
    assert signals(flow, "partition_returned") == [("1", 0), ("1", WINDOW)]
    assert flow.newest("robot_window")["messages"].sum() == 5


def test_a_robot_that_reports_to_two_partitions_is_told_of() -> None:
    """Neither partition can see it; who merges them does, once per final window."""
    flow = Flow(CASES[0], LATENESS)
    for name in PARTITIONS:
        times = range(1, 20 * WINDOW, WINDOW)
        flow.read(
            name, [Row(f"{name}{time}", f"r{name if time > WINDOW else 0}", time, 1, bad=False) for time in times]
        )
    assert signals(flow, "robot_in_two_partitions") == [("site/r0", 0)]
