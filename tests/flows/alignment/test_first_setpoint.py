"""Nothing is moved in a new zone until its robots have shown what they do; and no zone waits for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flows.alignment.steering import Steering
from flows.alignment.zones import ZoneState

from .floor import alignment

INTERVAL_US = 300_000_000
NEW = ZoneState(
    site="north",
    zone="pick",
    demand=228.0,
    backlog=0.0,
    rate=6.0,
    availability=1.0,
    task=1.0,
    robots=10,
    tasks=0.5,
    fleet=40,
    last_there=10,
    cause=None,
    capacity=(0.0, 0.0),
)
"""Robots that do 24 tasks an hour, of which so far only the time that the first ones take was seen."""


def sent(*states: ZoneState) -> list[tuple[int, str]]:
    """Robots of the setpoints that are no renewals, and why, review by review."""
    steering, told = Steering(alignment(expires_s=36_000.0, effect_within_s=0.0), answered=False), []
    for number, state in enumerate(states, start=1):
        steering.advance(None, number * INTERVAL_US)
        rows = steering.decide(number * INTERVAL_US, [state]).setpoints
        told += rows.filter(status="sent").select("robots", "reason").rows()
    return told


def test_robots_that_are_there_stay_until_they_have_shown_what_they_do():
    """And are right as they are; by the rate of the first minutes more would come and go again."""
    known = replace(NEW, rate=24.0, tasks=4.0)
    assert sent(NEW, NEW, *[known] * 12) == [
        (10, "10 robots: too little is known of how much a robot does, so the 10 of before stay.")
    ]
    robots = [robots for robots, _ in sent(*[replace(NEW, tasks=4.0)] * 2, *[known] * 12)]
    assert robots[0] < max(robots) > robots[-1]


def test_a_zone_does_not_wait_for_ever():
    """Robots that do nothing in six reviews are decided about with what is known."""
    assert [robots for robots, _ in sent(*[NEW] * 7)] == [10, 14]


@pytest.mark.parametrize("change", [{"robots": 0, "last_there": 0}, {"tasks": 4.0}])
def test_a_zone_without_robots_or_whose_robots_are_known_waits_for_nothing(change):
    """Where nobody is, nobody could show anything."""
    ((robots, _),) = sent(replace(NEW, **change))
    assert robots > NEW.robots * (change.get("robots", 1) > 0)
