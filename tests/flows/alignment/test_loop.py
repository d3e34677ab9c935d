"""The closed loop: robots of the simulated warehouse do as the flow says, and the flow hears what comes of it.

Robots do 24 tasks an hour each. Nothing of the loop is left out but time: telemetry, tasks and answers go through the
gate and the windows, setpoints to the robots, who take as long as they take.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise

import pytest

from .crew import Crew, Loop, twin

pytestmark = pytest.mark.slow

RATE = 24.0
FLEET = 26
DELAY_S = 600.0
SOME, MORE, MUCH = 220.0, 320.0, 800.0
STEPPED_H, SURGED_H = 3.0, 3.75
PER_HOUR = 12
"""Reviews."""


@cache
def day(*parts: tuple[float, float], delay_s: float = DELAY_S) -> Loop:
    """A run in which so many tasks an hour come up to so many hours after the start, one part after the other."""

    def arriving(hours: float) -> float:
        return next(tasks for tasks, until in parts if hours <= until + 0.1)

    crew = Crew(twin(FLEET, 3600 / RATE), arriving, delay_s, at_work=10)
    return Loop(crew, delay_s=DELAY_S).run(parts[-1][1])


def surge() -> Loop:
    """A steady demand, a step, three quarters of an hour of more than all robots can do, and the demand of before."""
    return day((SOME, 1.25), (MORE, STEPPED_H), (MUCH, SURGED_H), (MORE, 5.75))


def turns(robots: list[int]) -> int:
    """Moves against the move before them."""
    ways = [b > a for a, b in pairwise(robots) if a != b]
    return sum(a != b for a, b in pairwise(ways))


def test_a_steady_demand_and_a_step_turn_nothing():
    """One move to what the demand takes, and after the step, which is found out about by and by, upwards only."""
    there = surge().there[: round(STEPPED_H * PER_HOUR)]
    steady = there[4 : round(1.25 * PER_HOUR)]
    assert len(set(steady)) == 1
    assert SOME / RATE < steady[0] <= SOME / RATE / 0.9 + 2.5
    assert turns(there) == 0
    assert MORE / RATE < there[-1] <= MORE / RATE / 0.9 + 2.5


def test_what_has_piled_up_is_cleared():
    """What the step brings before it is answered, and what all robots together could not keep up with."""
    queue = surge().queue
    assert max(queue[: round(STEPPED_H * PER_HOUR)]) < MORE / PER_HOUR
    assert queue[round(STEPPED_H * PER_HOUR) - 2] == 0
    assert max(queue) > MUCH / PER_HOUR
    assert queue[-1] == 0


def test_after_saturation_robots_go_without_overshoot():
    """All are there while it lasts; then they go, never too many, and none is left beyond what the guards allow."""
    loop = surge()
    there = loop.there
    assert max(there) == FLEET
    empty = next(at for at in range(round(SURGED_H * PER_HOUR), len(there)) if loop.queue[at] == 0)
    assert there[empty + 4] < FLEET
    after = there[empty:]
    assert turns(after) == 0
    assert min(after) > MORE / RATE
    assert after[-1] <= MORE / RATE / 0.9 + 3


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_robots_that_take_half_or_double_the_time_are_steered_as_steadily(share):
    """They answer when they are there, so it is known; a step has no turn, and what has piled up is cleared."""
    loop = day((SOME, 0.75), (MORE, 2.75), delay_s=share * DELAY_S)
    assert turns(loop.there) == 0
    assert loop.queue[-1] == 0
    assert MORE / RATE < loop.there[-1] <= MORE / RATE / 0.9 + 3


def test_every_message_is_good_and_every_setpoint_answered():
    """Nothing is refused, and of no setpoint of the zone there is an exception: only of where nobody answers."""
    flow = surge().flow
    assert flow.table("quarantine").height == flow.table("late").height == 0
    told = flow.table("signal")
    assert {json.loads(evidence)["zone"] for evidence in told["evidence"]} == {"park"}
    assert set(told["kind"]) == {"setpoint_unacknowledged"}
    assert told.height <= 6
