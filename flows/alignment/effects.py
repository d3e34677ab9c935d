"""Whether setpoints that are said to be in force show: in the number of robots that were last heard of in their zones.

Rules:

- A setpoint that asks for another number than the one before is judged so long after it came into force: of the way
  from the robots that were there as it was sent to those it asks for, half must be made by then, in the mean over the
  second half of that time. One replaced before is not judged, but for where it began, if the next goes the same way.
- Where it does not show, the zone is held: nothing moves until what was asked for shows, or the hold is over. Each hold
  that follows on another, with nothing that showed between, is twice as long, up to a day.
- A robot that is silent stays where it was last heard of, so that neither its failure nor its return is an effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

WITHOUT_EFFECT: Final = "without_effect"
"""Kind of the exception, see `domain.alignment.setpoint_tables.EXCEPTION_SCHEMA`."""

_DAY_US: Final = 86_400_000_000
_Zone = tuple[str, str]


class _Move(msgspec.Struct):
    """Robots that were there and that are asked for, and what was seen since that is in force."""

    before: int
    asked: int
    since_us: int | None = None
    seen: int = 0
    """Sum over the reviews that count."""
    reviews: int = 0

    @property
    def way(self) -> int:
        return self.asked - self.before

    def shown(self, there: float) -> bool:
        """Whether half the way is made."""
        return 2 * (there - self.before) * (1 if self.way > 0 else -1) >= abs(self.way)


class _Fate(msgspec.Struct):
    """Of a zone: the move that is to be judged, or that did not show; until when it is held, and holds in a row."""

    move: _Move | None = None
    until_us: int | None = None
    holds: int = 0


class Effects:
    """Moves of all zones and what came of them."""

    def __init__(self, within_us: int, hold_us: int) -> None:
        """Nothing is judged where `within_us` is 0."""
        self._within = within_us
        self._hold = hold_us
        self._zones: dict[_Zone, _Fate] = {}

    def sent(self, zone: _Zone, previous: int | None, asked: int, there: int) -> None:
        """A setpoint went out that is no renewal; `there` robots are in the zone."""
        fate = self._zones.setdefault(zone, _Fate())
        way = asked - there
        if not self._within or way == 0 or (asked - (there if previous is None else previous)) * way < 0:
            # Robots that are there or missing for other reasons than setpoints would be taken for effects.
            fate.move = None
        elif fate.move is not None and fate.until_us is None and fate.move.way * way > 0:
            fate.move = _Move(fate.move.before, asked)
        else:
            fate.move = _Move(there, asked)
        fate.until_us = None

    def seen(self, zone: _Zone, at: int, in_force: int | None, there: int) -> bool:
        """What a review finds; whether it shows now that what is in force has no effect."""
        fate = self._zones.get(zone)
        if fate is None or fate.move is None:
            return False
        move = fate.move
        if fate.until_us is not None:
            if move.shown(there):
                fate.move, fate.until_us, fate.holds = None, None, 0
            elif at >= fate.until_us:
                fate.move, fate.until_us = None, None
            return False
        if in_force != move.asked:
            return False
        return self._judged(fate, move, at, there)

    def _judged(self, fate: _Fate, move: _Move, at: int, there: int) -> bool:
        if move.since_us is None:
            move.since_us = at
        if 2 * (at - move.since_us) >= self._within:
            move.seen, move.reviews = move.seen + there, move.reviews + 1
        if at - move.since_us < self._within:
            return False
        if move.shown(move.seen / move.reviews):
            fate.move, fate.holds = None, 0
            return False
        fate.until_us = at + min(self._hold * 2**fate.holds, _DAY_US)
        fate.holds = min(fate.holds + 1, 24)
        return True

    def holds(self, zone: _Zone) -> bool:
        """Whether nothing is to move in a zone."""
        return zone in self._zones and self._zones[zone].until_us is not None

    def told(self, zone: _Zone, at: int, there: int) -> str:
        """Why a zone is held, in words."""
        fate = self._zones[zone]
        if fate.move is None or fate.until_us is None:
            raise ValueError(f"nothing is held in {zone}")
        move, minutes = fate.move, (fate.until_us - at) / 60e6
        return (
            f"{there} robots are in the zone, {move.before} were when {move.asked} were asked for; setpoints do not "
            f"move until half the way is made, or for {minutes:g} min"
        )

    def keep(self, zones: Iterable[_Zone]) -> None:
        """Forget all other zones."""
        kept = set(zones)
        self._zones = {zone: fate for zone, fate in self._zones.items() if zone in kept}

    def snapshot(self) -> list[object]:
        """State as primitives."""
        return [[*zone, msgspec.to_builtins(fate)] for zone, fate in sorted(self._zones.items())]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        self._zones = {(site, zone): msgspec.convert(fate, _Fate) for site, zone, fate in state}
