"""What a controller is told, what it answers, and what it remembers.

A controller is asked once an interval per zone. It decides a setpoint: how many robots shall be at work in the zone.
A setpoint takes effect some intervals after it is sent; until then it is pending.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol

import msgspec

Held = Literal[
    "", "dead_zone", "lasting", "hysteresis", "dwell", "rate", "limit", "unknown_rate", "unsolved", "without_effect"
]
"""What kept a setpoint from being the robots wanted, the last that did; empty when they are what was wanted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One zone at one interval. ValueError where a number makes no sense (negative, not finite, low above high)."""

    demand: float
    """Work units per hour that are expected to arrive when a decision of now takes effect."""
    backlog: float
    """Work units that wait now."""
    rate: float
    """Work units per busy robot-hour; 0 where nothing is known."""
    robots: int
    """Setpoint in force now."""
    pending: tuple[int, ...]
    """Setpoints sent and not yet in force, oldest first, one per interval of delay."""
    low: int
    high: int
    """Hard limits: no setpoint lies outside, whatever a model says."""
    task: float = 1.0
    """Work units of a mean task: the grain in which work arrives, and so its noise."""
    availability: float = 1.0
    """Share of its time in which a robot of the zone can work in the long run: neither charging nor broken."""

    def __post_init__(self) -> None:
        for name in ("demand", "backlog", "rate", "task"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} of a reading is {value}, not a finite number of at least 0")
        if min(self.robots, self.low, *self.pending) < 0:
            raise ValueError(f"a reading counts robots below 0: {self}")
        if not 0 < self.availability <= 1:
            raise ValueError(f"availability of a reading is {self.availability}, not above 0 and at most 1")
        if self.low > self.high:
            raise ValueError(f"the least number of robots, {self.low}, is above the most, {self.high}")

    @property
    def last(self) -> int:
        """The setpoint that was sent last, in force or not."""
        return self.pending[-1] if self.pending else self.robots


@dataclass(frozen=True, slots=True)
class Setting:
    """A decision, with the parts it was made of, in robots."""

    robots: int
    """The setpoint."""
    wanted: float
    """What the model asks for, before anything held it: feed_forward + feedback + integral."""
    feed_forward: float
    """Robots that the demand needs at the utilisation planned for."""
    feedback: float
    """Robots that the backlog asks for, expected at the time of effect."""
    integral: float
    """Robots asked for because robots are seen to do less than is believed."""
    held: Held
    reason: str
    """One sentence that names the numbers."""


class Memory(msgspec.Struct, frozen=True):
    """What a controller carries from one interval of a zone to the next; primitives only."""

    demand: float | None = None
    """Robots that the demand keeps busy, smoothed; None before the first reading."""
    direction: int = 0
    """Of the last change: 1 up, -1 down, 0 none yet."""
    since: int = 0
    """Intervals since the last change."""
    seen: float | None = None
    """Robots that what came in kept busy as far as the backlog tells, smoothed; None where nothing tells."""
    left: float | None = None
    """Backlog at the last decision less the robots in force: what is left of it if nothing comes, in robot-intervals
    and below 0 where they do more; None where nothing tells."""


def fresh() -> Memory:
    """Of a zone that nothing has been decided for."""
    return Memory()


class Controller(Protocol):
    """Decides a setpoint. Pure: the same reading and memory give the same answer."""

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        ...

    def decide(self, reading: Reading, memory: Memory) -> tuple[Setting, Memory]:
        """The setpoint of this interval, and what to remember."""
        ...
