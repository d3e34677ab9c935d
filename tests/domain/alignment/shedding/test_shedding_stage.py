"""Stages of shedding over many reviews, with what waits following from what was done."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from domain.alignment.shedding_load import CONTROL, Load, effective_class, split
from domain.alignment.shedding_stage import SheddingConfig, Stage, reviewed

HOUR = 3_600_000_000
CONFIG = SheddingConfig(service_us=HOUR, restore=0.5, calm=2)


def _load(waiting, arrivals=None, capacity=2.0):
    """Units waiting and coming by class."""
    backlog, coming = [0.0] * (CONTROL + 1), [0.0] * (CONTROL + 1)
    for parts, units_by in ((backlog, waiting), (coming, arrivals or {})):
        for number, units in units_by.items():
            parts[number] = units
    return Load(backlog, coming, capacity)


def test_the_service_level_itself_is_kept():
    """An hour of work is cleared within an hour; a little more is not."""
    assert reviewed(Stage(), _load({0: 1.0, 9: 1.0}), CONFIG) == (Stage(), [])
    assert reviewed(Stage(), _load({0: 1.0, 9: 1.1}), CONFIG)[0] == Stage(1)


def test_a_class_of_which_none_waits_is_shed_for_what_comes():
    """It takes capacity as soon as it comes."""
    assert reviewed(Stage(), _load({9: 1.0}, {3: 2.0}), CONFIG) == (
        Stage(4),
        [("shed", number, None) for number in range(4)],
    )


def test_classes_without_work_come_back_with_the_one_below():
    """There is nothing of them to judge by, so they do not take a turn each."""
    stage, changes = reviewed(Stage(5, calm=1), _load({2: 0.5}), CONFIG)
    assert stage == Stage(2)
    assert [(status, number) for status, number, _ in changes] == [("restored", n) for n in (4, 3, 2)]


def test_half_the_service_level_is_calm_enough_and_shedding_ends_a_calm():
    """A class comes back after two calm reviews in a row, and no shedding between."""
    half = _load({0: 1.0})
    assert reviewed(Stage(1), half, CONFIG) == (Stage(1, calm=1), [])
    assert reviewed(Stage(1), _load({0: 1.1}), CONFIG) == (Stage(1), [])
    assert reviewed(Stage(1, calm=1), _load({1: 9.0}), CONFIG)[0] == Stage(2)


def test_where_no_work_is_left_all_classes_come_back_at_once():
    """And where none waits nothing is shed, whatever comes."""
    stage, changes = reviewed(Stage(3, calm=1), _load({}), CONFIG)
    assert (stage, [(status, number) for status, number, _ in changes]) == (
        Stage(0),
        [("restored", number) for number in (2, 1, 0)],
    )
    assert reviewed(Stage(), _load({}, {5: 9.0}), CONFIG) == (Stage(), [])


def test_demand_of_no_class_is_demand_of_none():
    """Nothing waits where nothing was created."""
    assert split(5.0, [0.0, 0.0]) == [0.0, 0.0]
    assert split(5.0, [1.0, 4.0]) == [1.0, 4.0]


def test_a_class_is_one_of_ten():
    """Of priorities beyond them, the nearest, from which a task rises as it ages; one created later has not aged."""
    rows = pl.DataFrame({"priority": [-3, -3, 5, 12, None], "created_us": [0, HOUR, 3 * HOUR, 0, 0]})
    assert rows.select(effective_class(HOUR, HOUR)).to_series().to_list() == [1, 0, 5, 9, CONTROL]


@given(
    st.lists(st.floats(0, 20), min_size=CONTROL + 1, max_size=CONTROL + 1),
    st.floats(1, 100),
    st.lists(st.floats(0, 100), min_size=CONTROL + 1, max_size=CONTROL + 1),
)
def test_nothing_goes_to_and_fro_while_demand_stays(arrivals, capacity, backlog):
    """Whatever waits at first: a class that came back is not shed again, as robots do the highest class first."""
    stage, waiting, restored = Stage(), list(backlog), set()
    for _ in range(300):
        stage, changes = reviewed(stage, Load(tuple(waiting), arrivals, capacity), CONFIG)
        for status, number, _ in changes:
            assert status == "restored" or number not in restored
            if status == "restored":
                restored.add(number)
        waiting = [units + come / 12 for units, come in zip(waiting, arrivals, strict=True)]
        left = capacity / 12
        for number in reversed(range(stage.level, CONTROL + 1)):
            done = min(left, waiting[number])
            waiting[number] -= done
            left -= done
