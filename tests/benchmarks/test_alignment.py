"""The claims of docs/explanation/alignment.md, on fewer seeds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.alignment_control import COMPARABLE, OURS, bounds, chase, feed_forward, ours, ours_integral, pi, table
from benchmarks.alignment_plant import Plant, reversals, simulate
from benchmarks.alignment_scenarios import SCENARIOS, Scenario, play, steady

pytestmark = pytest.mark.slow

QUIET = {
    "constant": 0,
    "step up by 30 %": 0,
    "step up by 50 %": 0,
    "step up to double": 0,
    "step down to half": 0,
    "small zone, 1 to 2 robots": 0,
    "ramp up by half in 4 hours": 0,
    "ramp down by half in 4 hours": 0,
    "saturation for 4 hours": 1,
    "2 hours without demand": 1,
    "delay 4, taken for 2": 0,
    "delay 1, taken for 2": 0,
    "delay 8, taken for 4": 0,
    "rate taken for 25 % too low": 0,
    "forecast noise of 5 %": 0,
}
"""Reversals, the fewest there can be: after saturation, and when demand is back, the setpoint has to turn round."""


@pytest.mark.parametrize("name", QUIET)
def test_setpoints_do_not_oscillate(name):
    """Not of a constant, a step or a ramp, nor with a delay that is half or double what is assumed."""
    assert reversals(play(SCENARIOS[name], ours).setpoints) <= QUIET[name]


@pytest.mark.parametrize("make", [ours, ours_integral], ids=["plain", "integral"])
@pytest.mark.parametrize("tasks", [15, 69, 690])
@pytest.mark.parametrize("times", [0.3, 1.25, 2.0])
def test_after_a_step_of_demand_the_setpoint_goes_one_way_and_the_backlog_is_cleared(make, tasks, times):
    """However far the rate or the forecast lags behind; the integral, too."""
    scenario = Scenario(steady((tasks, 40), (times * tasks, 400)), Plant(delay=2, high=10_000))
    run = play(scenario, make)
    assert reversals(run.setpoints[40:]) == 0
    assert run.backlog[-1] == 0


def test_robots_that_do_less_than_is_believed_do_not_leave_a_backlog_that_grows():
    """The bound on feedback rises with what the backlog shows; the integral lets less wait."""
    plain, integral = (play(SCENARIOS["rate taken for 25 % too high"], make).backlog for make in (ours, ours_integral))
    assert plain[-288:].max() <= 90
    assert integral[-288:].mean() < plain[-288:].mean() / 2


@pytest.mark.parametrize("name", [name for name in QUIET if "small" not in name])
def test_the_backlog_is_cleared(name):
    assert play(SCENARIOS[name], ours).backlog[-1] == 0


def test_after_saturation_no_robot_too_many_or_too_few_is_kept():
    """The setpoint comes down once, to what it was before, and does not go below."""
    run = play(SCENARIOS["saturation for 4 hours"], ours)
    came_down = run.setpoints[108:]
    assert np.all(np.diff(came_down) <= 0)
    assert came_down[-1] == run.setpoints[0] == came_down.min()


def test_ours_is_as_good_as_was_promised_and_steadier_than_all_others():
    """Five seeds of the table: mean robots, backlog p95, reversals, moves, bullwhip."""
    contenders = {"chase": chase, "feed-forward": feed_forward, "pi": pi, OURS: ours}
    rows = table(COMPARABLE, contenders, 5)
    assert np.all(rows[OURS].mean(axis=0) <= [25.6, 26, 28, 230, 0.38])
    for name in ("chase", "feed-forward", "pi"):
        low, _ = bounds(rows[name] - rows[OURS])
        assert low[2] > 0
        assert low[3] > 0


def test_every_contender_sees_the_same_arrivals():
    """Common random numbers: the arrivals of a seed are a function of the seed."""
    once, again = (Plant().arrivals(3)[0] for _ in range(2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, Plant().arrivals(4)[0])


def test_the_plant_is_a_queue_that_answers_late():
    """With delay 2 the setpoint of an interval works three intervals on, and not before."""
    run = simulate(Plant(delay=2, rate=1.0), np.full(6, 10.0), lambda _: 20, start=5)
    assert run.backlog.tolist() == [5.0, 10.0, 15.0, 5.0, 0.0, 0.0]


def test_a_large_zone_keeps_more_robots_than_its_demand_keeps_busy():
    """Else a backlog below the target would take them away, and the backlog that follows bring them back, for ever."""
    arrived = np.full(300, 690.0)
    run = simulate(Plant(mean=690, delay=0, high=500), arrived, ours(Plant(delay=0)), start=256)
    assert reversals(run.setpoints) == 0
    assert run.setpoints.min() > 230


def test_an_integral_does_not_wind_up_at_a_limit():
    """Three hours after the backlog is cleared it keeps 15 % too many robots at most; without back-calculation 23 %."""
    run = play(SCENARIOS["saturation for 4 hours"], ours_integral)
    cleared = 108 + int(np.argmax(run.backlog[108:] == 0))
    assert run.setpoints[cleared : cleared + 36].mean() <= 1.15 * run.setpoints[0]
