"""Setpoints: how many robots a zone is asked to have at work, for how long, and what its controller answers.

Rules:

- A setpoint's id is a digest of all it says, so an answer is about exactly that. It lies within the hard limits.
- One that is wanted as it stands is sent anew only before its time runs out (a renewal); so a controller that has lost
  Takt finds its setpoint expired, and falls back.
- It is in force from the time it is said to be completed; a renewal of what is in force from the time it is accepted.
  Until then, and after a rejection or a failure, the one before stays in force, as long as its own time lasts.
- An answer must come in time. What had none is `unacknowledged`, and answers after that are refused. An answer that
  says what is so already does nothing; one that contradicts an earlier answer is refused.
- What nobody answers is sent anew: the same number when the time for an answer is over, twice that time later, four
  times, as long as some of these have not expired; another number at once.
- When telemetry cannot be trusted the last setpoint is held: renewed for `hold_us`, never changed, then left to expire.
- Things happen in order of their time: time passes, then answers of that time, then decisions.
- What ended is remembered for `memory_us`; answers about older setpoints are refused as about unknown ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec
import polars as pl

from domain.alignment.limits import Bounded, Limits
from domain.alignment.setpoint import HOLD_TYPE, Asked, Evidence, Setpoint, Spell
from domain.alignment.setpoint_answers import Answer, in_order
from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_ledger import Ledger, Output, Zone
from domain.alignment.setpoint_tables import HOLD_CAUSES, REFUSED_SCHEMA, HoldCause
from domain.streaming.versions import demand_version
from schemas.ids import event_id

_STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call came to, in SETPOINT_SCHEMA, EXCEPTION_SCHEMA and REFUSED_SCHEMA, in order of time."""

    setpoints: pl.DataFrame
    exceptions: pl.DataFrame
    refused: pl.DataFrame


