"""The floor on which the simulator's robots drive."""

from __future__ import annotations

import pytest

from . import floor

ROBOTS = 10
CELLS = [(x, y) for y, row in enumerate(floor.MAP) for x, _ in enumerate(row)]
LANES = [cell for cell in CELLS if floor.is_lane(cell)]
SLOTS = [(x, y) for x, y in CELLS if floor.MAP[y][x] == "X"]
BAYS = [floor.bay(number, ROBOTS) for number in range(ROBOTS)]


def driven(start: floor.Cell, target: floor.Cell, *, around_goals: bool = False) -> list[floor.Cell]:
    """Cells on the way, found action by action."""
    cell, look, way = start, 0, [start]
    while cell != target and len(way) < 200:
        act = floor.action((cell, look), target, around_goals=around_goals)
        assert act in {floor.FORWARD, floor.TURN_LEFT, floor.TURN_RIGHT}
        if act == floor.FORWARD:
            dx, dy = ((0, -1), (1, 0), (0, 1), (-1, 0))[look]
            cell = cell[0] + dx, cell[1] + dy
        look = (look + (act == floor.TURN_RIGHT) - (act == floor.TURN_LEFT)) % 4
        way.append(cell)
    return way


@pytest.mark.parametrize("target", [SLOTS[0], SLOTS[41], SLOTS[-1], BAYS[0], BAYS[-1], *sorted(floor.GOALS)])
def test_there_is_a_way_from_everywhere(target: floor.Cell) -> None:
    """Over lanes only, but for the start and the end."""
    for start in CELLS:
        way = driven(start, target)
        assert way[-1] == target
        assert all(floor.is_lane(cell) for cell in way if cell not in {start, target})


@pytest.mark.slow
def test_no_two_robots_want_to_swap_places() -> None:
    """Where a lane leads from one cell to the next, none leads back."""
    steps = {
        pair
        for target in (*SLOTS, *BAYS, *floor.GOALS)
        for start in (LANES[0], LANES[-1], SLOTS[5])
        for pair in zip(driven(start, target), driven(start, target)[1:], strict=False)
    }
    among = {(a, b) for a, b in steps if a != b and floor.is_lane(a) and floor.is_lane(b)}
    assert len(among) > len(LANES)
    assert not {(b, a) for a, b in among} & among


def test_goals_can_be_driven_around() -> None:
    """A robot that is led away touches no goal, wherever it says that it can."""
    able = [cell for cell in CELLS if all(floor.has_way_around_goals((cell, look)) for look in range(4))]
    assert len(able) > 0.9 * len(CELLS)
    for start in able:
        assert not floor.GOALS & set(driven(start, BAYS[3], around_goals=True))


def test_zones_are_halves_with_as_much_in_each() -> None:
    """West and east have as many slots, goals and bays, and the desk can tell where a robot is."""
    for places in (SLOTS, sorted(floor.GOALS), BAYS):
        assert sum(floor.zone(cell) == "west" for cell in places) * 2 == len(places)
    assert len(set(BAYS)) == ROBOTS
    assert floor.metres((0, len(floor.MAP) - 1)) == (1.5, 1.5)
