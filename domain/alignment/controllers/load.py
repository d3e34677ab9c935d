"""A reading in units of one robot and one interval, so that formulas need neither hours nor work units.

*Demand* is the number of robots that would just keep up with it, their time to charge and to be repaired included.
*Backlog* is the number of robot-intervals that it takes to clear. A backlog is an integral: with demand d and r robots
it changes by d - r in an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

from domain.alignment.controllers.reading import Memory, Reading

_MOST: Final = 1e9
"""Robots, or robot-intervals: far beyond any fleet, near enough for differences to stay numbers."""
_FASTEST: Final = 1e200
_SECONDS_PER_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Aims:
    """How a zone is steered, whoever does it. ValueError where a number makes no sense."""

    interval_s: float = 300.0
    """Seconds from one decision to the next."""
    delay: int = 1
    """Intervals from a decision to its effect."""
    utilisation: float = 0.9
    """Share of their time that robots are planned to be busy."""
    target: float = 0.2
    """Backlog aimed at, over the demand of an interval."""
    smoothing: float = 0.5
    """Weight of the newest demand in the one that is acted on; the rest is that of the interval before."""
    noise: float = 2.0
    """Half-width of the dead zone about that target: the root of so many variances of an interval's demand."""

    def __post_init__(self) -> None:
        if not (0 < self.interval_s < _MOST and self.delay >= 0 and 0 < self.utilisation <= 1):
            raise ValueError(
                f"an interval above 0, a delay of at least 0 and a utilisation in (0, 1] are needed: {self}"
            )
        if not (0 <= self.target < _MOST and 0 <= self.noise < _MOST and 0 < self.smoothing <= 1):
            raise ValueError(f"target and noise are finite and at least 0, smoothing is in (0, 1]: {self}")


@dataclass(frozen=True, slots=True)
class Load:
    """What lies on a zone: demand and feed-forward in robots, the rest in robot-intervals."""

    demand: float
    """Smoothed."""
    feed_forward: float
    """Robots that do it at the utilisation planned for."""
    backlog: float
    expected: float
    """Backlog when a decision of now takes effect."""
    target: float
    dead_zone: float
    """Half its width."""
    per_interval: float
    """Work units that a robot does in an interval in the mean: what turns robot-intervals into work units."""

    @property
    def deviation(self) -> float:
        """Of the backlog to come from the one aimed at."""
        return self.expected - self.target

    @property
    def error(self) -> float:
        """What of the deviation lies beyond the dead zone, on either side."""
        return max(0.0, self.deviation - self.dead_zone) + min(0.0, self.deviation + self.dead_zone)


def load(reading: Reading, memory: Memory, aims: Aims) -> Load | None:
    """The load of a reading, or None where nothing is known of the rate.

    >>> from domain.alignment.controllers.reading import fresh
    >>> zone = load(Reading(demand=828, backlog=60, rate=36, robots=25, pending=(), low=0, high=60), fresh(), Aims())
    >>> zone.demand, round(zone.feed_forward, 1), zone.backlog, zone.expected, round(zone.error, 1)
    (23.0, 25.6, 20.0, 18.0, 9.5)
    """
    rate = min(reading.rate, _FASTEST) * reading.availability
    per_interval = rate * aims.interval_s / _SECONDS_PER_HOUR
    if per_interval <= 0:
        return None
    demand = _ratio(reading.demand, rate)
    if memory.demand is not None:
        demand = memory.demand + aims.smoothing * (demand - memory.demand)
    backlog = expected = _ratio(reading.backlog, per_interval)
    for robots in _in_force(reading, aims.delay):
        expected = max(0.0, expected + demand - robots)
    variance = demand * _ratio(reading.task, per_interval)
    return Load(
        demand=demand,
        feed_forward=demand / aims.utilisation,
        backlog=backlog,
        expected=expected,
        target=aims.target * demand,
        dead_zone=sqrt(aims.noise * variance),
        per_interval=per_interval,
    )


def _in_force(reading: Reading, delay: int) -> tuple[int, ...]:
    """Robots of each interval from now until a decision of now takes effect."""
    sent = (reading.robots, *reading.pending) if delay or reading.pending else ()
    return sent + (reading.last,) * (delay - len(sent))


def _ratio(work: float, per_robot: float) -> float:
    return work / per_robot if work < _MOST * per_robot else _MOST
