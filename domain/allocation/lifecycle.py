"""A task's life: which step may follow which, and what is made of one that may not.

    created > queued > assigned > started > done, or failed > queued; any of them but done and cancelled > cancelled

Steps get lost, and the clocks of two systems differ, so more than that is taken:

- *Forward.* Steps may be passed over (created > started, queued > done, failed > assigned): what is passed over must
  have happened, and no meaning is lost. A task may be first heard of at any step.
- *Again.* The step a task has taken already does no harm. `assigned` or `started` with another robot is a hand-over.
- *Taken back.* assigned > queued: fleets withdraw an order that was not begun. started > assigned with another robot: a
  hand-over of work begun. Both are common where a robot fails, and said without `failed` before.
- *Tardy.* A step that was passed over and is told after all, within the grace, fills the gap and changes no state.

Anything else leads backwards, or on from an end, and is for the caller to hold or to refuse. Steps of one instant are
taken in the order of their codes: failed comes first, for the task is then tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEPS: Final = ("failed", "created", "queued", "assigned", "started", "done", "cancelled")
"""Steps, or states entered by them, by code."""
FAILED, CREATED, QUEUED, ASSIGNED, STARTED, DONE, CANCELLED = range(len(STEPS))

_NEXT: Final[Mapping[int, tuple[int, ...]]] = {
    CREATED: (QUEUED, ASSIGNED, STARTED, DONE, FAILED, CANCELLED),
    QUEUED: (ASSIGNED, STARTED, DONE, FAILED, CANCELLED),
    ASSIGNED: (STARTED, DONE, FAILED, CANCELLED),
    STARTED: (DONE, FAILED, CANCELLED),
    FAILED: (QUEUED, DONE, CANCELLED),
}
_AMBIGUOUS: Final = ((ASSIGNED, QUEUED), (FAILED, ASSIGNED), (FAILED, STARTED))
_UNHEARD_OF: Final = -1

AGAIN, STEP, TAKEN_OVER, UNLESS_TARDY, BACKWARDS = range(5)
"""Verdicts: taken already; follows; follows if the robot is another; follows unless it is tardy; leads backwards."""


def _verdict(state: int, to: int) -> int:
    if to == state:
        return AGAIN
    if to in _NEXT[state]:
        return STEP
    if (state, to) == (STARTED, ASSIGNED):
        return TAKEN_OVER
    return UNLESS_TARDY if (state, to) in _AMBIGUOUS else BACKWARDS


def _passed(state: int, to: int) -> int:
    # A robot that turns to a task after it was cancelled is news. Of a task first heard of when it failed, nobody knows
    # whether a robot had it: another that has it now may have been given it since.
    before_robots = to == CANCELLED or (to == FAILED and state == _UNHEARD_OF)
    last = ASSIGNED if before_robots else DONE if to == FAILED else to
    first = QUEUED if state == FAILED else CREATED
    return sum(1 << step for step in range(max(first, state + 1), last))


VERDICTS: Final = tuple(tuple(_verdict(state, to) for to in range(len(STEPS))) for state in range(DONE))
"""Verdict by state, which is no end, and step."""

PASSED: Final = tuple(tuple(_passed(state, to) for to in range(len(STEPS))) for state in range(DONE))
"""Steps passed over, as bits by code, by state and step."""

NEVER_TOLD: Final = tuple(_passed(_UNHEARD_OF, to) for to in range(len(STEPS)))
"""The same of a task first heard of at a step."""

AFTER_DONE: Final = "task.after_done"
AFTER_CANCELLED: Final = "task.after_cancelled"
IS_BACKWARDS: Final = "task.backwards"

REFUSALS: Final = {
    AFTER_DONE: "the task was done, and nothing can follow",
    AFTER_CANCELLED: "the task was cancelled, and nothing can follow",
    IS_BACKWARDS: "the step leads backwards, and none that makes it possible came within the grace",
}
"""Why a step is refused."""
