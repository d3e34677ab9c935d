"""Time able to work of robots that fail and charge, against robots simulated event by event."""

from __future__ import annotations

import numpy as np
import pytest

from domain.alignment.working_time import lasting_share, robots_now, working_time
from tests.domain.alignment.capacity.fleets import robots

PATHS = 20_000
LOW, HIGH, DRAIN, CHARGE = 20.0, 95.0, 14.0, 60.0


def simulated(mode, battery, failures, repairs, horizon, paths=PATHS):
    """Hours worked within a horizon, path by path, step by step from one event to the next."""
    rng = np.random.default_rng(11)
    now, worked, charge = np.zeros(paths), np.zeros(paths), np.full(paths, battery)
    state = np.full(paths, mode)
    while (now < horizon).any():
        empty = (charge - LOW) / DRAIN
        fails = rng.exponential(1 / failures, paths)
        full = np.maximum(HIGH - charge, 0) / CHARGE
        repaired = rng.exponential(1 / repairs, paths)
        stay = np.select([state == "busy", state == "charging"], [np.minimum(empty, fails), full], repaired)
        passed = np.minimum(np.maximum(stay, 0), np.maximum(horizon - now, 0))
        busy, plugged = state == "busy", state == "charging"
        worked += np.where(busy, passed, 0)
        charge += np.where(busy, -DRAIN * passed, 0) + np.where(plugged, CHARGE * passed, 0)
        now += passed
        after = np.where(busy, np.where(fails < empty, "fault", "charging"), "busy")
        state = np.where(passed < stay, state, after)
    return worked


@pytest.mark.parametrize("horizon", [0.25, 1.0, 4.0, 24.0])
@pytest.mark.parametrize(
    ("mode", "battery"), [("busy", 23.0), ("busy", 40.0), ("busy", 75.0), ("charging", 50.0), ("fault", 60.0)]
)
def test_time_worked_is_that_of_simulated_robots(mode, battery, horizon):
    """Mean and variance are those of 20,000 robots, wherever in their cycle they are: outages move charges."""
    failures, repairs = 1 / 10, 2.0
    paths = simulated(mode, battery, failures, repairs, horizon)
    cycle = {"low": LOW, "high": HIGH, "drain": DRAIN, "charge": CHARGE}
    fleet = robots(
        cycle | {"mode": mode, "battery": battery, "failure_rate": failures, "repair_rate": repairs, "since_us": 0}
    )
    found = working_time(robots_now(fleet, 0), horizon)
    back = 0.99 if mode == "fault" else 1.0
    assert found.mean[0] / back == pytest.approx(paths.mean(), rel=0.01, abs=2e-3)
    variance = found.variance[0] / back - (1 - back) * (found.mean[0] / back) ** 2
    assert variance**0.5 == pytest.approx(paths.std(), rel=0.1, abs=0.01)


def test_an_outage_costs_nothing_while_the_robot_would_charge_at_the_end():
    """With an hour of charging at the end of the horizon, short outages only put the charge off."""
    fleet = robots(
        {"battery": LOW + 2 * DRAIN, "low": LOW, "high": HIGH, "drain": DRAIN, "charge": CHARGE, "repair_rate": 20.0}
    )
    found = working_time(robots_now(fleet, 0), 3.0)
    assert found.most[0] == pytest.approx(2.0)
    assert found.mean[0] == pytest.approx(2.0, abs=1e-3)
    assert found.variance[0] < 1e-4
    assert found.lost[0] < 1e-3


def test_each_robot_is_foreseen_for_itself():
    """To the last bit, whatever other robots there are and in which order."""
    fleet = robots(*({"battery": 20.0 + 5 * i, "drain": 12.0, "low_variance": 2.0} for i in range(15)))
    together = working_time(robots_now(fleet, 0), 4.0)
    for place in range(15):
        alone = working_time(robots_now(fleet[place : place + 1], 0), 4.0)
        assert (alone.mean[0], alone.variance[0], alone.third[0]) == (
            together.mean[place],
            together.variance[place],
            together.third[place],
        )


def at_uncertain_levels(mode, battery, horizon):
    """Hours worked by robots that never fail, and charge from and to levels that are other ones each time."""
    rng = np.random.default_rng(12)
    now, worked, charge = np.zeros(PATHS), np.zeros(PATHS), np.full(PATHS, battery)
    while (now < horizon).any():
        level = rng.normal(LOW, 2.0, PATHS) if mode == "busy" else rng.normal(HIGH, 3.0, PATHS)
        stay = np.maximum(charge - level, 0) / DRAIN if mode == "busy" else np.maximum(level - charge, 0) / CHARGE
        worked += np.minimum(stay, np.maximum(horizon - now, 0)) if mode == "busy" else 0
        now, charge, mode = now + stay, level, "charging" if mode == "busy" else "busy"
    return worked


@pytest.mark.parametrize(
    ("mode", "battery", "horizon"),
    [("charging", 60.0, 1.0), ("charging", 60.0, 4.0), ("busy", 30.0, 4.0), ("busy", 60.0, 2.9), ("busy", 45.0, 9.0)],
)
def test_levels_in_doubt_move_only_what_hangs_on_them(mode, battery, horizon):
    """A charge under way, the next charge, one that begins and ends within the horizon, and a second one."""
    paths = at_uncertain_levels(mode, battery, horizon)
    cycle = {"low": LOW, "high": HIGH, "drain": DRAIN, "charge": CHARGE, "low_variance": 4.0, "high_variance": 9.0}
    fleet = robots(cycle | {"mode": mode, "battery": battery, "failure_rate": 1e-9})
    found = working_time(robots_now(fleet, 0), horizon)
    assert found.mean[0] == pytest.approx(paths.mean(), abs=0.02)
    assert found.variance[0] ** 0.5 == pytest.approx(paths.std(), rel=0.25)


@pytest.mark.parametrize("failure_rate", [1 / 20, 1.0])
@pytest.mark.parametrize("mode", ["busy", "charging"])
def test_in_the_long_run_a_robot_works_the_share_that_lasts(mode, failure_rate):
    """Whatever it does now; one that does not tell its charge is taken to fail and not to charge."""
    row = {"mode": mode, "failure_rate": failure_rate, "battery": 60.0, "drain": DRAIN, "charge": CHARGE}
    rows = robots(row, row | {"battery": None, "mode": "busy"})
    told, untold = rows.select(lasting_share()).to_series()
    assert told == pytest.approx(simulated(mode, 60.0, failure_rate, 4.0, 400.0, paths=300).mean() / 400, rel=0.02)
    assert untold == pytest.approx(4.0 / (4.0 + failure_rate))
