"""When a robot has failed, and when it is back: gaps in telemetry are no failures, and flapping makes no storm."""

from __future__ import annotations

import pytest

from domain.allocation.failures import MOST_DOUBLINGS, Failures
from tests.domain.allocation.recovery.fleets import CONFIG, MINUTE, SECOND, Told, robots, tasks

OLD = {"seen_us": 6 * MINUTE}


def _out(minute=10, **fleet):
    failures = Failures(CONFIG)
    failures.advance(robots(minute * MINUTE, **fleet), minute * MINUTE)
    return {robot: cause for _, robot, cause, _ in failures.out().iter_rows()}


def test_silence_is_failure_only_where_others_are_heard():
    """A zone that is silent has lost its telemetry, not its robots."""
    assert _out(a=OLD, b="idle") == {"a": "unreachable"}
    assert _out(a=OLD, b=OLD) == {}
    assert _out(a=OLD, b={"zone": "y"}, c={"zone": "z", "seen_us": 6 * MINUTE}) == {}


def test_a_robot_alone_in_its_zone_is_held_against_its_site():
    """And one alone at its site against nothing: nobody knows."""
    assert _out(a=OLD, b={"zone": "y"}) == {"a": "unreachable"}
    assert _out(a=OLD) == {}
    assert _out(a=OLD, b={"site": "south"}) == {}
    assert _out(a=OLD, b={"zone": "z", "active": False}) == {"b": "decommissioned"}


@pytest.mark.parametrize(
    ("robot", "out"),
    [
        ({"seen_us": 7 * MINUTE}, {}),
        ({"seen_us": 7 * MINUTE - 1}, {"a": "unreachable"}),
        ({"seen_us": None}, {}),
        ({"mode": None}, {}),
        ({"mode": "charging"}, {}),
        ({"active": None}, {}),
        ({"mode": "fault", "seen_us": 0}, {"a": "fault"}),
        ({"active": False, "seen_us": None, "mode": None}, {"a": "decommissioned"}),
    ],
)
def test_what_a_robot_shows(robot, out):
    """To the microsecond; what is not known is no failure, and the last word of one that said fault counts."""
    assert _out(a=robot, b="idle") == out


def test_an_episode_outlasts_a_gap_in_telemetry():
    """A robot whose zone falls silent is neither failed nor well."""
    failures = Failures(CONFIG)
    failures.advance(robots(10 * MINUTE, a="fault", b="idle"), 10 * MINUTE)
    gap = {name: {"mode": "idle", "seen_us": 11 * MINUTE} for name in "ab"}
    for minute in (11, 20):
        assert failures.advance(robots(minute * MINUTE, **gap), minute * MINUTE) == []
    assert failures.out()["robot"].to_list() == ["a"]
    ended = failures.advance(robots(21 * MINUTE, a="idle", b="idle"), 21 * MINUTE)
    assert [episode.well_us for episode in ended] == [11 * MINUTE]


def test_a_robot_that_flaps_makes_no_storm():
    """Ten faults an hour of which none lasts: its tasks are taken once and stay away until it is steady."""
    told, has = Told(), tasks(t=("assigned", "a", 0))
    for minute in range(60):
        told.review(minute, {"a": "fault" if minute % 6 < 2 else "idle"}, has)
    assert len(told.rows) <= 8
    by_minute = [row["at_us"] // MINUTE for row in told.rows]
    statuses = [row["status"] for row in told.rows]
    assert statuses == (["reallocated", "undone"] * 4)[: len(statuses)]
    gaps = [b - a for a, b in zip(by_minute[::2], by_minute[2::2], strict=False)]
    assert gaps == sorted(gaps)


@pytest.mark.slow
def test_each_failure_doubles_the_time_it_must_be_well():
    """Up to a limit; a day without one, and it is as before."""
    failures, at, took = Failures(CONFIG), 0, []
    for _ in range(MOST_DOUBLINGS + 3):
        at += SECOND
        failures.advance(robots(at, a="fault"), at)
        began = at
        while not failures.advance(robots(at, a="idle"), at):
            at += 15 * SECOND
        took.append((at - began) // CONFIG.steady_us)
    assert took == [1, 2, 4, 8, 16, 32, 32, 32]
    ((*_, remembered),) = failures.snapshot()["begun"]
    assert len(remembered) == MOST_DOUBLINGS
    at += CONFIG.flap_us + 1
    failures.advance(robots(at, a="idle"), at)
    failures.advance(robots(at + 1, a="fault"), at + 1)
    failures.advance(robots(at + 2, a="idle"), at + 2)
    assert failures.advance(robots(at + 2 + CONFIG.steady_us, a="idle"), at + 2 + CONFIG.steady_us)


def test_what_is_known_of_robots_that_are_gone_is_forgotten():
    """Once they have no tasks and their failures are long past."""
    failures = Failures(CONFIG)
    failures.advance(robots(0, a="fault"), 0)
    failures.advance(robots(CONFIG.flap_us + 1, b="idle"), CONFIG.flap_us + 1)
    assert failures.snapshot() == Failures(CONFIG).snapshot()


def test_a_robot_leaves_service_when_that_is_known():
    """However long ago it was heard; one that falls silent failed then."""
    failures, now = Failures(CONFIG), 10 * MINUTE
    failures.advance(robots(now, a=OLD | {"active": False}, b=OLD, c="idle"), now)
    assert failures.out().select("robot", "failed_us").rows() == [("a", now), ("b", 6 * MINUTE)]
