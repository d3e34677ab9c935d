"""Recommendations stand until another one is worth a change, over restarts too."""

from __future__ import annotations

import polars as pl
import pytest

from flows.alignment.dispatch import Dispatch
from flows.alignment.sections import Limit
from tests.domain.allocation.rows import NOW, S, done, robots, tasks

from .floor import alignment

NONE_SHED = pl.Series([False])


@pytest.mark.parametrize("restarted", [False, True])
def test_a_recommendation_does_not_turn_with_every_step_of_a_robot(restarted: bool):
    """Robots that pass each other in turn leave it where it is; one that comes by far nearer takes it over, once."""
    made = Dispatch(alignment())
    todo = tasks(t={"x": 0.0, "priority": 0, "work_micro": 60_000_000})
    chosen = []
    for minute, (first, second) in enumerate([(200, 210), (190, 180), (160, 170), (150, 10), (140, 20)]):
        fleet = robots(r1={"x": float(first)}, r2={"x": float(second)})
        told = made.review(NOW + minute * S, todo, NONE_SHED, fleet, done()).assignments
        chosen += told["robot"].to_list()
        if restarted:
            stored, made = made.snapshot(), Dispatch(alignment())
            made.restore(stored)
    assert chosen == ["r1", "r2"]


@pytest.mark.parametrize("site", ["s", "*"])
def test_robots_do_not_crowd_a_zone_whose_limit_names_no_site(site: str):
    """What holds for a zone of any site holds for allocation as for setpoints."""
    made = Dispatch(alignment(limits=(Limit(site=site, zone="a", most=1),)))
    told = made.review(
        NOW, tasks(t={}, u={}), pl.Series([False] * 2), robots(r1={"zone": "b"}, r2={"zone": "b"}), done()
    )
    assert told.assignments["robot"].n_unique() == 1
    assert told.assignments["policy"].str.contains("zone_limits=s/a:1,", literal=True).all()


def test_a_recommendation_ends_once_and_says_how():
    """Taken by a robot, no longer open, given up for now, or without a robot; under the policy that it names."""
    made = Dispatch(alignment(ageing_s=900.0))
    names = ("taken", "ended", "shed", "waits")
    fleet = robots(**{f"r{number}": {"x": 50.0 * number} for number in range(4)})
    todo = tasks(**{name: {"x": 50.0 * number} for number, name in enumerate(names)})
    first = made.review(NOW, todo, pl.Series([False] * 4), fleet, done()).assignments
    assert first["status"].to_list() == ["recommended"] * 4
    assert first["policy"].str.starts_with("allocation@1(").all()
    assert first["policy"].str.contains("ageing_s=900,", literal=True).all()

    later = tasks(taken={"state": "started", "robot": "r1"}, shed={}, waits={"depends_on": ["taken"]})
    stored, made = made.snapshot(), Dispatch(alignment())
    made.restore(stored)
    over = made.review(NOW + S, later, pl.Series([False, True, False]), fleet, done()).assignments
    assert {task: (status, reason) for task, status, reason in over.select("task", "status", "reason").rows()} == {
        "taken": ("taken", "robot r1 has the task"),
        "ended": ("ended", "the task is no longer open"),
        "shed": ("withdrawn", "nobody should do it now: its class of work is given up for now"),
        "waits": ("withdrawn", "nobody should do it now: waits for taken"),
    }
    assert over["decided_us"].unique().to_list() == [NOW]
    assert made.review(NOW + 2 * S, later, pl.Series([False, True, False]), fleet, done()).assignments.is_empty()
