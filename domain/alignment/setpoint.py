"""One setpoint and what became of it, and the setpoints of one zone that may still matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from domain.alignment.limits import Cut
from domain.alignment.setpoint_tables import HoldCause
from schemas.ids import event_id

Status = Literal["sent", "accepted", "completed", "rejected", "failed", "unacknowledged", "superseded", "expired"]

SETPOINT_TYPE: Final = "alignment.setpoint.v1"
HOLD_TYPE: Final = "alignment.setpoint.hold.v1"
EXCEPTION_TYPE: Final = "alignment.setpoint.exception.v1"
"""Name the kinds of ids."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a setpoint is what it is."""

    controller: str
    """Name and version."""
    parameters: str
    """All parameters of the controller, as text."""
    inputs: str
    """Digest of what was decided upon."""
    reason: str
    """A sentence with the numbers."""
    figures: str
    """The numbers, quantiles among them, as JSON."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a setpoint says. Its id is a digest of exactly this."""

    site: str
    zone: str
    robots: int
    previous: int | None
    renews: str | None
    decided_us: int
    effective_us: int
    expires_us: int
    cut: Cut
    evidence: Evidence

    def fields(self) -> tuple[Any, ...]:
        """Values in the order of SETPOINT_SCHEMA, from site to evidence."""
        why = self.evidence
        what = (self.site, self.zone, self.robots, self.previous, self.renews)
        times = (self.decided_us, self.effective_us, self.expires_us)
        return (*what, *times, self.cut, why.controller, why.parameters, why.inputs, why.reason, why.figures)


@dataclass(slots=True, eq=False)
class Setpoint:
    """A setpoint that has neither ended nor been replaced."""

    asked: Asked
    status: Status = "sent"
    in_force: bool = False
    """It is carried out, unless a later one is."""
    name: str = ""
    """Its id."""

    def __post_init__(self) -> None:
        self.name = event_id(SETPOINT_TYPE, self.asked.fields())

    @property
    def counts(self) -> bool:
        """It is in force or on its way."""
        return self.status != "unacknowledged"


@dataclass(frozen=True, slots=True)
class Spell:
    """A time without new setpoints, and why."""

    name: str
    since_us: int
    cause: HoldCause
    robots: int | None


@dataclass(slots=True)
class Series:
    """The setpoints of one zone that have neither ended nor been replaced, in order of decision."""

    live: list[Setpoint] = field(default_factory=list)
    spell: Spell | None = None

    def target(self) -> Setpoint | None:
        """The last that is in force or on its way there."""
        return next((s for s in reversed(self.live) if s.counts), None)

    def current(self) -> Setpoint | None:
        """The one in force."""
        return next((s for s in reversed(self.live) if s.in_force), None)

    def doubtful(self) -> list[Setpoint]:
        """Those without an answer, sent after the target: nobody knows whether they are carried out."""
        target = self.target()
        return self.live[self.live.index(target) + 1 if target else 0 :]

    def unanswered(self, robots: int) -> list[Setpoint]:
        """The last in a row that asked for so many and had no answer."""
        other = next((at for at, s in enumerate(reversed(self.live)) if s.counts or s.asked.robots != robots), None)
        return self.live if other is None else self.live[len(self.live) - other :]

    def most(self) -> int:
        """The most robots that the zone may have by what was asked for, answered or not."""
        return max((s.asked.robots for s in self.live), default=0)

    def entered(self) -> list[tuple[Setpoint, Setpoint]]:
        """Put in force what is due to be; what is superseded by it leaves, told with what took its place.

        What is completed is in force. So is an accepted renewal of what is in force: nothing is left to be done.
        """
        left = []
        for setpoint in list(self.live):
            renewed = next((s for s in self.live if s.name == setpoint.asked.renews), None)
            prolongs = setpoint.status == "accepted" and renewed is not None and renewed.in_force
            if not setpoint.in_force and (setpoint.status == "completed" or prolongs):
                setpoint.in_force = True
                left += [(old, setpoint) for old in self._replaced(setpoint)]
        return left

    def _replaced(self, by: Setpoint) -> list[Setpoint]:
        """Take out all before one, except what it prolongs, which stands in for it should it fail."""
        out = [old for old in self.live[: self.live.index(by)] if old.name != by.asked.renews]
        self.live = [s for s in self.live if s not in out]
        return out
