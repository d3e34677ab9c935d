"""Setpoints: each zone's controller is asked at each review, and what is sent is followed until it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final

import msgspec
import polars as pl

from domain.alignment.controllers.guards import Guards, stay
from domain.alignment.controllers.load import Aims
from domain.alignment.controllers.mpc import MpcConfig, MpcController
from domain.alignment.controllers.reading import Controller, Memory, Reading, Setting, fresh
from domain.alignment.controllers.smith import SmithConfig, SmithController
from domain.alignment.limits import ANY
from domain.alignment.setpoint import Evidence
from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_tables import ACKNOWLEDGEMENT_SCHEMA, EXCEPTION_SCHEMA
from domain.alignment.setpoints import Answered, Setpoints
from domain.streaming.frames import frame_of
from flows.alignment.effects import Effects
from flows.alignment.repeated import Repeated
from flows.alignment.sections import Alignment
from flows.alignment.zones import ZoneState
from schemas.ids import event_id

_INPUTS: Final = "alignment.inputs.v1"
_ASSUMED: Final = "alignment.assumed.v1"
"""Name the kinds of ids."""
_DAY_US: Final = 86_400_000_000
_SHOWN_TASKS: Final = 4
"""Of each robot: then a task in hand, of which only the time is seen, is an eighth of what is known, in the mean."""
_PATIENCE: Final = 6
"""Reviews."""
_ASSUMED_BY: Final = "nobody: no source reads answers, so it is taken to be carried out"


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, in SETPOINT_SCHEMA, and what came to light, in EXCEPTION_SCHEMA."""

    setpoints: pl.DataFrame
    exceptions: pl.DataFrame


