"""Costs of sequences and the rows they become, against plain Python."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.allocation.allocate import allocate
from domain.allocation.config import AllocationConfig
from schemas.errors import SettingsError
from tests.domain.allocation.plain_cost import plain_cost
from tests.domain.allocation.rows import NOW, PARTS, S, robots, tasks

places = st.one_of(st.none(), st.floats(-50, 50))
some_tasks = st.fixed_dictionaries(
    {
        "zone": st.sampled_from("ab"),
        "priority": st.integers(0, 9),
        "work_micro": st.integers(0, 60_000_000),
        "created_us": st.integers(0, 20_000).map(lambda s: NOW - s * S),
        "due_us": st.one_of(st.none(), st.integers(-100, 4_000).map(lambda s: NOW + s * S)),
        "requires": st.sampled_from([None, [], ["lift"], ["lift", "cold"]]),
        "x": places,
        "y": st.floats(-50, 50),
    }
)
some_robots = st.fixed_dictionaries(
    {
        "zone": st.sampled_from("ab"),
        "seen_us": st.integers(0, 120).map(lambda s: NOW - s * S),
        "mode": st.sampled_from(["idle", "busy", "charging"]),
        "battery": st.floats(0, 100),
        "x": places,
        "capabilities": st.sampled_from([["lift"], ["lift", "cold"]]),
        "speed": st.one_of(st.none(), st.floats(0.5, 3)),
        "rate": st.one_of(st.none(), st.floats(10, 200)),
        "errors": st.sampled_from([None, 0, 2]),
    }
)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(st.lists(some_tasks, min_size=1, max_size=6), st.lists(some_robots, min_size=1, max_size=3))
def test_rows_say_what_plain_python_says(todo, fleet):
    """Each part of each row, in the order recommended; the parts make the cost; charging is told."""
    todo = tasks(**{f"t{at}": one for at, one in enumerate(todo)})
    fleet = robots(**{f"r{at}": one for at, one in enumerate(fleet)})
    config = AllocationConfig(shakes=1)
    rows = allocate(todo, fleet, NOW, config).assignments
    by_name = {row["task"]: row for row in todo.iter_rows(named=True)}
    have = {row["robot"]: row for row in fleet.iter_rows(named=True)}
    for (robot,), group in rows.group_by("robot", maintain_order=True):
        assert group["sequence"].to_list() == list(range(1, group.height + 1))
        expected = plain_cost(have[robot], [by_name[name] for name in group["task"]], config, NOW)
        for row, plain in zip(group.iter_rows(named=True), expected, strict=True):
            until = plain.pop("charge_pct")
            assert row["charge_pct"] == (until and pytest.approx(until))
            assert {name: row[name] for name in plain} == pytest.approx(plain, rel=1e-9, abs=1e-6)
            assert row["congestion_s"] == 0
            assert row["cost_s"] == pytest.approx(sum(row[name] for name in PARTS))
            assert row["charge_first"] == (row["charge_pct"] is not None)
            ends = sum(plain[name] for name in ("wait_s", "battery_s", "travel_s", "work_s"))
            assert row["expected_us"] == pytest.approx(NOW + ends * S, abs=2)


def _row(task=None, robot=None, **config):
    return allocate(tasks(t=task or {}), robots(r=robot or {}), NOW, AllocationConfig(**config)).assignments.row(
        0, named=True
    )


def test_a_robot_that_lacks_charge_charges_first_as_far_as_it_must():
    """To 80 %; to what the task needs and the reserve where that is more."""
    row = _row({"x": 100.0}, {"battery": 15.5})
    assert (row["charge_first"], row["charge_pct"]) == (True, 80.0)
    assert row["battery_s"] == pytest.approx(120 + (80 - 15.5) / 0.02)
    row = _row({"work_micro": 260_000_000}, {"battery": 15.5})
    assert row["charge_pct"] == pytest.approx(260 * 60 * 0.005 + 15)
    assert row["reason"].startswith("r is free in 0 s, charges to 93.0 % (")


def test_a_robot_with_the_charge_goes_at_once():
    """Exactly enough: energy and reserve."""
    assert not _row({"x": 100.0}, {"battery": 15 + 100 * 0.01 + 60 * 0.005})["charge_first"]


def test_travel_is_the_distance_or_a_default():
    """3-4-5 at 2 m/s; in the zone and between zones where a position is missing."""
    assert _row({"x": 30.0, "y": 40.0}, {"speed": 2.0})["travel_s"] == 25
    assert _row({"x": None})["travel_s"] == 30
    assert _row({"y": None, "zone": "b"})["travel_s"] == 120


def test_what_a_robot_has_already_comes_first():
    """A started task's work, then an assigned one's travel and work; from there it goes on."""
    todo = tasks(
        now={"state": "started", "robot": "r", "x": 50.0},
        then={"state": "assigned", "robot": "r", "x": 80.0},
        new={"x": 90.0},
    )
    row = allocate(todo, robots(r={"battery": 16.0}), NOW, AllocationConfig()).assignments.row(0, named=True)
    assert (row["task"], row["wait_s"], row["travel_s"]) == ("new", 60 + 30 + 60, 10)
    assert row["charge_first"]


def test_an_old_task_rises():
    """Two classes an hour; no higher than 9."""
    row = _row({"priority": 3, "created_us": NOW - 3_600 * S})
    assert row["priority_s"] == pytest.approx(0.5 * 5 * 60)
    assert row["reason"].endswith("Class 5 of 9, risen from 3 by age.")
    assert _row({"priority": 8, "created_us": NOW - 86_400 * S})["priority_s"] == pytest.approx(0.5 * 9 * 60)


def test_crowding_is_shared_by_the_robots_of_the_zone():
    """Two robots stand in a, a faulty one too; room for one: two above the limit, told in two rows."""
    todo = tasks(t1={"work_micro": 90_000_000}, t2={"work_micro": 90_000_000})
    fleet = robots(r1={}, r2={}, r3={"mode": "fault"})
    rows = allocate(todo, fleet, NOW, AllocationConfig(zone_limits={("s", "a"): 1})).assignments
    assert rows["congestion_s"].to_list() == [300, 300]
    assert rows["reason"].str.ends_with("Its zone is too crowded: 300 s.").all()


def test_a_full_zone_is_left_to_the_robot_that_is_in_it():
    """A nearer robot of another zone stays out, unless crowding costs little."""
    todo = tasks(t={"zone": "b", "x": 50.0})
    fleet = robots(near={"x": 40.0}, there={"zone": "b", "x": 0.0})
    full = AllocationConfig(zone_limits={("s", "b"): 1})
    assert allocate(todo, fleet, NOW, full).assignments["robot"].to_list() == ["there"]
    cheap = AllocationConfig(zone_limits={("s", "b"): 1}, congestion_s=10)
    assert allocate(todo, fleet, NOW, cheap).assignments["robot"].to_list() == ["near"]


def test_a_task_turns_from_who_was_told_only_for_what_a_change_costs():
    """One that is nearer by seconds does not get it, by more than a minute does; nor is it kept for who cannot work."""
    todo = tasks(t={"x": 0.0, "y": 0.0, "priority": 0}).with_columns(told=pl.lit("told"))
    for nearer_m, chosen in ((59.0, "told"), (61.0, "near")):
        fleet = robots(told={"x": 100.0, "y": 0.0}, near={"x": 100.0 - nearer_m, "y": 0.0})
        config = AllocationConfig(travel_pct_s=0.0)
        row = allocate(todo, fleet, NOW, config).assignments.row(0, named=True)
        assert (row["robot"], row["change_s"]) == (chosen, 0 if chosen == "told" else config.change_s)
    out = robots(told={"mode": "fault"}, near={"x": 900.0, "y": 0.0})
    row = allocate(todo, out, NOW, AllocationConfig()).assignments.row(0, named=True)
    assert (row["robot"], row["change_s"]) == ("near", 0)


def test_wrong_settings_are_named_together():
    """All that is out of range, in one message."""
    with pytest.raises(SettingsError, match="charge_until_pct, speed_m_s, starved_s, zone_limits out of range"):
        AllocationConfig(speed_m_s=0, starved_s=float("nan"), charge_until_pct=10, zone_limits={("s", "a"): -1})
