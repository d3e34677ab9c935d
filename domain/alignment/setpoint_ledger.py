"""What was sent, and what became of it by answers and by time."""

from __future__ import annotations

import heapq
from dataclasses import asdict, dataclass, field
from math import floor
from typing import Any, Final

import polars as pl

from domain.alignment.controllers.guards import counted
from domain.alignment.setpoint import EXCEPTION_TYPE, Asked, Evidence, Series, Setpoint, Spell, Status
from domain.alignment.setpoint_answers import Answer, judged
from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_tables import EXCEPTION_SCHEMA, HOLD_CAUSES, SETPOINT_SCHEMA
from domain.streaming.frames import frame_of
from schemas.ids import event_id

Zone = tuple[str, str]
"""Site and zone."""

_SECOND_US: Final = 1_000_000
_ENDED: Final = ("rejected", "failed", "expired")
_KINDS: Final = {"rejected": "rejected", "failed": "failed", "expired": "lapsed"}


@dataclass(slots=True)
class Output:
    """Rows of a call, in order of time."""

    setpoints: list[tuple[Any, ...]] = field(default_factory=list)
    exceptions: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[tuple[Any, ...]] = field(default_factory=list)

    def tell(
        self, setpoint: Setpoint, time_us: int, answer: Answer | None = None, superseded_by: str | None = None
    ) -> None:
        """A row of SETPOINT_SCHEMA: the setpoint has its status from now on."""
        event, by, comment = (answer.event_id, answer.by, answer.comment) if answer else (None, None, None)
        s = setpoint
        self.setpoints.append((s.name, s.status, time_us, *s.asked.fields(), None, event, superseded_by, by, comment))

    def tell_spell(self, zone: Zone, spell: Spell, status: str, time_us: int, hold_us: int) -> None:
        """A row of SETPOINT_SCHEMA about a spell: it begins (held) or has ended (resumed)."""
        until_us = spell.since_us + hold_us
        if status == "held":
            what = "nothing is in force" if spell.robots is None else f"{spell.robots} robots are held"
            reason = f"{HOLD_CAUSES[spell.cause]}: {what} for {hold_us / _SECOND_US:g} s at most"
        else:
            reason = f"decided anew after {(time_us - spell.since_us) / _SECOND_US:g} s"
        said = (*zone, spell.robots, None, None, spell.since_us, spell.since_us, until_us, "", None, None, None, reason)
        self.setpoints.append((spell.name, status, time_us, *said, None, spell.cause, None, None, None, None))

    def frame(self) -> pl.DataFrame:
        """The rows of SETPOINT_SCHEMA."""
        return frame_of(self.setpoints, SETPOINT_SCHEMA)

    def told_exceptions(self) -> pl.DataFrame:
        """The rows of EXCEPTION_SCHEMA."""
        return frame_of(self.exceptions, EXCEPTION_SCHEMA)


