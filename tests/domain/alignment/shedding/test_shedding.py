"""Shedding: the lowest class first, back in the opposite order, not to and fro, and control work never."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alignment.shedding import Shedding, SheddingConfig
from domain.alignment.shedding_tables import CREATED, TASKS, ZONES
from schemas.errors import RecoveryError, SettingsError

MINUTE = 60_000_000
HOUR = 60 * MINUTE
REVIEW = 5 * MINUTE
CONFIG = SheddingConfig(service_us=HOUR, restore=0.5, calm=2, most=9, ageing_us=HOUR)


def _tasks(*rows, zone="pick"):
    """(priority, units, created, state)."""
    data = [("north", zone, priority, round(units * 1e6), created, state) for priority, units, created, state in rows]
    return pl.DataFrame(data, schema=TASKS, orient="row")


def _waiting(now, **units):
    """Units waiting by class (c0=..., control=...), just created."""
    priorities = {name: None if name == "control" else int(name[1:]) for name in units}
    return _tasks(*((priorities[name], amount, now, "queued") for name, amount in units.items()))


def _zone(demand, capacity, zone="pick"):
    return pl.DataFrame([("north", zone, float(demand), float(capacity))], schema=ZONES, orient="row")


def _changes(rows):
    return [(row["status"], row["class"], row["level"]) for row in rows.to_dicts()]


def test_one_class_with_work_is_shed_per_review_the_lowest_first():
    """Classes that nobody uses go with it, and the rows say why with their numbers."""
    shedding = Shedding(CONFIG)
    said = [shedding.review(t * REVIEW, _zone(0, 10), _waiting(t * REVIEW, c1=3, c4=8, c9=12)) for t in range(4)]
    assert [_changes(rows) for rows in said] == [
        [("shed", 0, 1), ("shed", 1, 2)],
        [("shed", 2, 3), ("shed", 3, 4), ("shed", 4, 5)],
        [],
        [],
    ]
    row = said[0].to_dicts()[1]
    assert (row["work"], row["clear_us"], row["service_us"]) == (3.0, 138 * MINUTE, HOUR)
    assert row["reason"].startswith("class 1 waits: work takes 138.0 min to clear, the service level is 60 min")


def test_demand_of_control_work_is_not_shed_with_the_lowest_class():
    """What robots are kept from by it stays, so that more has to wait."""
    shedding = Shedding(CONFIG)
    shedding.learn(_tasks((None, 4, 0, "created")).select(CREATED.keys()))
    said = [shedding.review(t * REVIEW, _zone(4, 4), _waiting(t * REVIEW, c0=1, c1=1)) for t in range(2)]
    assert [_changes(rows) for rows in said] == [[("shed", 0, 1)], [("shed", 1, 2)]]


def test_classes_come_back_in_the_opposite_order_when_it_stays_calm():
    """Two reviews in a row each, in which all would clear in half the service level with the class back."""
    shedding = Shedding(CONFIG)
    for t in range(3):
        shedding.review(t, _zone(0, 1), _waiting(t, c0=2, c1=2, c9=2))
    said = [_changes(shedding.review(t, _zone(0, 100), _waiting(t, c0=2, c1=2, c9=2))) for t in range(3, 8)]
    assert said == [[], [("restored", 1, 1)], [], [("restored", 0, 0)], []]


def test_calm_must_last():
    """A review in between that is not calm, though nothing more is shed, begins the count anew."""
    shedding = Shedding(CONFIG)
    shedding.review(0, _zone(0, 1), _waiting(0, c0=2, c9=0.9))
    capacities = (100, 4, 100, 100)
    said = [_changes(shedding.review(t, _zone(0, c), _waiting(t, c0=2, c9=0.9))) for t, c in enumerate(capacities, 1)]
    assert said == [[], [], [], [("restored", 0, 0)]]


def test_work_that_never_clears_is_shed_and_does_not_come_back():
    """More demand than capacity: what is kept clears, with the class back it never would."""
    shedding = Shedding(CONFIG)
    shedding.learn(_created(c0=6, c9=6))
    said = [shedding.review(t, _zone(12, 10), _waiting(t, c0=1, c9=1)) for t in range(20)]
    assert [row for rows in said for row in _changes(rows)] == [("shed", 0, 1)]
    assert said[0]["clear_us"].to_list() == [None]
    assert "never clears" in said[0]["reason"][0]


def test_the_highest_classes_can_be_kept_out():
    """And there is nothing to shed then."""
    shedding = Shedding(SheddingConfig(most=3))
    assert shedding.review(0, _zone(5, 1), _waiting(0, c3=50, c9=50)).height == 0


def test_age_lifts_work_out_of_what_is_shed():
    """An hour a class here; so nothing waits for ever."""
    shedding = Shedding(CONFIG)
    shedding.review(0, _zone(9, 1), _waiting(0, c0=50, c5=1))
    tasks = _tasks((0, 1, 0, "queued"), (0, 1, 0, "assigned"), (0, 1, HOUR, "created"), (5, 1, 0, "queued"))
    assert shedding.shed(HOUR - 1, tasks).to_list() == [True, False, True, False]
    assert shedding.shed(HOUR, tasks).to_list() == [False, False, True, False]
    assert shedding.shed(HOUR, _tasks((0, 1, HOUR, "queued"), zone="pack")).to_list() == [False]


def test_age_lifts_no_work_above_the_classes():
    """Where all of them are shed, the oldest waits as the highest class does, and control work does not."""
    shedding = Shedding(SheddingConfig(service_us=HOUR, most=10, ageing_us=HOUR))
    shedding.review(0, _zone(9, 1), _waiting(0, c9=50))
    assert shedding.shed(30 * HOUR, _tasks((0, 1, 0, "queued"), (None, 1, 0, "queued"))).to_list() == [True, False]


def test_demand_is_split_by_the_classes_of_late():
    """Not by those of what waits, which are the ones that were shed."""
    learned, fresh = Shedding(CONFIG), Shedding(CONFIG)
    learned.learn(_created(c0=1, c1=8, c9=1))
    waiting = _waiting(0, c0=9, c1=0.5, c9=0.5)
    for shedding, levels in ((learned, [1, 2]), (fresh, [1])):
        said = [shedding.review(t, _zone(10, 8), waiting)["level"].to_list() for t in range(3)]
        assert [level for rows in said for level in rows] == levels


def test_the_mix_forgets():
    """What was created long ago weighs less than what is created now."""
    shedding = Shedding(SheddingConfig(service_us=HOUR, decay=0.5))
    for window in [_created(c0=9, c8=1)] * 3 + [_created(c0=1, c8=9)] * 3:
        shedding.learn(window)
    for level in (1, 9):
        said = shedding.review(level, _zone(10, 6.5), _waiting(level, c0=1, c8=0.2))
        assert said["level"].to_list()[-1] == level


def test_only_waiting_work_counts():
    """What robots have already is no backlog to be cleared."""
    assert Shedding(CONFIG).review(0, _zone(0, 1), _tasks((0, 9, 0, "assigned"), (9, 9, 0, "started"))).height == 0


def test_calm_outlives_a_restart():
    """The count goes on where it was."""
    shedding = Shedding(CONFIG)
    shedding.review(0, _zone(0, 1), _waiting(0, c0=2))
    shedding.review(1, _zone(0, 100), _waiting(1, c0=2))
    restarted = Shedding(CONFIG)
    restarted.restore(shedding.snapshot())
    assert _changes(restarted.review(2, _zone(0, 100), _waiting(2, c0=2))) == [("restored", 0, 0)]


def test_classes_that_are_protected_since_a_restart_come_back_at_once():
    """Whatever waits; those below stay shed, and the rows say that this is why."""
    shedding = Shedding(CONFIG)
    for now in range(3):
        shedding.review(now, _zone(0, 1), _waiting(now, c0=9, c1=9, c2=9))
    restarted = Shedding(replace(CONFIG, most=1))
    restarted.restore(shedding.snapshot())
    rows = restarted.review(3, _zone(0, 1), _waiting(3, c0=9, c1=9, c2=9))
    assert _changes(rows) == [("restored", 2, 2), ("restored", 1, 1)]
    assert rows["reason"][0].startswith("class 2 is back, as it may not be shed: work with it takes 540.0 min to clear")
    assert restarted.review(4, _zone(0, 1), _waiting(4, c0=9, c1=9, c2=9)).is_empty()


def _created(**units):
    return _waiting(0, **units).select(CREATED.keys())


_LOADS = st.lists(
    st.tuples(
        st.floats(0, 1e12),
        st.floats(0, 1e12),
        st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=6),
    ),
    min_size=1,
    max_size=15,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(_LOADS, st.integers(0, 15), st.integers(0, 10))
def test_control_is_never_shed_and_order_is_kept(loads, cut, most):
    """Whatever the load: classes go and come one after the other, and a restart in between changes nothing."""
    config = SheddingConfig(service_us=HOUR, most=most)
    whole, parts = Shedding(config), Shedding(config)
    level = 0
    for t, (demand, capacity, priorities) in enumerate(loads):
        if t == cut:
            state, parts = parts.snapshot(), Shedding(config)
            parts.restore(state)
        now = t * REVIEW
        tasks = _tasks(*((p, 10.0**9, now, "queued") for p in priorities))
        created = tasks.select(CREATED.keys())
        whole.learn(created)
        parts.learn(created)
        rows = whole.review(now, _zone(demand, capacity), tasks)
        assert rows.equals(parts.review(now, _zone(demand, capacity), tasks))
        for status, number, after in _changes(rows):
            assert number == (level if status == "shed" else level - 1)
            level = after
        assert 0 <= level <= most
        expected = [priority is not None and priority < level for priority in priorities]
        assert whole.shed(now, tasks).to_list() == expected


def test_a_snapshot_of_another_version_is_refused():
    """Never guessed at."""
    with pytest.raises(RecoveryError, match="version 0"):
        Shedding(CONFIG).restore(msgspec.msgpack.encode({"version": 0}))


@pytest.mark.parametrize("fields", [{"service_us": 0}, {"restore": 1.0}, {"most": 11}, {"calm": 0}, {"decay": 1.0}])
def test_settings_that_cannot_work_are_refused(fields):
    """Control work cannot be made a class that is shed."""
    with pytest.raises(SettingsError):
        SheddingConfig(**fields)
