"""The floor of the warehouse: one-way lanes around blocks of shelves, bays for robots, and the way to anywhere.

No two robots ever want to swap places: lanes are one-way, a slot is entered only by the robot that fetches or brings
its shelf, a bay only by its own robot. So traffic cannot lock up, whoever the simulator lets go first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cache

Cell = tuple[int, int]
"""Column and row, counted from the top left."""
Pose = tuple[Cell, int]
"""Where a robot stands and which way it looks: a number in `LOOKS`."""

MAP = [
    "......................",
    ">>>>>>>>>>>>>>>>>>>>>>",
    "<<<<<<<<<<<<<<<<<<<<<<",
    "^XXvXX^XXvXX^XXvXX^XXv",
    "^XXvXX^XXvXX^XXvXX^XXv",
    "^XXvXX^XXvXX^XXvXX^XXv",
    "^XXvXX^XXvXX^XXvXX^XXv",
    "^XXvXX^XXvXX^XXvXX^XXv",
    "^XXvXX^XXvXX^XXvXX^XXv",
    ">>>>>>>>>>>>>>>>>>>>>>",
    "<<<<<<<<<<<<<<<<<<<<<<",
    "<<g<<<<<g<<<<<g<<<<<g<",
]
"""Arrows are lanes, X slots of shelves, g goals on a lane, dots bays. Where two lanes cross, both lead on."""

NOOP, FORWARD, TURN_LEFT, TURN_RIGHT, TOGGLE_LOAD = range(5)
"""Actions by their numbers in the simulator."""
LOOKS = ("UP", "RIGHT", "DOWN", "LEFT")
"""Directions by their names in the simulator, clockwise."""
ZONES = ("west", "east")
CELL_M = 3.0

_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
_ARROWS = "^>v<"
_WIDTH, _HEIGHT = len(MAP[0]), len(MAP)
_FIRST_SHELVES = 3
GOALS = frozenset((x, y) for y, row in enumerate(MAP) for x, mark in enumerate(row) if mark == "g")


def layout() -> str:
    """The floor as the simulator reads it."""
    return "\n".join("".join(mark if mark in "Xg" else "." for mark in row) for row in MAP)


def zone(cell: Cell) -> str:
    """The half of the floor a cell lies in."""
    return ZONES[cell[0] * len(ZONES) // _WIDTH]


def metres(cell: Cell) -> tuple[float, float]:
    """Middle of a cell, east and north of the floor's lower left corner, in m."""
    return (cell[0] + 0.5) * CELL_M, (_HEIGHT - cell[1] - 0.5) * CELL_M


def bay(number: int, robots: int) -> Cell:
    """The bay of one of so many robots: spread over the top row."""
    return (2 * number + 1) * _WIDTH // (2 * robots), 0


def is_lane(cell: Cell) -> bool:
    """Whether robots pass through a cell."""
    return _mark(cell) not in "X."


def action(pose: Pose, target: Cell, *, around_goals: bool = False) -> int:
    """What brings a robot nearer to a cell; NOOP where it is there, or there is no way."""
    distances = _distances(target, around_goals=around_goals)
    here = distances.get(pose)
    if not here:
        return NOOP
    after = {distances.get(p, here): act for act, p in _moves(pose, target, around_goals=around_goals)}
    return after[min(after)]


def has_way_around_goals(pose: Pose) -> bool:
    """Whether a robot can get anywhere without a stop at a goal."""
    return pose[0] not in GOALS and pose in _distances(bay(0, 1), around_goals=True)


def farthest_goal(pose: Pose) -> Cell:
    """Somewhere to drive to for the sake of driving."""
    return max(GOALS, key=lambda g: (_distances(g, around_goals=False)[pose], g))


def nearest_goal(pose: Pose, where: str) -> Cell:
    """The goal in a zone that is reached first."""
    return min((g for g in GOALS if zone(g) == where), key=lambda g: (_distances(g, around_goals=False)[pose], g))


def _mark(cell: Cell) -> str:
    return MAP[cell[1]][cell[0]]


def _on_floor(cell: Cell) -> bool:
    return 0 <= cell[0] < _WIDTH and 0 <= cell[1] < _HEIGHT


def _ways(cell: Cell) -> set[int]:
    """Directions in which lanes lead on from a cell: along its row, and up or down where its column is one."""
    along, across = MAP[cell[1]][0], MAP[_FIRST_SHELVES][cell[0]]
    return {_ARROWS.index(along)} & {1, 3} | ({_ARROWS.index(across)} if across != "X" else set())


@cache
def _neighbour(cell: Cell, look: int, target: Cell) -> Cell | None:
    """The next cell in a direction, where a robot on its way to the target may go there."""
    there = cell[0] + _STEPS[look][0], cell[1] + _STEPS[look][1]
    if not _on_floor(there):
        return None
    if is_lane(cell) and is_lane(there):
        return there if look in _ways(cell) else None
    if is_lane(cell):
        return there if there == target and _joined(there, cell) else None
    return there if _joined(cell, there) else None


def _joined(place: Cell, lane: Cell) -> bool:
    """Whether a slot or bay opens on a lane's cell: slots to the side, bays below."""
    across = place[1] == lane[1] if _mark(place) == "X" else place[0] == lane[0]
    return across and is_lane(lane)


def _moves(pose: Pose, target: Cell, *, around_goals: bool) -> Iterator[tuple[int, Pose]]:
    cell, look = pose
    ahead = _neighbour(cell, look, target)
    if ahead and not (around_goals and ahead in GOALS):
        yield FORWARD, (ahead, look)
    yield TURN_LEFT, (cell, (look - 1) % len(LOOKS))
    yield TURN_RIGHT, (cell, (look + 1) % len(LOOKS))


@cache
def _distances(target: Cell, *, around_goals: bool) -> dict[Pose, int]:
    """Steps to a cell from every pose from which there is a way."""
    into: dict[Pose, list[Pose]] = {}
    cells = [(x, y) for x in range(_WIDTH) for y in range(_HEIGHT)]
    for cell in cells:
        for look in range(len(LOOKS)):
            for _, after in _moves((cell, look), target, around_goals=around_goals):
                into.setdefault(after, []).append((cell, look))
    distances = {(target, look): 0 for look in range(len(LOOKS))}
    waiting = deque(distances)
    while waiting:
        pose = waiting.popleft()
        for before in into.get(pose, []):
            if before not in distances:
                distances[before] = distances[pose] + 1
                waiting.append(before)
    return distances
