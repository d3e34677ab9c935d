"""Charging: the cycle foreseen, and what is learned of it, against batteries that are followed step by step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from domain.alignment.charging import charged_by
from domain.alignment.fleet import Fleet
from tests.domain.alignment.capacity.fleets import HOUR_US, WINDOW_US, presence, work


def followed(until, start, charging, period):
    """Time charged up to `until`, counted in small steps."""
    times = (np.arange(200_000) + 0.5) / 200_000 * until
    return until * np.mean((times >= start) & ((times - start) % period < charging))


@pytest.mark.parametrize("start", [-0.7, -1e-9, 0.0, 0.4, 3.0, 50.0])
@pytest.mark.parametrize("until", [1e-3, 0.3, 2.2, 7.0, 31.0])
def test_time_charged_is_that_of_a_robot_followed(start, until):
    """Cycles add up, whether a charge is under way at the start, begins at once, later, or beyond the horizon."""
    found = charged_by(np.array(until), np.array(start), np.array(1.0), np.array(5.5))
    assert found == pytest.approx(followed(until, start, 1.0, 5.5), abs=1e-4 * until)


def driven(robot, battery, *, busy_share, drain_busy=12.0, drain_idle=4.0, charge=50.0, low=21.0, high=91.0):
    """What a robot tells each minute whose battery, at `battery` in the beginning, is followed second by second."""
    mode, rng = "busy", np.random.default_rng(5)
    for minute in itertools.count(1):
        busy_us = available_us = 0
        busy_second = rng.random() < busy_share
        for _ in range(60):
            if mode == "charging":
                battery += charge / 3600
                mode = "busy" if battery >= high else mode
            else:
                battery -= (drain_busy if busy_second else drain_idle) / 3600
                available_us += 1_000_000
                busy_us += 1_000_000 * busy_second
                mode = "charging" if battery <= low else mode
        told = {"busy_us": busy_us, "available_us": available_us, "mode": mode, "battery": round(battery, 1)}
        yield told | {"robot": robot, "last_us": minute * WINDOW_US}


def learned(minutes, *robots):
    """What a fleet expects of these robots after some minutes."""
    fleet = Fleet(WINDOW_US)
    for minute in range(minutes):
        rows = map(next, robots)
        fleet.learn(minute * WINDOW_US, presence(minute, *rows), work())
    return fleet.robots()


@pytest.mark.slow
def test_the_cycle_is_learned_from_readings_a_minute_apart():
    """Drain while busy, charging rate and both levels are found within 3 %, though it is busy half of the time."""
    robots = learned(240, *(driven(f"r{level}", level, busy_share=0.5) for level in (25, 30, 35, 40, 45, 50)))
    for name, true in (("drain", 12.0), ("charge", 50.0), ("low", 21.0), ("high", 91.0)):
        assert robots[name][0] == pytest.approx(true, rel=0.03), name


@pytest.mark.slow
def test_a_robot_that_never_charges_keeps_the_usual_levels():
    """Without a charge seen the levels are the default's, and drain is what is seen."""
    robots = learned(60, driven("r", 60.0, busy_share=1.0, drain_busy=9.0))
    assert (robots["low"][0], robots["high"][0]) == (20.0, 90.0)
    assert robots["drain"][0] == pytest.approx(9.0, rel=0.2)


@pytest.mark.slow
def test_a_battery_changed_by_hand_is_no_drain():
    """A leap of the charge while working is left out of the drain, which would else be negative."""
    fleet = Fleet(WINDOW_US)
    for minute in range(100):
        battery = 90.0 - 0.2 * (minute % 50)
        fleet.learn(minute * WINDOW_US, presence(minute, {"battery": battery}), work())
    assert fleet.robots()["drain"][0] == pytest.approx(12.0, rel=0.03)


def test_without_a_reading_of_the_battery_nothing_is_learned():
    """Null charges leave every default as it was."""
    fleet = Fleet(WINDOW_US)
    for minute in range(20):
        mode = "charging" if minute % 4 == 3 else "busy"
        fleet.learn(minute * WINDOW_US, presence(minute, {"battery": None, "mode": mode}), work())
    robots = fleet.robots()
    assert [robots[name][0] for name in ("drain", "charge", "low", "high")] == pytest.approx([12.0, 50.0, 20.0, 90.0])
    assert robots["seen_us"][0] < HOUR_US