class Setpoints:
    """Setpoints of all zones, and their fates."""

    def __init__(self, config: SetpointConfig, limits: Limits) -> None:
        self._config = config
        self._limits = limits
        self._ledger = Ledger(config)
        self._now: int | None = None
        self._last: Zone | None = None  # decided about last at that time

    def advance(self, acknowledgements: pl.DataFrame, until_us: int) -> Answered:
        """Time comes to `until_us`; answers (ACKNOWLEDGEMENT_SCHEMA) are of times from the last call's to before that.

        ValueError if they are not.
        """
        output = Output()
        answers = list(in_order(acknowledgements))
        self._demand_times(answers, until_us)
        for answer in answers:
            self._ledger.passed(answer.time_us, output)
            self._ledger.answer(answer, output)
        self._ledger.passed(until_us, output)
        self._last = self._last if until_us == self._now else None
        self._now = until_us
        return Answered(
            setpoints=output.frame(),
            exceptions=output.told_exceptions(),
            refused=pl.DataFrame(output.refused, schema=REFUSED_SCHEMA, orient="row"),
        )

    def _demand_times(self, answers: list[Answer], until_us: int) -> None:
        first = answers[0].time_us if answers else until_us
        if self._now is not None and min(first, until_us) < self._now:
            raise ValueError(f"time goes back from {self._now} to {min(first, until_us)}")
        if answers and answers[-1].time_us >= until_us:
            raise ValueError(f"an answer of {answers[-1].time_us} belongs to the time after {until_us}")

    def issue(
        self, site: str, zone: str, robots: float, decided_us: int, evidence: Evidence, present: int | None = None
    ) -> pl.DataFrame:
        """So many robots are wanted in a zone: rows of SETPOINT_SCHEMA, none where that was said and holds long enough.

        `present` robots are at work in the zone, from where a first setpoint steps. Zones are decided about in order of
        site and zone, once each, at the time last advanced to; otherwise ValueError.
        """
        self._demand_turn((site, zone), decided_us)
        output = Output()
        series = self._ledger.of(site, zone)
        if series.spell:
            output.tell_spell((site, zone), series.spell, "resumed", decided_us, self._config.hold_us)
            self._ledger.held(site, zone, None)
        target = series.target()
        bounded = self._bounded(site, zone, robots, target.asked.robots if target else present)
        stands = target is not None and {bounded.robots} == {s.asked.robots for s in (target, *series.doubtful())}
        if target and stands and not self._runs_out(target, decided_us):
            return output.frame()
        config = self._config
        asked_us = [s.asked.decided_us for s in series.unanswered(bounded.robots)]
        if asked_us and decided_us - asked_us[-1] < config.ack_within_us * 2 ** (len(asked_us) - 1):
            return output.frame()
        asked = Asked(
            site=site,
            zone=zone,
            robots=bounded.robots,
            previous=target.asked.robots if target else None,
            renews=target.name if target and stands else None,
            decided_us=decided_us,
            effective_us=decided_us + config.delay_us,
            expires_us=decided_us + config.expires_after_us,
            cut=bounded.cut,
            evidence=evidence,
        )
        self._ledger.send(asked, output)
        return output.frame()

    def hold(self, site: str, zone: str, now_us: int, cause: HoldCause) -> pl.DataFrame:
        """Nothing can be decided about a zone: rows of SETPOINT_SCHEMA, none where that was said and nothing runs out.

        The first call of a spell tells of it, a later decision ends it. In between the last setpoint is renewed, to
        last until `hold_us` after the beginning at most. Order and times as of `issue`.
        """
        self._demand_turn((site, zone), now_us)
        output = Output()
        series = self._ledger.of(site, zone)
        target, spell = series.target(), series.spell
        if spell is None:
            robots = target.asked.robots if target else None
            spell = Spell(event_id(HOLD_TYPE, [site, zone, cause, robots, now_us]), now_us, cause, robots)
            self._ledger.held(site, zone, spell)
            output.tell_spell((site, zone), spell, "held", now_us, self._config.hold_us)
        if target and self._runs_out(target, now_us):
            self._prolong(target, spell, now_us, output)
        return output.frame()

    def _prolong(self, target: Setpoint, spell: Spell, now_us: int, output: Output) -> None:
        """Renew what is held, for as long as the spell allows."""
        asked = target.asked
        expires_us = min(now_us + self._config.expires_after_us, spell.since_us + self._config.hold_us)
        allowed = self._bounded(
            asked.site, asked.zone, asked.robots, asked.robots
        )  # limits may be others since a restart
        if expires_us <= asked.expires_us or allowed.cut:
            return
        why = replace(asked.evidence, reason=f"held as {HOLD_CAUSES[spell.cause]}")
        renewal = replace(
            asked,
            previous=asked.robots,
            renews=target.name,
            decided_us=now_us,
            effective_us=now_us + self._config.delay_us,
            expires_us=expires_us,
            cut="",
            evidence=why,
        )
        self._ledger.send(renewal, output)

    def in_force(self, site: str, zone: str, now_us: int) -> int | None:
        """Robots of the setpoint in force in a zone; None where nothing is."""
        current = self._in_force(site, zone, now_us)
        return current.asked.robots if current else None

    def without_effect(self, site: str, zone: str, now_us: int, why: str) -> pl.DataFrame:
        """That what is in force in a zone does not show: one row of EXCEPTION_SCHEMA, none where nothing is."""
        output = Output()
        if current := self._in_force(site, zone, now_us):
            self._ledger.tell_exception(current, "without_effect", why, now_us, output)
        return output.told_exceptions()

    def _in_force(self, site: str, zone: str, now_us: int) -> Setpoint | None:
        current = self._ledger.of(site, zone).current()
        return current if current and current.asked.expires_us > now_us else None

    def pending(self, site: str, zone: str, now_us: int) -> tuple[int, ...]:
        """Robots in force after each coming interval, as far as what was sent goes; empty where nothing is on its way.

        What should be in force by now and is not is taken to be so an interval from now.
        """
        series = self._ledger.of(site, zone)
        interval = self._config.interval_us
        coming = {}
        for setpoint in series.live:
            if setpoint.counts and not setpoint.in_force:
                coming[max(1, -((now_us - setpoint.asked.effective_us) // interval))] = setpoint.asked.robots
        current = series.current()
        robots = current.asked.robots if current else next(iter(coming.values()), 0)
        slots = []
        for slot in range(1, max(coming, default=0) + 1):
            robots = coming.get(slot, robots)
            slots.append(robots)
        return tuple(slots)

    def _bounded(self, site: str, zone: str, robots: float, last: int | None) -> Bounded:
        most = self._limits.of_site(site)
        if most is None:
            return self._limits.bound(site, zone, robots, last, others=0)
        # Each would give up all that is too much, were a site's limit lower since a restart and nobody's share known.
        share = self._ledger.share(site, zone, most)
        return self._limits.bound(site, zone, robots, last, self._ledger.others(site, zone), share)

    def _runs_out(self, setpoint: Setpoint, now_us: int) -> bool:
        return setpoint.asked.expires_us - now_us <= self._config.renew_before_us

    def _demand_turn(self, zone: Zone, now_us: int) -> None:
        """A site's limit is shared out as zones come, so their order is part of the result."""
        if now_us != self._now:
            raise ValueError(f"time has come to {self._now}, not to {now_us}: advance first")
        if self._last is not None and zone <= self._last:
            raise ValueError(f"zone {zone} is decided about after {self._last}, once at a time")
        self._last = zone

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        state = {"version": _STATE_VERSION, "now": self._now, "last": self._last, **self._ledger.state()}
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "setpoints")
        self._now, last = state["now"], state["last"]
        self._last = None if last is None else (last[0], last[1])
        self._ledger.take_up(state)
