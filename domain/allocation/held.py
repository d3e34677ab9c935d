"""Steps that lead backwards, held until another step makes them possible, or their grace is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from domain.allocation.ended import NEVER, Key
from domain.allocation.open_task import Details, Step


@dataclass(slots=True, eq=False)
class HeldStep:
    """A step, its details and its whole row as it came."""

    step: Step
    details: Details | None
    row: tuple[Any, ...]

    @property
    def key(self) -> Key:
        """Site and task."""
        return self.step[4], self.step[6]

    @property
    def at_us(self) -> int:
        """When it was taken."""
        return self.step[0]


class Held:
    """Held steps in order of time."""

    def __init__(self, grace_us: int) -> None:
        self._grace = grace_us
        self._steps: dict[HeldStep, None] = {}
        self.keys: dict[Key, list[HeldStep]] = {}
        """By task; to be read only."""

    def __iter__(self) -> Iterator[HeldStep]:
        return iter(self._steps)

    def add(self, step: HeldStep) -> None:
        """Hold a step, later than those before."""
        self._steps[step] = None
        self.keys.setdefault(step.key, []).append(step)

    def of(self, key: Key) -> list[HeldStep]:
        """Steps of a task."""
        return list(self.keys.get(key, ()))

    def release(self, step: HeldStep) -> None:
        """Hold it no longer."""
        del self._steps[step]
        steps = self.keys[step.key]
        steps.remove(step)
        if not steps:
            del self.keys[step.key]

    @property
    def due_us(self) -> int:
        """When the grace of the first one is over."""
        first = next(iter(self._steps), None)
        return NEVER if first is None else first.at_us + self._grace

    def expired(self, until_us: int) -> Iterator[HeldStep]:
        """Those whose grace ended before; they are released."""
        while self.due_us < until_us:
            step = next(iter(self._steps))
            self.release(step)
            yield step
