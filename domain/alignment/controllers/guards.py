"""From the robots wanted to the setpoint: what keeps a setpoint from following every whim of a model.

In this order, on what was sent last:

1. Hysteresis: it stays until the robots wanted are further away than so many robots.
2. Dwell: it does not turn round until so many intervals after its last change. It may go on in the same direction.
3. Rate: it moves by so many robots an interval at most.
4. Limit: it lies between the least and the most robots, at once, whatever the others say.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from domain.alignment.controllers.reading import Held, Memory, Reading, Setting


@dataclass(frozen=True, slots=True)
class Guards:
    """Bounds on the moves of a setpoint. ValueError where one makes no sense."""

    hysteresis: float = 1.5
    """Robots."""
    dwell: int = 6
    """Intervals."""
    rate: int = 4
    """Robots an interval."""

    def __post_init__(self) -> None:
        if not (self.hysteresis >= 0 and self.dwell >= 0 and self.rate >= 1):
            raise ValueError(f"hysteresis and dwell are at least 0 and the rate at least 1: {self}")


def guarded(wanted: float, reading: Reading, memory: Memory, guards: Guards) -> tuple[int, Held]:
    """The setpoint, and which guard, if any, kept it from being the robots wanted (the last that did)."""
    last, held = reading.last, _none()
    goal = whole(wanted)
    step = goal - last
    if abs(wanted - last) <= guards.hysteresis:
        step, held = 0, "hysteresis" if step else held
    elif step * memory.direction < 0 and memory.since < guards.dwell:
        step, held = 0, "dwell"
    elif abs(step) > guards.rate:
        step, held = guards.rate if step > 0 else -guards.rate, "rate"
    robots = min(max(last + step, reading.low), reading.high)
    return robots, "limit" if robots != last + step else held


def remembered(memory: Memory, reading: Reading, robots: int, integral: float = 0.0) -> Memory:
    """Memory after a setpoint."""
    step = robots - reading.last
    if step:
        return Memory(integral, 1 if step > 0 else -1, 1)
    return Memory(integral, memory.direction, memory.since + 1)


def stay(reading: Reading, memory: Memory) -> tuple[Setting, Memory]:
    """The last setpoint within the limits, while nothing is known of the rate."""
    robots = min(max(reading.last, reading.low), reading.high)
    bounds = "" if robots == reading.last else f", within the limits {reading.low} and {reading.high}"
    reason = f"{robots} robots: how much a robot does is not known, so the {reading.last} sent last stay{bounds}."
    setting = Setting(robots, float(reading.last), 0.0, 0.0, 0.0, "unknown_rate", reason)
    return setting, remembered(memory, reading, robots, memory.integral)


def whole(robots: float) -> int:
    """The nearest whole number of robots, the larger of two."""
    return floor(robots + 0.5)


def _none() -> Held:
    return ""
