"""Capacity in step with what a simulator asks for that nobody here wrote, while robots of it come and go."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from flows.settings import Settings
from tests.flows.warehouse import table

from .day import Day, Episode
from .folder import GRACE_S, WINDOW_S
from .messages import moment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rware"), pytest.mark.timeout(3600)]

CAUSES = {"fault": "fault", "silent": "unreachable", "decommissioned": "decommissioned"}
KNOWN_AFTER = {"fault": timedelta(0), "silent": timedelta(seconds=180), "decommissioned": timedelta(0)}
"""How long after a robot left Takt can know of it, by how it left."""
WINDOW = timedelta(seconds=WINDOW_S)
MOST_TURNS = 2
"""Of a zone's setpoint in a day."""


def left(episode: Episode) -> datetime:
    return moment(episode.left_step)


def back(day: Day, episode: Episode) -> datetime:
    """When a robot came back, or the day ended."""
    return moment(day.steps if episode.back_step is None else episode.back_step)


def returned_in_time(day: Day, episode: Episode) -> bool:
    return episode.back_step is not None and back(day, episode) - left(episode) < timedelta(seconds=GRACE_S)


def test_tasks_of_removed_robots_are_reallocated_exactly_once(day: Day, settings: Settings) -> None:
    """Each task that a robot had in hand as it left, once for each time it left; no other task at all."""
    rows = table(settings, "reallocation").filter(pl.col("status") == "reallocated")
    found = Counter(rows.select("task", "from_robot", "cause").iter_rows())
    assert found == Counter((task, e.robot, CAUSES[e.kind]) for e in day.episodes for task in e.tasks)


def test_tasks_are_reallocated_soon_and_to_robots_in_service(day: Day, settings: Settings) -> None:
    """Within two windows of when Takt can know, and to a robot that is there, never to one that has left."""
    rows = table(settings, "reallocation").filter(pl.col("status") == "reallocated")
    by_task = {(row["task"], row["from_robot"]): row for row in rows.iter_rows(named=True)}
    for episode in day.episodes:
        for task in episode.tasks:
            row = by_task[task, episode.robot]
            known = left(episode) + KNOWN_AFTER[episode.kind]
            assert known - WINDOW <= row["event_time"] <= known + 2 * WINDOW
            assert row["to_robot"] not in {e.robot for e in away(day, row["event_time"])} | {None}


def test_every_reallocation_ends_once_and_rightly(day: Day, settings: Settings) -> None:
    """Undone or kept where the robot was back within the grace; settled where the fleet gave the task to another."""
    rows = table(settings, "reallocation")
    ends = defaultdict(list)
    for row in rows.filter(pl.col("status") != "reallocated").iter_rows(named=True):
        ends[row["task"], row["from_robot"]].append(row["status"])
    assert rows["reallocation"].n_unique() == len(ends)
    for episode in day.episodes:
        right = {"undone", "kept"} if returned_in_time(day, episode) else {"settled"}
        assert all(len(ends[task, episode.robot]) == 1 for task in episode.tasks)
        assert {status for task in episode.tasks for status in ends[task, episode.robot]} <= right
    assert "undone" in {status for told in ends.values() for status in told}


def away(day: Day, at: datetime) -> list[Episode]:
    """Robots that have left by then, that Takt can know of, and that are not back."""
    return [e for e in day.episodes if left(e) + KNOWN_AFTER[e.kind] + WINDOW <= at < back(day, e)]


def test_removed_robots_are_never_recommended(day: Day, settings: Settings) -> None:
    """While a robot is away nothing is recommended to it, and to others there is."""
    rows = table(settings, "assignment").filter(status="recommended").select("robot", "event_time").rows()
    for episode in day.episodes:
        during = [robot for robot, at in rows if episode in away(day, at)]
        assert episode.robot not in during
    assert any(away(day, at) for _, at in rows)
    assert len(rows) > 100


def test_setpoints_do_not_oscillate(settings: Settings) -> None:
    """What is asked for hardly changes, so setpoints hardly turn round, where to follow demand would do so all day."""
    sent = table(settings, "setpoint").filter((pl.col("status") == "sent") & (pl.col("robots") != pl.col("previous")))
    reviews = table(settings, "alignment").filter(pl.col("horizon_s") == pl.col("horizon_s").min())
    for zone in ("west", "east"):
        moves = (sent.filter(pl.col("zone") == zone).sort("decided_at")).select(pl.col("robots") - pl.col("previous"))
        chased = reviews.filter(pl.col("zone") == zone).sort("event_time")
        wanted = chased.select((pl.col("demand") / pl.col("horizon_s") * 3600 / pl.col("rate") / 0.9).ceil())
        assert turns(moves.to_series().to_list()) <= MOST_TURNS
        assert turns(wanted.to_series().diff().drop_nulls().to_list()) > 10 * MOST_TURNS


def turns(moves: list[float]) -> int:
    """How often the direction of moves changes."""
    ways = [move > 0 for move in moves if move]
    return sum(a != b for a, b in pairwise(ways))


def test_nothing_is_held_nor_refused(settings: Settings) -> None:
    """Telemetry of others flows on while a robot is silent, and all steps of tasks are possible ones."""
    assert not {"held", "resumed"} & set(table(settings, "setpoint")["status"])
    assert table(settings, "quarantine").height == 0
