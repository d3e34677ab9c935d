"""When robots charge: learned from battery readings, foreseen as a cycle of working and charging.

A robot that works drains its battery until it goes to charge at a level L, and comes back at a level H. Readings are a
window apart, so levels are found between them: charge falls at the drain rate up to the moment of change and rises at
the charging rate after it, which two readings and both rates determine.

Foreseen is a robot that is never short of work, as capacity is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.alignment.tallies import Float64, Int64, Tallies

Bool = npt.NDArray[np.bool_]

_DRIVE = ("busy2", "busy_idle", "idle2", "busy_drop", "idle_drop")
_CHARGE = ("gained", "charged_h")
_LEVELS = ("starts", "start", "start2", "ends", "end", "end2")
_HALF_LIFE_H = 48.0

_DRAIN_BUSY, _DRAIN_IDLE, _CHARGE_RATE = 12.0, 4.0, 50.0
_START, _END, _LEVEL_VARIANCE = 20.0, 90.0, 1.0
_RIDGE_H2 = 0.01
_WORTH = 1.0
_LEAST_DRAIN = 1e-3
_LEAST_SPAN = 1.0
_SWAPPED = 2.0
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class Changes:
    """Battery (%, NaN where unknown) of robots at two readings, hours between them, and what they did in them."""

    zone: Int64
    before: Float64
    after: Float64
    hours: Float64
    busy_h: Float64
    available_h: Float64
    drove: Bool
    """Able to work at both readings."""
    charged: Bool
    """Charging at both."""
    plugged: Bool
    """Able to work at the first, charging at the second."""
    unplugged: Bool


class Batteries:
    """Drain and charging rates (% per hour) and the levels between which robots charge (%), by zone."""

    NAMES: Final = (*_DRIVE, *_CHARGE, *_LEVELS)

    def __init__(self, sums: Tallies) -> None:
        self.sums = sums

    def age(self, hours: float) -> None:
        """Let evidence lose weight."""
        self.sums.age(dict.fromkeys(self.NAMES, 0.5 ** (hours / _HALF_LIFE_H)))

    def learn(self, changes: Changes) -> None:
        """Take in what batteries did."""
        known = np.isfinite(changes.before) & np.isfinite(changes.after) & (changes.hours > 0)
        gained = np.where(known, changes.after - changes.before, 0.0)
        idle = np.maximum(changes.available_h - changes.busy_h, 0.0)
        # One that charged or stood still meanwhile, or got another battery, tells nothing of drain.
        drove = known & changes.drove & (changes.available_h >= _MOSTLY * changes.hours) & (gained < _SWAPPED)
        self.sums.add(
            changes.zone,
            busy2=drove * changes.busy_h**2,
            busy_idle=drove * changes.busy_h * idle,
            idle2=drove * idle**2,
            busy_drop=drove * changes.busy_h * -gained,
            idle_drop=drove * idle * -gained,
        )
        # A full battery gains nothing, however long it stays.
        charged = known & changes.charged & (gained > 0)
        self.sums.add(changes.zone, gained=charged * gained, charged_h=charged * changes.hours)
        self._learn_levels(changes, known, gained)

    def _learn_levels(self, changes: Changes, known: Bool, gained: Float64) -> None:
        cycle = self.cycles()
        drain, charge = cycle["drain"][changes.zone], cycle["charge"][changes.zone]
        # However it is cut, the time charged explains the gain and the rest of the drain.
        charged = np.clip((gained + drain * changes.hours) / (drain + charge), 0.0, changes.hours)
        for seen, level, names in (
            (known & changes.plugged, changes.after - charge * charged, ("starts", "start", "start2")),
            (known & changes.unplugged, changes.before + charge * charged, ("ends", "end", "end2")),
        ):
            value = np.where(seen, np.clip(level, 0.0, 100.0), 0.0)
            self.sums.add(changes.zone, **dict(zip(names, (seen, value, value**2), strict=True)))

    def cycles(self) -> dict[str, Float64]:
        """Per zone: `drain` while busy and `charge` in % per hour; `low`, `high` levels in %; their variances."""
        sums = self.sums
        low = sums.shrunk(sums["start"], sums["starts"], worth=_WORTH, default=_START)
        high = sums.shrunk(sums["end"], sums["ends"], worth=_WORTH, default=_END)
        charge = sums.shrunk(sums["gained"], sums["charged_h"], worth=_WORTH, default=_CHARGE_RATE)
        return {
            "drain": self._drain(),
            "charge": np.maximum(charge, _LEAST_DRAIN),
            "low": low,
            "high": np.maximum(high, low + _LEAST_SPAN),
            "low_variance": self._scatter("start", low),
            "high_variance": self._scatter("end", high),
        }

    def _scatter(self, name: str, level: Float64) -> Float64:
        """Variance of the levels seen around the one that is expected."""
        seen, total, squares = (self.sums[f"{name}{part}"] for part in ("s", "", "2"))
        around = np.maximum(squares - 2 * level * total + level**2 * seen, 0.0)
        return self.sums.shrunk(around, seen, worth=_WORTH, default=_LEVEL_VARIANCE)

    def _drain(self) -> Float64:
        """Least squares of the drop on busy and idle hours, drawn to that of the site, which is drawn to a default."""
        sums = [self.sums[name] for name in _DRIVE]
        busy, idle = _least_squares([self.sums.of_site(s) for s in sums], _DRAIN_BUSY, _DRAIN_IDLE)
        drain, _ = _least_squares(sums, busy, idle)
        return np.maximum(drain, _LEAST_DRAIN)


def _least_squares(
    sums: list[Float64], busy_prior: npt.ArrayLike, idle_prior: npt.ArrayLike
) -> tuple[Float64, Float64]:
    busy2, both, idle2, busy_drop, idle_drop = sums
    busy2, idle2 = busy2 + _RIDGE_H2, idle2 + _RIDGE_H2
    busy_drop = busy_drop + _RIDGE_H2 * np.asarray(busy_prior)
    idle_drop = idle_drop + _RIDGE_H2 * np.asarray(idle_prior)
    scale = busy2 * idle2 - both * both
    return (busy_drop * idle2 - idle_drop * both) / scale, (idle_drop * busy2 - busy_drop * both) / scale


def charged_by(time: Float64, start: Float64, charging: Float64, period: Float64) -> Float64:
    """Time charged in [0, time] by a robot that charges for `charging` every `period`, the first time at `start`.

    A start before 0 is that of a charge going on.

    >>> charged_by(np.array([0.0, 3.0, 5.0, 13.0]), np.array([2.0]), np.array([2.0]), np.array([10.0])).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def whole(since: Float64) -> Float64:
        # In place, as this is most of the time that a forecast takes.
        reached = np.asarray(np.maximum(since, 0.0))
        cycles = np.asarray(reached / period)
        np.floor(cycles, out=cycles)
        reached -= cycles * period
        np.minimum(reached, charging, out=reached)
        cycles *= charging
        reached += cycles
        return reached

    return whole(time - start) - whole(-start)
