"""What all proposals have in common: they are decided once, may be taken back once, and are remembered for a while.

Rules:

- A proposal is accepted, rejected or expired, once. The same decision again does nothing; another one is refused.
- Whatever was accepted can be taken back: by accepting its reversal id, once.
- What was settled is remembered for `memory_us`; decisions about older proposals are refused as about unknown ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from domain.inventory.proposal_tables import CHANGED, DECIDED, EXPIRED, NO_DECISION, NOT_ACCEPTED, UNKNOWN

Status = Literal["proposed", "accepted", "rejected", "expired", "reversed", "ordered", "lapsed"]

DAY_US: Final = 86_400_000_000
MEMORY_US: Final = 90 * DAY_US
_WANTED: Final[dict[str, Status]] = {"accepted": "accepted", "rejected": "rejected", "expired": "expired"}
_STANDS: Final = frozenset({"accepted", "ordered", "lapsed"})
"""What a proposal that was accepted may be in until it is taken back."""


@dataclass(slots=True, kw_only=True, eq=False)
class Proposal:
    """What a decision needs to know of a proposal of any kind."""

    proposal: str
    reversal: str
    status: Status = "proposed"
    settled_us: int = 0
    """When its status last changed."""
    replaced: bool = False
    """A later one took its place."""


P = TypeVar("P", bound=Proposal)


class Answer(NamedTuple, Generic[P]):
    """What a decision comes to: a proposal and its new status, or a code of `REFUSALS`, or nothing."""

    proposal: P | None = None
    status: Status | None = None
    code: str | None = None


class Settlement(Generic[P]):
    """Proposals by their ids and by those of their reversals."""

    def __init__(self, memory_us: int = MEMORY_US) -> None:
        self._memory = memory_us
        self._known: dict[str, P] = {}
        self._reversals: dict[str, P] = {}
        self._past: deque[tuple[int, P]] = deque()
        """Those that are settled, by when."""

    def __contains__(self, proposal: str) -> bool:
        """Whether a proposal of this id is remembered."""
        return proposal in self._known

    def __getitem__(self, proposal: str) -> P:
        """The proposal of an id."""
        return self._known[proposal]

    @property
    def ids(self) -> list[str]:
        """Of proposals and of reversals."""
        return [*self._known, *self._reversals]

    def add(self, proposal: P) -> None:
        """Remember a new one."""
        self._known[proposal.proposal] = self._reversals[proposal.reversal] = proposal

    def answer(self, name: str, decision: str) -> Answer[P]:
        """What a decision about the id of a proposal, or of a reversal, comes to; it changes nothing."""
        if proposal := self._known.get(name):
            wanted = _WANTED.get(decision)
            if wanted is None:
                return Answer(code=NO_DECISION)
            if proposal.status != "proposed":
                return Answer(code=_against(proposal, wanted))
            return Answer(proposal, wanted)
        if undone := self._reversals.get(name):
            return _taken_back(undone) if decision == "accepted" else Answer(code=NO_DECISION)
        return Answer(code=UNKNOWN)

    def settle(self, proposal: P, status: Status, time_us: int) -> None:
        """A proposal came to a status. Calls are in order of time."""
        proposal.status, proposal.settled_us = status, time_us
        if status != "proposed":
            self._past.append((time_us, proposal))

    def forget(self, until_us: int) -> None:
        """Forget what was settled long ago."""
        while self._past and self._past[0][0] <= until_us - self._memory:
            settled_us, old = self._past.popleft()
            if settled_us == old.settled_us:  # nothing came of it later
                self._known.pop(old.proposal, None)  # it is there twice if two things came of it at once
                self._reversals.pop(old.reversal, None)

    def state(self) -> list[dict[str, Any]]:
        """Fields of all proposals, as primitives."""
        return [asdict(proposal) for proposal in self._known.values()]

    def restore(self, proposals: Iterable[P]) -> None:
        """Take up what `state` gave."""
        self._known = {one.proposal: one for one in proposals}
        self._reversals = {one.reversal: one for one in self._known.values()}
        past = [(one.settled_us, one) for one in self._known.values() if one.status != "proposed"]
        self._past = deque(sorted(past, key=lambda entry: entry[0]))


def _taken_back(proposal: P) -> Answer[P]:
    if proposal.status == "reversed":
        return Answer()
    return Answer(proposal, "reversed") if proposal.status in _STANDS else Answer(code=NOT_ACCEPTED)


def _against(proposal: Proposal, wanted: Status) -> str | None:
    """Why a decision about a settled proposal is refused; None of one that says what is so already."""
    if proposal.replaced:
        return CHANGED
    accepted = proposal.status in _STANDS or proposal.status == "reversed"
    if proposal.status == wanted or (wanted == "accepted" and accepted):
        return None
    return EXPIRED if proposal.status == "expired" else DECIDED
