"""Recommendations stand until another one is worth a change, over restarts too."""

from __future__ import annotations

import pytest

from flows.alignment.dispatch import Dispatch
from tests.domain.allocation.rows import NOW, S, done, robots, tasks

from .floor import alignment


@pytest.mark.parametrize("restarted", [False, True])
def test_a_recommendation_does_not_turn_with_every_step_of_a_robot(restarted: bool):
    """Robots that pass each other in turn leave it where it is; one that comes by far nearer takes it over, once."""
    made = Dispatch(alignment())
    todo = tasks(t={"x": 0.0, "priority": 0, "work_micro": 60_000_000})
    chosen = []
    for minute, (first, second) in enumerate([(200, 210), (190, 180), (160, 170), (150, 10), (140, 20)]):
        fleet = robots(r1={"x": float(first)}, r2={"x": float(second)})
        chosen += made.review(NOW + minute * S, todo, fleet, done()).assignments["robot"].to_list()
        if restarted:
            stored, made = made.snapshot(), Dispatch(alignment())
            made.restore(stored)
    assert chosen == ["r1", "r2"]