class Steering:
    """Controllers of all zones, and their setpoints."""

    def __init__(self, settings: Alignment, *, answered: bool) -> None:
        """`answered`: a source reads answers. Without one, setpoints are taken to be carried out in time."""
        interval_us, delay_us = round(settings.interval_s * 1e6), round(settings.delay_s * 1e6)
        aims = Aims(settings.interval_s, ceil(delay_us / interval_us), settings.utilisation)
        self._controller: Controller = (
            SmithController(SmithConfig(aims, Guards(rate=settings.rate), integral=settings.integral))
            if settings.controller == "smith"
            else MpcController(MpcConfig(aims, replace(MpcConfig().guards, rate=settings.rate)))
        )
        self.named = [(one.site, one.zone) for one in settings.limits if ANY not in (one.site, one.zone)]
        """Zones that have limits of their own."""
        self._limits = settings.hard_limits()
        self._setpoints = Setpoints(
            SetpointConfig(
                interval_us=interval_us,
                delay_us=delay_us,
                ack_within_us=round(settings.ack_within_s * 1e6),
                expires_after_us=round(settings.expires_s * 1e6),
                hold_us=round(settings.hold_s * 1e6),
                memory_us=max(_DAY_US, round(settings.expires_s * 1e6)),
            ),
            self._limits,
        )
        self._answered = answered
        self._effects = Effects(round(settings.effect_within_s * 1e6), max(interval_us, round(settings.hold_s * 1e6)))
        self._repeated = Repeated()
        self._memories: dict[tuple[str, str], Memory] = {}
        self._assumed: list[tuple[Any, ...]] = []
        """Answers to come, of which nobody but us knows."""

    def advance(self, answers: pl.DataFrame | None, until_us: int) -> Answered:
        """Time comes to `until_us`; `answers` in ACKNOWLEDGEMENT_SCHEMA, of times before."""
        due = [row for row in self._assumed if row[-1] < until_us]
        self._assumed = [row for row in self._assumed if row[-1] >= until_us]
        frames = [frame_of(due, ACKNOWLEDGEMENT_SCHEMA)]
        if answers is not None:
            frames.append(answers.select(ACKNOWLEDGEMENT_SCHEMA.keys()))
        answered = self._setpoints.advance(pl.concat(frames), until_us)
        return replace(answered, exceptions=self._repeated.news(answered))

    def decide(self, at: int, zones: list[ZoneState]) -> Decided:
        """What is decided; `at` is the time last advanced to, each zone comes once. Other zones are forgotten."""
        zones = sorted(zones, key=lambda zone: (zone.site, zone.zone))
        exceptions = [self._shown(at, zone) for zone in zones]
        sent = pl.concat([self._decide(at, zone) for zone in zones])
        if not self._answered:
            for name, status, *_, effective in sent.select("setpoint", "status", "effective_us").iter_rows():
                if status == "sent":
                    self._assume(name, at, effective)
        kept = {(zone.site, zone.zone) for zone in zones}
        self._memories = {zone: memory for zone, memory in self._memories.items() if zone in kept}
        self._effects.keep(kept)
        return Decided(sent, pl.concat(exceptions))

    def _shown(self, at: int, state: ZoneState) -> pl.DataFrame:
        """Whether what is in force shows: rows of EXCEPTION_SCHEMA, none where it does, or nothing can be seen."""
        key = state.site, state.zone
        in_force = self._setpoints.in_force(*key, at)
        if state.cause is not None or not self._effects.seen(key, at, in_force, state.last_there):
            return frame_of((), EXCEPTION_SCHEMA)
        return self._setpoints.without_effect(*key, at, self._effects.told(key, at, state.last_there))

    def _decide(self, at: int, state: ZoneState) -> pl.DataFrame:
        key = state.site, state.zone
        if state.cause is not None:
            return self._setpoints.hold(*key, at, state.cause)
        reading = self._reading(at, state)
        memory = self._memories.get(key, fresh())
        if self._effects.holds(key):
            setting, self._memories[key] = stay(reading, memory, "without_effect")
        elif _is_new(state, memory):
            setting, self._memories[key] = stay(reading, memory, "unknown_rate")
        else:
            setting, self._memories[key] = self._controller.decide(reading, memory)
        evidence = _evidence(self._controller.name, state, reading, setting)
        sent = self._setpoints.issue(*key, setting.robots, at, evidence, state.robots)
        for status, renews, robots, previous in sent.select("status", "renews", "robots", "previous").iter_rows():
            if status == "sent" and renews is None:
                self._effects.sent(key, previous, robots, state.last_there)
        return sent

    def _reading(self, at: int, state: ZoneState) -> Reading:
        limit = self._limits.of(state.site, state.zone)
        in_force = self._setpoints.in_force(state.site, state.zone, at)
        return Reading(
            demand=state.demand,
            backlog=state.backlog,
            rate=state.rate,
            availability=state.availability,
            robots=state.robots if in_force is None else in_force,
            pending=self._setpoints.pending(state.site, state.zone, at),
            low=limit.low,
            # More than the site has cannot be sent anywhere.
            high=max(limit.low, min(limit.high, state.fleet)),
            task=state.task,
        )

    def _assume(self, setpoint: str, at: int, effective_us: int) -> None:
        for decision, time_us in (("accepted", at), ("completed", max(at, effective_us))):
            name = event_id(_ASSUMED, [setpoint, decision])
            self._assumed.append((name, setpoint, decision, _ASSUMED_BY, None, time_us))

    def snapshot(self) -> list[object]:
        """State as primitives."""
        memories = [[*zone, msgspec.to_builtins(memory)] for zone, memory in sorted(self._memories.items())]
        told = [self._effects.snapshot(), self._repeated.snapshot()]
        return [self._setpoints.snapshot(), memories, self._assumed, *told]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        setpoints, memories, assumed, effects, repeated = state
        self._effects.restore(effects)
        self._repeated.restore(repeated)
        self._setpoints.restore(setpoints)
        self._memories = {(site, zone): msgspec.convert(memory, Memory) for site, zone, memory in memories}
        self._assumed = [tuple(row) for row in assumed]


def _is_new(state: ZoneState, memory: Memory) -> bool:
    """Whether robots of a zone that nothing was decided for will soon have shown what they do.

    Where there are none, or too few for what waits, nothing would ever be shown without a decision.
    """
    undecided = memory.demand is None and memory.since < _PATIENCE
    return undecided and state.robots > 0 and state.tasks < _SHOWN_TASKS


def _evidence(controller: str, state: ZoneState, reading: Reading, setting: Setting) -> Evidence:
    """Why a setpoint is what it is."""
    inputs = {
        "demand": reading.demand,
        "backlog": reading.backlog,
        "rate": reading.rate,
        "availability": reading.availability,
        "robots": reading.robots,
        "pending": list(reading.pending),
        "low": reading.low,
        "high": reading.high,
        "capacity_lo95": state.capacity[0],
        "capacity_hi95": state.capacity[1],
    }
    parts = {
        "wanted": setting.wanted,
        "feed_forward": setting.feed_forward,
        "feedback": setting.feedback,
        "integral": setting.integral,
        "held": setting.held,
    }
    name, _, parameters = controller.partition("(")
    figures = msgspec.json.encode(inputs | parts).decode()
    digest = event_id(_INPUTS, [msgspec.json.encode(inputs).decode()])
    return Evidence(name, parameters.removesuffix(")"), digest, setting.reason, figures)
