"""Two-sided CUSUM: small shifts that go on, found among numbers that only scatter.

Page, E. S. (1954), Continuous inspection schemes; Montgomery, D. C., Introduction to Statistical Quality Control,
chapter 9 (tabular CUSUM). With k = .5 and h = 5 numbers without a shift raise one false alarm in 465 on average,
and a lasting shift of one deviation is found after 10.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["loss", "gain"]


@dataclass(frozen=True, slots=True)
class CusumLimits:
    """Reference value `k` (half the shift to be found) and decision limit `h`, in standard deviations."""

    k: float = 0.5
    h: float = 5.0


@dataclass(slots=True)
class Side:
    """Sum of one direction, and what has gathered since it last was zero."""

    sum: float = 0.0
    terms: int = 0
    """Values since then."""
    since_us: int = 0
    """Time of the value before them."""
    quantity: int = 0
    """Their raw sum, in milli."""

    def add(self, z: float, quantity: int, before_us: int, k: float) -> None:
        """Take in a value that points in this direction where z is positive."""
        if self.sum == 0.0:
            self.terms, self.since_us, self.quantity = 0, before_us, 0
        self.sum = max(0.0, self.sum + z - k)
        self.terms += 1
        self.quantity += quantity


@dataclass(frozen=True, slots=True)
class Alarm:
    """A shift was found."""

    direction: Direction
    statistic: float
    terms: int
    """Values since the sum began to rise."""
    since_us: int
    """When it began to."""
    quantity: int
    """What the values summed up to, in milli, with their sign."""


class Cusum:
    """Tabular CUSUM of standardised values; starts anew after an alarm."""

    __slots__ = ("gain", "loss")

    def __init__(self) -> None:
        self.loss = Side()
        self.gain = Side()

    def update(self, z: float, limits: CusumLimits, *, quantity: int = 0, before_us: int = 0) -> Alarm | None:
        """Take in a standardised value and the quantity behind it; an alarm where a sum has passed the limit.

        >>> cusum, limits = Cusum(), CusumLimits()
        >>> [cusum.update(-2.0, limits) is not None for _ in range(5)]
        [False, False, False, True, False]
        """
        self.loss.add(-z, quantity, before_us, limits.k)
        self.gain.add(z, quantity, before_us, limits.k)
        for direction, side in self._sides():
            if side.sum > limits.h:
                alarm = Alarm(direction, side.sum, side.terms, side.since_us, side.quantity)
                self.loss, self.gain = Side(), Side()
                return alarm
        return None

    def _sides(self) -> tuple[tuple[Direction, Side], tuple[Direction, Side]]:
        return ("loss", self.loss), ("gain", self.gain)

    def state(self) -> list[float | int]:
        """Primitives that `stored` makes the same sums of."""
        sides = (self.loss, self.gain)
        return [value for s in sides for value in (s.sum, s.terms, s.since_us, s.quantity)]

    @classmethod
    def stored(cls, state: list[float | int]) -> Cusum:
        """Sums from their `state`."""
        cusum = cls()
        for name, part in (("loss", state[:4]), ("gain", state[4:])):
            total, terms, since, quantity = part
            setattr(cusum, name, Side(float(total), int(terms), int(since), int(quantity)))
        return cusum
