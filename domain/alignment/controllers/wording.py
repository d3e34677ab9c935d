"""Reasons of setpoints, in words."""

from __future__ import annotations

from typing import Final

from domain.alignment.controllers.guards import Guards, counted, turns
from domain.alignment.controllers.load import Aims, Load
from domain.alignment.controllers.reading import Held, Memory, Reading

_HOLDING: Final[dict[Held, str]] = {
    "": "",
    "dead_zone": ", and the {last} sent last stay while the backlog is so near to what is aimed at",
    "lasting": ", the most that need not go again once the backlog is cleared, and the {last} sent last stay",
    "hysteresis": ", which is no further than {band} from the {last} sent last",
    "dwell": ", but it went {way} {since} intervals ago and does not turn round before {dwell}: {last} stay",
    "rate": ", but it moves by {rate} an interval at most, and {last} were sent last",
    "limit": ", but the limits are {low} and {high}",
    "unknown_rate": "",
    "unsolved": "",
    "without_effect": "",
}

_SAID: Final = 0.005
"""Shares below are not worth a word."""


def reason(
    zone: Load, reading: Reading, memory: Memory, aims: Aims, guards: Guards, wanted: float, robots: int, held: Held
) -> str:
    """Why this setpoint: demand, backlog, robots wanted, and what kept it from being those."""
    unit = zone.per_interval
    holding = _HOLDING[held].format(
        last=reading.last,
        band=_rounded(guards.band(zone.dead_zone, turns(wanted, reading, memory))),
        way="up" if memory.direction > 0 else "down",
        since=memory.since,
        dwell=guards.dwell,
        rate=guards.rate,
        low=reading.low,
        high=reading.high,
    )
    return (
        f"{counted(robots)}: work of {_rounded(reading.demand)} units an hour, smoothed, keeps "
        f"{_rounded(zone.demand)} busy{_beside(reading)}, which at {aims.utilisation:.0%} utilisation are "
        f"{_rounded(zone.feed_forward)}; the backlog of {_rounded(reading.backlog)} units will be "
        f"{_rounded(zone.expected * unit)} when this takes effect, {_against(zone)} the {_rounded(zone.target * unit)} "
        f"give or take {_rounded(zone.dead_zone * unit)} aimed at; {_rounded(wanted)} are wanted{holding}."
    )


def _beside(reading: Reading) -> str:
    spent = 1 - reading.availability
    return f" that charge or are broken for {spent:.0%} of their time" if spent >= _SAID else ""


def _rounded(value: float) -> str:
    """A number as people read it; exact ones are in the evidence."""
    return f"{round(value, 2):,.15g}"


def _against(zone: Load) -> str:
    return "above" if zone.error > 0 else "below" if zone.error < 0 else "within"
