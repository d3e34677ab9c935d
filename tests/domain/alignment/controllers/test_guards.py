"""Each guard alone, and what setpoints say about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.alignment.controllers.guards import Guards, guarded
from domain.alignment.controllers.load import Aims
from domain.alignment.controllers.mpc import MpcController
from domain.alignment.controllers.reading import Memory, Reading, fresh
from domain.alignment.controllers.smith import SmithConfig, SmithController

READING = Reading(demand=828, backlog=14, rate=36, robots=26, pending=(), low=0, high=60)
"""Demand keeps 23 robots busy; 25.6 at 90 %; the backlog is that aimed at."""
PLAIN = Guards(hysteresis=0, noise_band=0, turn=1, dwell=0, rate=100)


def moved(wanted, guards, *, last=20, memory=None, dead_zone=0.0, **limits):
    reading = replace(READING, robots=last, **limits)
    return guarded(wanted, dead_zone, reading, memory or fresh(), guards)


def test_without_guards_the_setpoint_is_the_nearest_whole_number():
    assert moved(25.4, PLAIN) == (25, "")
    assert moved(14.6, PLAIN) == (15, "")


def test_within_the_hysteresis_it_stays_and_beyond_it_moves_to_half_a_band_short():
    guards = replace(PLAIN, hysteresis=1.5)
    assert moved(21.5, guards) == (20, "hysteresis")
    assert moved(21.51, guards) == (21, "")
    assert moved(18.4, guards) == (19, "")
    assert moved(30.0, guards) == (29, "")


def test_the_band_of_a_large_zone_is_that_of_its_noise():
    guards = replace(PLAIN, hysteresis=1.5, noise_band=0.4)
    assert moved(23.9, guards, dead_zone=10.0) == (20, "hysteresis")
    assert moved(24.1, guards, dead_zone=10.0) == (22, "")


def test_turning_round_takes_a_wider_band():
    guards, up = replace(PLAIN, hysteresis=1.5, turn=2.0), Memory(direction=1, since=99)
    assert moved(17.1, guards, memory=up) == (20, "hysteresis")
    assert moved(16.9, guards, memory=up) == (18, "")
    assert moved(22.0, guards, memory=up) == (21, "")


def test_it_dwells_before_it_turns_round_and_may_go_on():
    guards = replace(PLAIN, dwell=6)
    assert moved(10, guards, memory=Memory(direction=1, since=5)) == (20, "dwell")
    assert moved(10, guards, memory=Memory(direction=1, since=6)) == (10, "")
    assert moved(30, guards, memory=Memory(direction=1, since=1)) == (30, "")


def test_it_moves_by_the_rate_at_most():
    guards = replace(PLAIN, rate=4)
    assert moved(40, guards) == (24, "rate")
    assert moved(0, guards) == (16, "rate")
    assert moved(24, guards) == (24, "")


@pytest.mark.parametrize(("low", "high", "robots"), [(30, 60, 30), (0, 10, 10), (7, 7, 7)])
def test_limits_hold_at_once_whatever_the_other_guards_say(low, high, robots):
    """Neither dwell nor rate keeps a setpoint outside them."""
    dwelling = Memory(direction=1, since=0) if robots < 20 else Memory(direction=-1, since=0)
    assert moved(20, Guards(), memory=dwelling, low=low, high=high) == (robots, "limit")


@pytest.mark.parametrize(
    "wrong", [{"hysteresis": -1}, {"noise_band": float("nan")}, {"turn": 0.5}, {"dwell": -1}, {"rate": 0}]
)
def test_guards_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        Guards(**wrong)


@pytest.mark.parametrize(
    ("change", "memory", "held", "told"),
    [
        ({}, fresh(), "hysteresis", ["26 robots", "828", "25.56", "no further than 1.57"]),
        ({"demand": 1656.0}, fresh(), "rate", ["30 robots", "by 4 an interval", "26 were sent last"]),
        ({"demand": 300.0}, Memory(direction=1, since=2), "dwell", ["went up 2 intervals ago", "before 6"]),
        ({"low": 30}, fresh(), "limit", ["30 robots", "the limits are 30 and 60"]),
        ({"rate": 0.0}, fresh(), "unknown_rate", ["26 robots", "26 of before stay"]),
        (
            {"backlog": 90.0, "robots": 28},
            fresh(),
            "lasting",
            ["28 robots", "need not go again", "28 sent last"],
        ),
        ({"backlog": 25.0}, fresh(), "dead_zone", ["26 robots", "backlog of 25", "within the 13.8 give or take 11.75"]),
    ],
)
def test_a_reason_names_the_numbers(change, memory, held, told):
    controller = SmithController(SmithConfig(Aims(delay=0)))
    setting, _ = controller.decide(replace(READING, **change), memory)
    assert setting.held == held
    for words in told:
        assert words in setting.reason


@pytest.mark.parametrize(
    ("controller", "kind"), [(SmithController(), "feed-forward-p-smith@3("), (MpcController(), "mpc@2(")]
)
def test_a_controllers_name_holds_all_its_parameters(controller, kind):
    assert controller.name.startswith(kind)
    for parameter in ("utilisation=0.9", "delay=1", "target=0.2", "dwell=6", "rate=4"):
        assert parameter in controller.name
