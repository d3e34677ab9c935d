"""Stages of shedding over many reviews, with what waits following from what was done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.alignment.shedding_load import CONTROL, Load
from domain.alignment.shedding_stage import SheddingConfig, Stage, reviewed

HOUR = 3_600_000_000
CONFIG = SheddingConfig(service_us=HOUR, restore=0.5, calm=2)


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
