"""What an answer to a setpoint comes to, by what the setpoint is: a table of transitions, and refusals for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from domain.alignment.setpoint import Status
from domain.alignment.setpoint_tables import (
    ACKNOWLEDGEMENT_SCHEMA,
    DECIDED,
    EXPIRED,
    LATE,
    NO_ACKNOWLEDGEMENT,
    SUPERSEDED,
    UNKNOWN,
)

DECISIONS: Final[tuple[Status, ...]] = ("accepted", "completed", "rejected", "failed", "expired")
"""What can be answered; of answers of the same time, in this order."""

TRANSITIONS: Final[dict[Status, tuple[Status, ...]]] = {
    "sent": DECISIONS,
    "accepted": ("completed", "failed", "expired"),
    "completed": ("expired",),
}
"""Answers that change a setpoint, by its status."""

_REPEATS: Final = {"completed": ("accepted",)}
_REFUSED: Final[dict[Status, str]] = {"unacknowledged": LATE, "expired": EXPIRED, "superseded": SUPERSEDED}


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of ACKNOWLEDGEMENT_SCHEMA."""

    event_id: str
    setpoint: str
    decision: str
    by: str | None
    comment: str | None
    time_us: int

    def fields(self) -> tuple[Any, ...]:
        """Values in the order of the schema."""
        return self.event_id, self.setpoint, self.decision, self.by, self.comment, self.time_us


def judged(status: Status | None, decision: str) -> tuple[Status | None, str | None]:
    """The new status of a setpoint and why the answer is refused; neither, where it says what is so already.

    `status` is None of a setpoint nobody knows.

    >>> judged("sent", "completed"), judged("accepted", "rejected"), judged("completed", "accepted")
    (('completed', None), (None, 'setpoint.decided'), (None, None))
    """
    if status is None:
        return None, UNKNOWN
    wanted = next((known for known in DECISIONS if known == decision), None)
    if wanted is None:
        return None, NO_ACKNOWLEDGEMENT
    if wanted in TRANSITIONS.get(status, ()):
        return wanted, None
    if wanted == status or wanted in _REPEATS.get(status, ()):
        return None, None
    return None, _REFUSED.get(status, DECIDED)


def in_order(acknowledgements: pl.DataFrame) -> Iterator[Answer]:
    """Answers in order of time; of the same time, in that of DECISIONS."""
    if not acknowledgements.height:
        return
    answers = [Answer(*row) for row in acknowledgements.select(ACKNOWLEDGEMENT_SCHEMA.keys()).iter_rows()]
    rank: dict[str, int] = {decision: at for at, decision in enumerate(DECISIONS)}
    yield from sorted(answers, key=lambda a: (a.time_us, rank.get(a.decision, len(rank)), a.event_id))
