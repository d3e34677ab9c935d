"""What a fleet learns of robots and zones, window by window."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alignment.fleet import ROBOT_SCHEMA, Fleet
from schemas.errors import RecoveryError
from tests.domain.alignment.capacity.fleets import HOUR_US, WINDOW_US, presence, taught, work


def test_a_robot_is_where_its_newest_message_says():
    """Of two rows in a window the later one tells the zone, mode and place; both tell work."""
    fleet = Fleet(WINDOW_US)
    rows = (
        {"zone": "pack", "last_us": 50_000_000, "mode": "idle", "x": 3.0, "tasks": 4},
        {"zone": "dock", "last_us": 20_000_000, "mode": "busy", "x": 9.0, "tasks": 1},
    )
    fleet.learn(0, presence(0, *rows), work())
    robots = fleet.robots()
    assert robots.select("zone", "mode", "x", "seen_us").rows() == [("pack", "idle", 3.0, 50_000_000)]
    assert robots.schema == pl.Schema(ROBOT_SCHEMA)


def test_the_rate_is_learned_from_busy_time_alone():
    """Three tasks of two units in half an hour busy are 12 units per busy hour, however long it idled."""
    busy = {"tasks": 3, "busy_us": WINDOW_US // 2}
    robots = taught(50, busy).robots().row(0, named=True)
    assert robots["rate"] == pytest.approx(3 * 2 * 120, rel=0.05)


@pytest.mark.slow
def test_robots_of_one_zone_differ_as_far_as_they_show():
    """A robot twice as fast as its zone's others is told apart; among equals, one that did nothing is as they are."""
    equal = [{"robot": f"r{i}", "tasks": 1} for i in range(6)]
    fast = taught(80, *equal, {"robot": "fast", "tasks": 2}).robots()
    rate = dict(fast.select("robot", "rate").rows())
    assert rate["fast"] / rate["r0"] == pytest.approx(2, rel=0.1)
    alike = taught(50, *equal, {"robot": "new", "tasks": 0, "busy_us": 0}).robots()
    rate = dict(alike.select("robot", "rate").rows())
    assert rate["new"] == pytest.approx(rate["r0"], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [(4, 4, 4, 4), (1, 3, 5, 9), (6,)])
def test_a_zone_is_in_doubt_by_its_tasks_once(tasks):
    """Robots at work together are in doubt by scatter over tasks seen, be they alike, far apart or alone: not twice."""
    robots = taught(80, *({"robot": f"r{place}", "tasks": n} for place, n in enumerate(tasks))).robots()
    share = (robots["rate"] / robots["rate"].sum()).to_numpy()
    own, shared = robots["rate_doubt"].to_numpy(), robots["zone_doubt"].to_numpy()
    doubt = (share**2 * own).sum() + (share * np.sqrt(shared)).sum() ** 2
    weights = 0.5 ** (np.arange(80) / 60 / 12)
    known = sum(tasks) * weights.sum() ** 2 / (weights**2).sum()
    assert doubt == pytest.approx(robots["scatter"][0] / 2 / known, rel=0.05)


