"""The cheapest course of setpoints over the intervals ahead, as a mixed-integer program for HiGHS.

    min  sum  u + short (F - u)+ + waiting (b - bearable)+ + switching [u != u'] + moving |u - u'|
    b >= b' + D - u,  b >= 0,  |u - u'| <= rate,  low <= u <= high

with u' and b' the setpoint and backlog before, all in robots and robot-intervals. A setpoint is planned to move at the
beginning of a block of intervals only, and the backlog is that at its end: the further ahead, the less the moment
matters, and with a move in every interval the program takes seconds now and then. No time limit is set, so the answer
is a function of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

Float64 = NDArray[np.float64]

_LARGEST: Final = 1e6
"""A cost beyond which the solver's tolerances show."""


@dataclass(frozen=True, slots=True)
class Costs:
    """In robot-intervals. ValueError where one makes no sense."""

    short: float = 2.0
    """Of a robot less than the planned utilisation asks for, an interval."""
    waiting: float = 0.5
    """Of a robot-interval of backlog beyond the dead zone, an interval."""
    switching: float = 16.0
    """Of any move."""
    moving: float = 1.0
    """Of each robot moved."""
    turning: float = 4.0
    """Of each robot moved against the direction of the last move, on top."""

    def __post_init__(self) -> None:
        costs = (self.short, self.waiting, self.switching, self.moving, self.turning)
        if not all(0 <= cost <= _LARGEST for cost in costs):
            raise ValueError(f"costs are 0 to {_LARGEST:,.0f}: {self}")


@dataclass(frozen=True, slots=True)
class Start:
    """Where a course starts: robots, robot-intervals."""

    demand: float
    feed_forward: float
    backlog: float
    bearable: float
    """Backlog that costs nothing."""
    last: int
    direction: int
    """Of the last move: 1, 0 or -1."""
    low: int
    high: int


class Course:
    """The program for blocks of so many intervals, a rate and costs; solved from many starts.

    >>> course = Course((2, 2, 4, 4), 4, Costs())
    >>> course.first(Start(23.0, 25.6, backlog=0.0, bearable=8.5, last=20, direction=0, low=0, high=60))
    24
    >>> course.first(Start(23.0, 25.6, backlog=0.0, bearable=8.5, last=25, direction=0, low=0, high=60))
    25
    """

    def __init__(self, blocks: tuple[int, ...], rate: int, costs: Costs) -> None:
        self._blocks = np.array(blocks, np.float64)
        self._costs = costs
        self._matrix = _matrix(self._blocks, rate)

    def first(self, start: Start) -> int | None:
        """Robots of the first block; None where the solver finds no course."""
        if self._staying(start) <= self._costs.switching + self._costs.moving:
            return start.last
        blocks = len(self._blocks)
        before, needed = np.zeros(blocks), start.demand * self._blocks
        before[0] = start.last
        needed[0] += start.backlog
        free = np.full(blocks, np.inf)
        lower = [before, -free, needed, np.full(blocks, -start.bearable), np.full(blocks, start.feed_forward)]
        upper = [before, np.zeros(blocks), free, free, free]
        result = milp(
            self._cost(start.direction),
            integrality=np.repeat([1, 0, 0, 1, 0, 0, 0], blocks),
            bounds=Bounds(
                np.repeat([start.low, 0, 0, 0, 0, 0, 0], blocks),
                np.repeat([start.high, np.inf, np.inf, 1, np.inf, np.inf, np.inf], blocks),
            ),
            constraints=LinearConstraint(self._matrix, np.concatenate(lower), np.concatenate(upper)),
        )
        return None if result.x is None else round(result.x[0])

    def _staying(self, start: Start) -> float:
        """What it costs never to move, beyond what any course costs: it settles most questions without HiGHS."""
        costs, backlog = self._costs, start.backlog
        least = min(1.0, costs.short) * start.feed_forward
        total = 0.0
        for length in self._blocks:
            backlog = max(0.0, backlog + length * (start.demand - start.last))
            short, excess = max(0.0, start.feed_forward - start.last), max(0.0, backlog - start.bearable)
            total += length * (start.last + costs.short * short + costs.waiting * excess - least)
        return total

    def _cost(self, direction: int) -> Float64:
        """Of each variable, in the order of the matrix's columns."""
        costs, blocks = self._costs, self._blocks
        up, down = (np.full(len(blocks), costs.moving) for _ in range(2))
        # In all blocks: were the first alone dearer, a turn would be put off in every interval anew.
        up += costs.turning * (direction < 0)
        down += costs.turning * (direction > 0)
        switch, none = np.full(len(blocks), costs.switching), np.zeros(len(blocks))
        return np.concatenate([blocks, up, down, switch, none, costs.waiting * blocks, costs.short * blocks])


def _matrix(blocks: Float64, rate: int) -> csr_array:
    """Columns, of each block: robots, up, down, switch, backlog at its end, excess of it, short.

    Rows, of each block: its move, its switch, its backlog, the excess, what is short.
    """
    one, no = np.eye(len(blocks)), np.zeros((len(blocks), len(blocks)))
    step = one - np.eye(len(blocks), k=-1)
    # The same for all: were a later move allowed more than the first, it would be put off in every interval anew.
    reach = -rate * one
    return csr_array(
        np.block(
            [
                [step, -one, one, no, no, no, no],
                [no, one, one, reach, no, no, no],
                [np.diag(blocks), no, no, no, step, no, no],
                [no, no, no, no, -one, one, no],
                [one, no, no, no, no, no, one],
            ]
        )
    )
