"""Throughput of a warehouse simulator that nobody here wrote, against what it reports itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import polars as pl
import pytest

from flows.settings import Settings
from tests.flows.warehouse import table

from .day import Config, Day

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rware"), pytest.mark.timeout(3600)]
HOURS = 24


def rewarded(day: Day, every: str, *by: str) -> pl.DataFrame:
    """How often rware rewarded, by time and what is named."""
    times = pl.col("time").dt.truncate(every).alias("window_start")
    return day.truth().group_by(times, *by).len("tasks").cast({"tasks": pl.Int64}).sort("window_start", *by)


def told(frame: pl.DataFrame, every: str, *by: str) -> pl.DataFrame:
    """Tasks of lake rows, likewise; without rows of no tasks."""
    times = pl.col("window_start").dt.truncate(every).dt.convert_time_zone("UTC")
    counted = frame.with_columns(times).group_by("window_start", *by).agg(pl.col("tasks").sum())
    return counted.filter(pl.col("tasks") > 0).sort("window_start", *by)


def test_the_day_is_worth_the_name(day: Day) -> None:
    """Each of ten robots earns a hundred rewards, each zone has some each hour, and robots leave with tasks in hand."""
    truth = day.truth()
    assert truth["reward"].unique().to_list() == [1.0]
    assert truth.height > 1_500
    assert truth.group_by("robot").len().filter(pl.col("len") > 100).height == 10
    assert rewarded(day, "1h", "zone").height == HOURS * 2
    assert Counter(episode.kind for episode in day.episodes) == {"fault": 3, "silent": 3, "decommissioned": 1}
    assert all(episode.tasks for episode in day.episodes)


@pytest.mark.parametrize("every", ["150s", "1h", "1d"])
def test_tasks_per_robot_and_zone_are_those_that_rware_rewarded(day: Day, settings: Settings, every: str) -> None:
    """In every window, hour and the day, robot by robot and zone by zone, to the task."""
    by = ("site", "zone", "robot")
    assert told(table(settings, "robot_window_latest"), every, *by).equals(rewarded(day, every, *by))


@pytest.mark.parametrize("every", ["150s", "1h", "1d"])
@pytest.mark.parametrize("level", ["robot", "zone", "site"])
def test_throughput_at_every_level_is_what_rware_rewarded(day: Day, settings: Settings, level: str, every: str) -> None:
    """Estimates of throughput rest on the same counts at each level."""
    by = ("site",) if level == "site" else ("site", level)
    rows = table(settings, "throughput_latest").filter(pl.col("level") == level).rename({"entity": "of"})
    rows = rows.with_columns(pl.col("of").alias(level)) if level != "site" else rows
    assert told(rows, every, *by).equals(rewarded(day, every, *by))


def test_every_message_is_accounted_for(day: Day, settings: Settings) -> None:
    """All messages are good, in order and counted once."""
    counts = ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")
    rows = table(settings, "accounting").sort("contract").select("contract", *counts).rows()
    assert rows == [(name, len(m), len(m), 0, 0, 0, 0) for name, m in sorted(day.messages.items())]


def test_tasks_done_are_those_that_rware_rewarded(day: Day) -> None:
    """The desk tells of each reward once, of the robot that got it, and of no other task done."""
    told = [msgspec.json.decode(message) for message in day.tasks]
    done = Counter((m["event_time"][:19], m["zone"], m["robot"]) for m in told if m["transition"] == "done")
    times = pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S")
    assert done == Counter(day.truth().select(times, "zone", "robot").iter_rows())
    assert len({m["task"] for m in told if m["transition"] == "done"}) == done.total()


def test_the_same_seed_gives_the_same_day() -> None:
    """Two runs say the same to the byte; another seed says other things."""
    short = Config(steps=300, removals=())
    one, same, other = (Day(config).run() for config in (short, short, replace(short, seed=8)))
    assert (one.states, one.tasks, one.rewards) == (same.states, same.tasks, same.rewards)
    assert one.rewards != other.rewards
