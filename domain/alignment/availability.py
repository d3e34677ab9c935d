"""Availability of robots that fail and are repaired: a chain of two states, up and down.

A robot that can work fails at rate 1 / MTBF, one that is down comes back at rate 1 / MTTR. With k = 1/MTBF + 1/MTTR and
pi = MTBF / (MTBF + MTTR), a robot up with probability A0 is up after time s with probability

    A(s) = pi + (A0 - pi) exp(-k s)

and the share of a horizon in which it is up has mean pi + (A0 - pi) (1 - exp(-k h)) / (k h). Whether it is down at s
and at t > s has covariance q (1 - q) exp(-k (t - s)), with q = 1 - A(s), which gives the variance of that share.

A robot that charges cannot fail, and one that has been down for very long may never come back; see `Outages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.alignment.tallies import Float64, Int64, Tallies

UNHEARD_US: Final = 120_000_000
"""A robot silent for longer is down, or may as well be."""
HOUR_US: Final = 3_600_000_000

_SUMS = ("failures", "up_h", "repairs", "down_h")
_HALF_LIFE_H = 14 * 24.0
_MTBF_H, _MTTR_H = 24.0, 0.25
_WORTH = 4.0


def share_up(up: Float64, failures: Float64, repairs: Float64, horizon: float) -> Float64:
    """Mean share of a horizon in which a robot, up now with probability `up`, is up; rates per unit of the horizon.

    >>> share_up(np.array([1.0]), np.array([1.0]), np.array([3.0]), 1e9).round(6).tolist()
    [0.75]
    """
    away = failures + repairs
    settled = repairs / away
    share: Float64 = settled - (up - settled) * np.expm1(-away * horizon) / (away * horizon)
    return share


def down_time(
    down: Float64, working: Float64, steps: Float64, failures: Float64, repairs: Float64
) -> tuple[Float64, Float64]:
    """Mean and variance of the time that robots are down in a horizon cut into steps.

    `down`: probability to be down at the start (...); `working`: share of each step in which the robot is not charging,
    so may fail (..., steps); `steps`: their lengths; rates per unit of the lengths, above 0. The mean is exact for any
    steps, the variance in the limit of short ones, of which the first matter most.
    """
    away = failures + repairs
    settled = failures / away
    left = steps[::-1].cumsum()[::-1] - steps / 2
    now, total, variance = down, np.zeros_like(down), np.zeros_like(down)
    for place, step in enumerate(steps.tolist()):
        kept, gone = np.exp(-away * step), -np.expm1(-away * step) / away
        drawn = settled * working[..., place]
        spent = now * gone + drawn * (step - gone)
        variance = variance - 2 * spent * (1 - spent / step) * np.expm1(-away * left[place]) / away
        total = total + spent
        now = now * kept + drawn * (away * gone)
    return total, variance


def lost_for_good(repairs: Float64, down_for: Float64, share: float) -> Float64:
    """Probability that a robot down for some time never comes back, if a `share` of those that go down never does.

    By Bayes: the others are still down with probability exp(-repairs x down_for).

    >>> lost_for_good(np.array([4.0]), np.array([0.0, 0.25, 24.0]), 0.01).round(3).tolist()
    [0.01, 0.027, 1.0]
    """
    others = (1 - share) * np.exp(-repairs * down_for)
    return share / (share + others)


@dataclass(frozen=True, slots=True)
class Spells:
    """What became of robots between two of their readings, one entry per robot: zone, hours and what they were."""

    zone: Int64
    hours: Float64
    available_h: Float64
    was_down: np.ndarray
    is_down: np.ndarray
    silent: np.ndarray
    """Not heard of for longer than a robot that works would be."""


class Outages:
    """Failures per hour that a robot was available, and repairs per hour down, by zone; posteriors are Gamma."""

    NAMES: Final = _SUMS

    def __init__(self, sums: Tallies) -> None:
        self.sums = sums

    def learn(self, spells: Spells) -> None:
        """Count failures and repairs, and the hours in which they could have come."""
        failed = ~spells.was_down & (spells.is_down | spells.silent)
        repaired = ~spells.is_down & (spells.was_down | spells.silent)
        down = np.where(failed | repaired | spells.was_down, spells.hours - spells.available_h, 0.0)
        self.sums.add(
            spells.zone,
            failures=failed,
            repairs=repaired,
            up_h=np.minimum(spells.available_h, spells.hours),
            down_h=np.maximum(down, 0.0),
        )

    def age(self, hours: float) -> None:
        """Let evidence lose weight."""
        self.sums.age(dict.fromkeys(_SUMS, 0.5 ** (hours / _HALF_LIFE_H)))

    def rates(self, still_down_h: Float64) -> dict[str, Float64]:
        """Per zone: failures and repairs per hour, and the events that each estimate is worth.

        `still_down_h`: hours of outages that have not ended and were not learned; without them long ones would not
        count until they are over.
        """
        failures, up = self.sums["failures"], self.sums["up_h"]
        repairs, down = self.sums["repairs"], self.sums["down_h"] + still_down_h
        return {
            "failure_rate": 1 / self.sums.shrunk(up, failures, worth=_WORTH, default=_MTBF_H),
            "failures": failures + _WORTH,
            "repair_rate": 1 / self.sums.shrunk(down, repairs, worth=_WORTH, default=_MTTR_H),
            "repairs": repairs + _WORTH,
        }
