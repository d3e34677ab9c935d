"""What holds of every controller, whatever it is told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.alignment.controllers.mpc import MpcController
from domain.alignment.controllers.reading import Memory, Reading
from domain.alignment.controllers.smith import SmithConfig, SmithController

CONTROLLERS = [SmithController(), SmithController(SmithConfig(integral=True)), MpcController()]
NAMES = ["smith", "integral", "mpc"]

amounts = st.sampled_from([0.0, 5e-324, 1e-9, 0.5, 36.0, 828.0, 1e6, 1e18, 1.7e308]) | st.floats(0, 1e5)
robots = st.sampled_from([0, 1, 25, 60, 1_000]) | st.integers(0, 200)


@st.composite
def readings(draw):
    low, high = sorted((draw(robots), draw(robots)))
    return Reading(
        demand=draw(amounts),
        backlog=draw(amounts),
        rate=draw(amounts),
        robots=draw(robots),
        pending=tuple(draw(st.lists(robots, max_size=4))),
        low=low,
        high=high,
        task=draw(amounts),
        availability=draw(st.sampled_from([1e-12, 0.5, 1.0])),
    )


memories = st.builds(
    Memory,
    demand=st.none() | st.floats(0, 1e9),
    direction=st.sampled_from([-1, 0, 1]),
    since=st.integers(0, 1_000),
    seen=st.none() | st.floats(0, 1e9),
    left=st.none() | st.floats(-1e9, 1e9),
)

PLAIN = Reading(demand=828, backlog=14, rate=36, robots=26, pending=(), low=0, high=60)


@pytest.mark.parametrize("controller", CONTROLLERS, ids=NAMES)
@given(reading=readings(), memory=memories)
@example(reading=replace(PLAIN, rate=0.0), memory=Memory())
@example(reading=replace(PLAIN, demand=0.0, backlog=0.0), memory=Memory())
@example(reading=replace(PLAIN, backlog=1.7e308, rate=1e-300), memory=Memory(seen=0.0, left=-5.0))
@example(reading=replace(PLAIN, low=7, high=7), memory=Memory(direction=1))
@settings(max_examples=60, deadline=None)
def test_a_setpoint_lies_within_the_limits_and_every_number_is_finite(controller, reading, memory):
    """Also where nothing is known of the rate, nothing is asked for, or more than could ever be done."""
    setting, after = controller.decide(reading, memory)
    assert reading.low <= setting.robots <= reading.high
    assert all(map(math.isfinite, (setting.wanted, setting.feed_forward, setting.feedback, setting.integral)))
    assert all(number is None or math.isfinite(number) for number in (after.demand, after.seen, after.left))
    assert setting.wanted == pytest.approx(setting.feed_forward + setting.feedback + setting.integral, abs=1) or (
        setting.held in {"unknown_rate", "unsolved"}
    )
    assert setting.reason.startswith((f"{setting.robots} robots: ", "1 robot: "))
    assert "nan" not in setting.reason


@pytest.mark.parametrize("controller", CONTROLLERS, ids=NAMES)
@given(reading=readings(), memory=memories)
@settings(max_examples=30, deadline=None)
def test_no_move_is_faster_than_the_rate_unless_a_limit_asks_for_it(controller, reading, memory):
    setting, _ = controller.decide(reading, memory)
    if setting.held != "limit":
        assert abs(setting.robots - reading.last) <= 4 or setting.held in {"unknown_rate", "unsolved"}


@pytest.mark.parametrize("controller", CONTROLLERS, ids=NAMES)
@given(reading=readings(), memory=memories)
@settings(max_examples=20, deadline=None)
def test_the_same_question_has_the_same_answer(controller, reading, memory):
    assert controller.decide(reading, memory) == controller.decide(reading, memory)


@pytest.mark.parametrize("name", ["demand", "backlog", "rate", "task"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_number_without_sense_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} of a reading is"):
        replace(PLAIN, **{name: value})


@pytest.mark.parametrize("wrong", [{"robots": -1}, {"pending": (3, -1)}, {"low": -1}, {"low": 5, "high": 4}])
def test_robots_below_zero_and_crossed_limits_are_refused(wrong):
    with pytest.raises(ValueError, match="robots"):
        replace(PLAIN, **wrong)


@given(reading=readings(), memory=memories, more=st.floats(0, 1e5))
@settings(max_examples=100, deadline=None)
def test_more_backlog_never_asks_for_fewer_robots(reading, memory, more):
    controller = CONTROLLERS[0]
    worse = replace(reading, backlog=min(reading.backlog + more, 1.7e308))
    assert controller.decide(worse, memory)[0].wanted >= controller.decide(reading, memory)[0].wanted


@pytest.mark.parametrize("controller", CONTROLLERS, ids=NAMES)
def test_a_robot_that_can_work_for_half_its_time_does_half(controller):
    """Twice the robots are asked for, whatever keeps them from work; and the reason says so."""
    half, slow = replace(PLAIN, availability=0.5), replace(PLAIN, rate=PLAIN.rate / 2)
    ways = [controller.decide(reading, Memory()) for reading in (half, slow)]
    assert [setting.feed_forward for setting, _ in ways] == [pytest.approx(2 * 828 / 36 / 0.9)] * 2
    assert ways[0][1] == ways[1][1]
    assert "keeps 46 busy that charge or are broken for 50% of their time" in ways[0][0].reason
    assert "charge" not in ways[1][0].reason


@pytest.mark.parametrize("availability", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_of_time_is_above_zero_and_at_most_one(availability):
    with pytest.raises(ValueError, match="availability of a reading is"):
        replace(PLAIN, availability=availability)