class Ledger:
    """Setpoints by zone, as far as they may still matter, and how others ended."""

    def __init__(self, config: SetpointConfig) -> None:
        self._config = config
        self._zones: dict[Zone, Series] = {}
        self._live: dict[str, Setpoint] = {}
        self._due: list[tuple[int, str]] = []  # heap of the times when a setpoint changes unless answered
        self._past: dict[str, tuple[int, Status]] = {}  # in order of time

    def of(self, site: str, zone: str) -> Series:
        """The setpoints of a zone; an empty series where there are none."""
        return self._zones.get((site, zone)) or Series()

    def held(self, site: str, zone: str, spell: Spell | None) -> None:
        """A spell of a zone begins, or (None) has ended."""
        series = self._zones.setdefault((site, zone), Series())
        series.spell = spell
        self._tidy((site, zone))

    def others(self, site: str, zone: str) -> int:
        """The most robots that the other zones of a site may have by what they were asked for."""
        return sum(series.most() for (s, z), series in self._zones.items() if s == site and z != zone)

    def share(self, site: str, zone: str, most: int) -> int:
        """What a zone may keep of what it was asked for, where zones of a site were asked for more than `most` robots.

        Zones are decided about in order of their names, so that those before have given up their part already.
        """
        targets = {z: target for (s, z), series in self._zones.items() if s == site and (target := series.target())}
        asked = {name: target.asked.robots for name, target in targets.items()}
        own, total = asked.get(zone, 0), sum(asked.values())
        if not own or total <= most:
            return own
        before = sum(robots for name, robots in asked.items() if name < zone)
        part = max(0, most - before) * own / (total - before)
        # One less at least, or zones that do not obey would keep a site above its limit by what is rounded up.
        return min(own - 1, floor(part + 0.5))

    def send(self, asked: Asked, output: Output) -> None:
        """A setpoint goes out."""
        new = Setpoint(asked)
        self._zones.setdefault((asked.site, asked.zone), Series()).live.append(new)
        self._take_in(new)
        output.tell(new, asked.decided_us)

    def _take_in(self, setpoint: Setpoint) -> None:
        self._live[setpoint.name] = setpoint
        for due_us in (setpoint.asked.decided_us + self._config.ack_within_us, setpoint.asked.expires_us):
            heapq.heappush(self._due, (due_us, setpoint.name))

    def answer(self, answer: Answer, output: Output) -> None:
        """What a controller says about a setpoint; all up to that time has passed."""
        setpoint = self._live.get(answer.setpoint)
        known = setpoint.status if setpoint else self._past.get(answer.setpoint, (0, None))[1]
        status, code = judged(known, answer.decision)
        if code:
            output.refused.append((*answer.fields(), code))
        if not setpoint or not status:
            return
        setpoint.status = status
        output.tell(setpoint, answer.time_us, answer)
        if status in _ENDED:
            self._end(setpoint, answer.time_us)
            said = f": {answer.comment}" if answer.comment else ""
            self.tell_exception(
                setpoint, _KINDS[status], f"its controller says so{said}", answer.time_us, output, answer
            )
        else:
            for old, by in self._series(setpoint).entered():
                doubtful = old.status == "unacknowledged"
                old.status = old.status if doubtful else "superseded"
                self._end(old, answer.time_us)
                if not doubtful:
                    output.tell(old, answer.time_us, answer, superseded_by=by.name)

    def passed(self, until_us: int, output: Output) -> None:
        """Time passes: answers fail to come, setpoints expire, and what ended long ago is forgotten."""
        while self._due and self._due[0][0] <= until_us:
            due_us, name = heapq.heappop(self._due)
            setpoint = self._live.get(name)
            if setpoint and due_us == setpoint.asked.expires_us:
                self._expire(setpoint, due_us, output)
            elif setpoint and setpoint.status == "sent":
                setpoint.status = "unacknowledged"
                output.tell(setpoint, due_us)
                seconds = self._config.ack_within_us / _SECOND_US
                self.tell_exception(setpoint, "unacknowledged", f"nobody answered within {seconds:g} s", due_us, output)
        while self._past and (oldest := next(iter(self._past.items())))[1][0] <= until_us - self._config.memory_us:
            del self._past[oldest[0]]

    def _expire(self, setpoint: Setpoint, time_us: int, output: Output) -> None:
        series = self._series(setpoint)
        lapsed = not any(later.in_force for later in series.live[series.live.index(setpoint) + 1 :])
        counted = setpoint.counts
        setpoint.status = "expired" if counted else setpoint.status
        self._end(setpoint, time_us)
        if counted:
            output.tell(setpoint, time_us)
        if counted and lapsed:
            when = "while it was in force" if setpoint.in_force else "before it was carried out"
            self.tell_exception(setpoint, "lapsed", f"its time ran out {when}", time_us, output)

    def _end(self, setpoint: Setpoint, time_us: int) -> None:
        series = self._series(setpoint)
        series.live = [s for s in series.live if s is not setpoint]
        self._tidy((setpoint.asked.site, setpoint.asked.zone))
        del self._live[setpoint.name]
        self._past[setpoint.name] = time_us, setpoint.status

    def _tidy(self, zone: Zone) -> None:
        if not self._zones[zone].live and not self._zones[zone].spell:
            del self._zones[zone]

    def _series(self, setpoint: Setpoint) -> Series:
        return self._zones[setpoint.asked.site, setpoint.asked.zone]

    def tell_exception(
        self,
        setpoint: Setpoint,
        kind: str,
        why: str,
        time_us: int,
        output: Output,
        answer: Answer | None = None,
    ) -> None:
        """A row of EXCEPTION_SCHEMA."""
        asked = setpoint.asked
        current = self.of(asked.site, asked.zone).current()
        robots = current.asked.robots if current else None
        left = "nothing is in force" if robots is None else f"{robots} stay in force"
        reason = f"a setpoint of {counted(asked.robots)} for {asked.zone} of {asked.site} is {kind}: {why}; {left}"
        event, by, comment = (answer.event_id, answer.by, answer.comment) if answer else (None, None, None)
        what = (asked.site, asked.zone, setpoint.name, asked.robots, robots, reason, event, by, comment)
        output.exceptions.append((event_id(EXCEPTION_TYPE, [setpoint.name, kind]), kind, time_us, *what))

    def state(self) -> dict[str, Any]:
        """Primitives that `take_up` makes the same of."""
        live = [[asdict(s.asked), s.status, s.in_force] for series in self._zones.values() for s in series.live]
        spells = [[*zone, asdict(series.spell)] for zone, series in self._zones.items() if series.spell]
        return {"live": live, "spells": spells, "past": [[name, *end] for name, end in self._past.items()]}

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._zones, self._live, self._due = {}, {}, []
        for asked, status, in_force in state["live"]:
            what = Asked(**{**asked, "evidence": Evidence(**asked["evidence"])})
            setpoint = Setpoint(what, status, in_force)
            self._zones.setdefault((what.site, what.zone), Series()).live.append(setpoint)
            self._take_in(setpoint)
        for site, zone, spell in state["spells"]:
            self.held(site, zone, Spell(**spell))
        self._past = {name: (ended_us, status) for name, ended_us, status in state["past"]}