@pytest.mark.slow
def test_a_robot_keeps_its_factor_when_it_changes_zone():
    """A robot that did 1.75 times what robots of its zone do, itself among them, is expected to do so in another."""
    slow = [{"robot": f"s{i}", "zone": "dock", "tasks": 1} for i in range(6)]
    quick = [{"robot": f"q{i}", "zone": "pick", "tasks": 3} for i in range(6)]
    fleet = taught(80, *slow, *quick, {"robot": "fast", "zone": "pick", "tasks": 6})
    fleet.learn(80 * WINDOW_US, presence(80, {"robot": "fast", "zone": "dock", "tasks": 0, "busy_us": 0}), work())
    rate = dict(fleet.robots().select("robot", "rate").rows())
    assert rate["fast"] / rate["s0"] == pytest.approx(6 / ((6 * 3 + 6) / 7), rel=0.03)
    assert rate["q1"] / rate["s0"] == pytest.approx(3, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("silent", [False, True])
def test_failures_and_repairs_are_counted(silent):
    """Fifty robots with outages of 10 minutes every 100 have an MTBF of 1.5 h and an MTTR of 1/6 h, told or silent."""
    fleet = Fleet(WINDOW_US)
    for minute in range(200):
        down = [(minute + 2 * robot) % 100 >= 90 for robot in range(50)]
        rows = [
            {"robot": f"r{robot:02d}", "mode": mode, "available_us": available, "busy_us": available}
            for robot, broken in enumerate(down)
            for mode, available in [("fault", 0) if broken else ("busy", WINDOW_US)]
            if not (silent and broken)
        ]
        fleet.learn(minute * WINDOW_US, presence(minute, *rows), work())
    robots = fleet.robots()
    assert 1 / robots["failure_rate"][0] == pytest.approx(1.5, rel=0.1)
    assert 1 / robots["repair_rate"][0] == pytest.approx(1 / 6, rel=0.15)


@pytest.mark.parametrize("minutes", [1, 5])
def test_a_robot_heard_in_each_window_has_not_failed(minutes):
    """However long windows are; and what it drains is learned of it. One that misses a window was away."""
    fleet, window_us = Fleet(minutes * WINDOW_US), minutes * WINDOW_US
    for window in range(12):
        spent = {"busy_us": window_us, "available_us": window_us, "battery": 90.0 - window * minutes / 2}
        fleet.learn(window * window_us, presence(window, spent | {"last_us": (window + 1) * window_us - 1}), work())
    robots = fleet.robots()
    assert robots["failures"][0] == 4
    assert robots["drain"][0] > 18
    fleet.learn(14 * window_us, presence(14, spent | {"last_us": 15 * window_us - 1}), work())
    assert fleet.robots()["failures"][0] == pytest.approx(5, rel=0.01)


@pytest.mark.slow
def test_sites_do_not_learn_from_each_other():
    """What is expected of a site is the same to the last bit whether another one is in the fleet or not."""
    one = taught(30, {"robot": "a", "tasks": 2}, {"robot": "b"})
    both = Fleet(WINDOW_US)
    for window in range(30):
        rows = [{"robot": "a", "tasks": 2}, {"robot": "b"}, {"site": "arctic", "robot": "a", "tasks": 9}]
        both.learn(window * WINDOW_US, presence(window, *rows), work(("pick", 3, 6)))
    assert both.robots().filter(site="north").equals(one.robots())


@pytest.mark.slow
def test_a_stored_fleet_goes_on_bit_for_bit():
    """A fleet restored half way ends as one that was never stored; another version's state is refused."""
    rows = [
        {"robot": "a", "tasks": 2},
        {"robot": "b", "zone": "aisle", "mode": "charging"},
        {"robot": "c", "zone": "z"},
    ]
    whole, first = taught(40, *rows), taught(20, *rows)
    second = Fleet(WINDOW_US)
    second.restore(first.snapshot())
    for window in range(20, 40):
        done = work(("aisle", 1, 2), ("pick", 2, 4), ("z", 1, 2))
        second.learn(window * WINDOW_US, presence(window, *rows), done)
    assert second.robots().equals(whole.robots())
    assert second.snapshot() == whole.snapshot()
    with pytest.raises(RecoveryError, match="version"):
        Fleet(WINDOW_US).restore(first.snapshot().replace(b"\xa7version\x01", b"\xa7version\x02"))


def test_order_of_rows_does_not_matter():
    """Rows of a window in any order, as partitions bring them, give the same state, bit for bit."""
    rows = [{"robot": f"r{i}", "zone": f"z{i % 3}", "tasks": i} for i in range(9)]
    one, other = Fleet(WINDOW_US), Fleet(WINDOW_US)
    for window in range(5):
        seen, done = presence(window, *rows), work(("z0", 9, 20), ("z1", 12, 30), ("z2", 15, 31))
        one.learn(window * WINDOW_US, seen, done)
        other.learn(window * WINDOW_US, seen.reverse(), done.reverse())
    assert one.snapshot() == other.snapshot()


def test_windows_come_in_order_and_once():
    """A window that is not later than the last is refused."""
    fleet = taught(3, {})
    with pytest.raises(ValueError, match="learned before"):
        fleet.learn(2 * WINDOW_US, presence(2, {}), work())


def test_forgotten_robots_and_zones_leave_nothing():
    """After `forget`, robots and zones last heard of before are gone, others are as they were."""
    fleet = taught(10, {"robot": "old", "zone": "attic"})
    fleet.learn(HOUR_US, presence(60, {"robot": "new"}), work())
    before = fleet.robots().filter(robot="new")
    fleet.forget(HOUR_US // 2)
    assert fleet.robots().select("robot", "zone").rows() == [("new", "pick")]
    assert fleet.robots().select("seen_us", "mode").equals(before.select("seen_us", "mode"))


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "robot": st.sampled_from(["a", "b", "c"]),
            "zone": st.sampled_from(["pick", "pack", None]),
            "tasks": st.sampled_from([0, 1, 1000]),
            "busy_us": st.sampled_from([0, 1, WINDOW_US, 10**12]),
            "available_us": st.sampled_from([0, 1, WINDOW_US, 10**12]),
            "last_us": st.integers(-(10**6), 10**6),
            "mode": st.sampled_from(["idle", "busy", "charging", "fault", "offline", None]),
            "battery": st.sampled_from([None, 0.0, 20.0, 99.9, 100.0, float("nan")]),
        }
    ),
    max_size=5,
    unique_by=lambda row: (row["robot"], row["zone"]),
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(_ROWS, st.sampled_from([1, 1, 3, 1_440])), min_size=1, max_size=8))
def test_whatever_is_told_what_is_expected_is_finite_and_possible(told):
    """No counters, modes, batteries or gaps make a rate, level or variance that is not finite and in its range."""
    fleet, window = Fleet(WINDOW_US), 0
    for rows, gap in told:
        window += gap
        at = [row | {"last_us": window * WINDOW_US + abs(row["last_us"])} for row in rows]
        fleet.learn(window * WINDOW_US, presence(window, *at), work(("pick", 1, 5)))
    robots = fleet.robots()
    numbers = robots.select(pl.col(name) for name in ROBOT_SCHEMA if name not in ("x", "y", "battery")).select(
        pl.selectors.float()
    )
    assert np.isfinite(numbers.to_numpy()).all()
    assert (numbers.to_numpy() >= 0).all()
    assert (robots["high"] > robots["low"]).all()
