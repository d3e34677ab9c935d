"""A zone whose setpoint takes effect late: what the controllers of `alignment_control` steer.

Tasks arrive, robots do so many each in an interval, what is left waits. The controller sees what arrived and what
waits, and which of its setpoints are in force; demand it must forecast from what arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

PER_DAY = 288
"""Intervals of five minutes."""
PER_HOUR = 12


@dataclass(frozen=True, slots=True)
class Plant:
    """A kind of day, and what is known of the robots."""

    mean: float = 69.0
    """Tasks an interval."""
    wave: float = 0.05
    """Half-height of the day's wave, over the mean."""
    wander: float = 0.066
    """Standard deviation of a first-order autoregression about it, over the mean."""
    memory: float = 0.9
    """Of that, from interval to interval."""
    rate: float = 3.0
    """Tasks a robot does in an interval."""
    believed_rate: float | None = None
    """What the controller takes it for; None for the truth."""
    delay: int = 1
    """Intervals from a setpoint to its effect."""
    days: int = 4
    high: int = 60

    def expected(self, rng: np.random.Generator) -> Float64:
        """Mean arrivals of each interval."""
        n = self.days * PER_DAY
        noise = rng.normal(0, self.wander * np.sqrt(1 - self.memory**2), n)
        drift = np.zeros(n)
        for t in range(1, n):
            drift[t] = self.memory * drift[t - 1] + noise[t]
        return np.maximum(0, self.mean * (1 + self.wave * np.sin(2 * np.pi * np.arange(n) / PER_DAY) + drift))

    def arrivals(self, seed: int) -> tuple[Float64, Float64]:
        """Tasks of each interval, and their means: the same for every controller."""
        rng = np.random.default_rng(seed)
        expected = self.expected(rng)
        return rng.poisson(expected).astype(np.float64), expected


@dataclass(frozen=True, slots=True)
class Seen:
    """What a controller is told at the end of an interval, in tasks and intervals."""

    arrived: float
    forecast: float
    """Exponentially weighted mean of what arrived."""
    backlog: float
    rate: float
    robots: int
    """In force in the interval that begins."""
    pending: tuple[int, ...]
    high: int

    @property
    def last(self) -> int:
        return self.pending[-1] if self.pending else self.robots


Steer = Callable[[Seen], int]
"""A controller with its memory: one for each run."""


@dataclass(frozen=True, slots=True)
class Run:
    """Setpoints as they were sent, and the backlog, at the end of each interval."""

    setpoints: Int64
    backlog: Float64
    arrived: Float64


def simulate(plant: Plant, arrived: Float64, steer: Steer, *, start: int | None = None, weight: float = 0.15) -> Run:
    """Run a zone from an empty backlog and a setpoint that fits the first arrivals."""
    force = round(arrived[0] / plant.rate / 0.9) if start is None else start
    ahead = [force] * plant.delay
    forecast, backlog = float(arrived[0]), 0.0
    setpoints, backlogs = [], []
    for tasks in arrived.tolist():
        forecast += weight * (tasks - forecast)
        backlog = max(0.0, backlog + tasks - plant.rate * force)
        rate = plant.rate if plant.believed_rate is None else plant.believed_rate
        seen = Seen(tasks, forecast, backlog, rate, ahead[0] if ahead else force, tuple(ahead[1:]), plant.high)
        ahead.append(min(max(steer(seen), 0), plant.high))
        setpoints.append(ahead[-1])
        backlogs.append(backlog)
        force = ahead.pop(0)
    return Run(np.array(setpoints), np.array(backlogs), arrived)


def reversals(setpoints: Sequence[int] | Int64) -> int:
    """Moves that go against the move before them."""
    moves = np.sign(np.diff(setpoints))
    moves = moves[moves != 0]
    return int(np.sum(moves[1:] != moves[:-1]))
