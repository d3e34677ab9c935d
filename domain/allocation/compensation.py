"""What has to be undone when a task changes hands: as fields for a fleet manager, and in a sentence for people."""

from __future__ import annotations

from typing import NamedTuple

from domain.allocation.recovery_tables import KEPT, NONE, RESTORE, UNDONE, WITHDRAW


class Compensation(NamedTuple):
    """See REALLOCATION_SCHEMA."""

    action: str
    at_robot: str | None
    load_x: float | None
    load_y: float | None
    sentence: str


def of_failure(task: str, robot: str, started: bool, position: tuple[float | None, float | None]) -> Compensation:
    """A task is taken from a robot that failed."""
    said = f"Cancel the order for task {task} at robot {robot}, at the latest when it can be reached again."
    if not started:
        return Compensation(WITHDRAW, robot, None, None, f"{said} It had not started.")
    x, y = position
    where = "where it was last is not known" if x is None or y is None else f"last seen at ({x:g} m, {y:g} m)"
    said += (
        f" It had started: the task may be half done and its load on the robot, {where}."
        " Look there, and clear or hand over the load before another robot starts."
    )
    return Compensation(WITHDRAW, robot, x, y, said)


def of_end(status: str, task: str, robot: str, other: str | None) -> Compensation:
    """A reallocation ends; `other` is the robot that has the task now as far as is known."""
    if status == UNDONE:
        said = f"Robot {robot} keeps its order for task {task}; send it again if it was cancelled."
        if other is not None:
            said += f" Cancel the order at robot {other}, which has not started."
        return Compensation(RESTORE, other, None, None, said)
    if status == KEPT:
        if other is None:
            return Compensation(NONE, None, None, None, f"Do not cancel the order for task {task} at robot {robot}.")
        said = f"Cancel the order for task {task} at robot {other}: robot {robot} went on with it."
        return Compensation(WITHDRAW, other, None, None, said)
    return Compensation(NONE, None, None, None, f"Any order for task {task} still at robot {robot} stays cancelled.")
