"""From the robots wanted to the setpoint: what keeps a setpoint from following every whim of a model.

In this order, each against the setpoint sent last:

1. Hysteresis: it stays until the robots wanted are further away than a band. A move stops half a band short of them,
   because noise that has carried them out carries them back.
2. Turn: where it would turn round, the band is `turn` times as wide.
3. Dwell: it does not turn round until `dwell` intervals after its last move. It may go on in the same direction.
4. Rate: it moves by `rate` an interval at most.
5. Limit: it lies between the least and the most robots, at once, whatever the others say.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf
from typing import Final, Literal

from domain.alignment.controllers.reading import Held, Memory, Reading, Setting


@dataclass(frozen=True, slots=True)
class Guards:
    """Bounds on the moves of a setpoint. ValueError where one makes no sense."""

    hysteresis: float = 1.5
    """Robots, at least."""
    noise_band: float = 0.4
    """Robots per robot-interval of dead zone: the band of a zone so large that its noise is more than `hysteresis`."""
    turn: float = 5 / 3
    """Times the band, to turn round."""
    dwell: int = 6
    """Intervals."""
    rate: int = 4
    """Robots an interval. The default is for zones of some 25 robots."""

    def __post_init__(self) -> None:
        if not (0 <= self.hysteresis < inf and 0 <= self.noise_band < inf and 1 <= self.turn < inf):
            raise ValueError(f"hysteresis and noise band are finite and at least 0, turn at least 1: {self}")
        if not (self.dwell >= 0 and self.rate >= 1):
            raise ValueError(f"the dwell is at least 0 and the rate at least 1: {self}")

    def band(self, dead_zone: float, turns: bool) -> float:
        """How far the robots wanted may be from the setpoint before it moves, in robots."""
        return max(self.hysteresis, self.noise_band * dead_zone) * (self.turn if turns else 1.0)


def turns(wanted: float, reading: Reading, memory: Memory) -> bool:
    """Whether a move towards the robots wanted goes against the last one."""
    return (wanted - reading.last) * memory.direction < 0


def guarded(wanted: float, dead_zone: float, reading: Reading, memory: Memory, guards: Guards) -> tuple[int, Held]:
    """The setpoint, and which guard, if any, kept it from the robots wanted (the last that did)."""
    step, held = _step(wanted, dead_zone, reading, memory, guards)
    robots = min(max(reading.last + step, reading.low), reading.high)
    return robots, held if robots == reading.last + step else "limit"


def _step(wanted: float, dead_zone: float, reading: Reading, memory: Memory, guards: Guards) -> tuple[int, Held]:
    """The move, before limits."""
    off, back = wanted - reading.last, turns(wanted, reading, memory)
    way = 1 if off > 0 else -1
    if abs(off) <= guards.band(dead_zone, back):
        return 0, "hysteresis" if off else ""
    if back and memory.since < guards.dwell:
        return 0, "dwell"
    step = max(1, floor(abs(off) - guards.band(dead_zone, turns=False) / 2 + 0.5))
    return (way * step, "") if step <= guards.rate else (way * guards.rate, "rate")


def remembered(memory: Memory, reading: Reading, robots: int, demand: float | None) -> Memory:
    """Memory after a setpoint."""
    step = robots - reading.last
    if step:
        return Memory(demand, 1 if step > 0 else -1, 1)
    return Memory(demand, memory.direction, memory.since + 1)


def counted(robots: int) -> str:
    """Robots in words.

    >>> counted(0), counted(1)
    ('0 robots', '1 robot')
    """
    return f"{robots} robot{'' if robots == 1 else 's'}"


Unmoved = Literal["unknown_rate", "unsolved", "without_effect"]
"""What keeps a setpoint where it is whatever the model says."""
_WHY: Final[dict[Unmoved, str]] = {
    "unknown_rate": "too little is known of how much a robot does",
    "unsolved": "no course was found",
    "without_effect": "what was sent does not show in the zone",
}


def stay(reading: Reading, memory: Memory, held: Unmoved) -> tuple[Setting, Memory]:
    """The last setpoint within the limits, while nothing better is known."""
    robots = min(max(reading.last, reading.low), reading.high)
    bounds = "" if robots == reading.last else f", within the limits {reading.low} and {reading.high}"
    reason = f"{counted(robots)}: {_WHY[held]}, so the {reading.last} of before stay{bounds}."
    setting = Setting(robots, float(reading.last), 0.0, 0.0, 0.0, held, reason)
    return setting, remembered(memory, reading, robots, memory.demand)
