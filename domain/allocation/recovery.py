"""Tasks of robots that fail are given to others once, traceably, and given back if the robot returns in time.

- When a robot fails (`failures`), what it was assigned and had started is taken from it: `reallocated`, once per task
  and episode. For allocation the task is queued then, until the fleet says who has it.
- The fleet's word counts. If the robot did the task or started on it anew, it is `kept`; if another started, or it is
  queued, failed, cancelled or given up, it is `settled`. An order given to another robot and not begun settles it when
  the first robot can no longer return in time.
- A robot that returns in time gets back what nobody else has started: `undone`. One that was decommissioned never does.
- If the robot that took over fails, the first reallocation is settled, and its own begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import polars as pl

from domain.allocation import compensation
from domain.allocation.compensation import Compensation
from domain.allocation.ended import Key
from domain.allocation.failures import Episode, Failures, RecoveryConfig
from domain.allocation.recovery_tables import (
    CAUSES,
    KEPT,
    REALLOCATED,
    REALLOCATION_SCHEMA,
    SETTLED,
    UNDONE,
)
from domain.allocation.tables import DONE_SCHEMA
from domain.streaming.frames import frame_of
from domain.streaming.versions import demand_version
from schemas.ids import event_id

REALLOCATION_TYPE: Final = "takt.reallocation.v1"
"""Names the kind of ids."""
_STATE_VERSION: Final = 1
_ORDER: Final = {UNDONE: 0, KEPT: 0, SETTLED: 0, REALLOCATED: 1}


class _Task(NamedTuple):
    """An open task as the fleet tells it."""

    zone: str
    state: str
    robot: str | None
    since_us: int


@dataclass(slots=True)
class Reallocation:
    """A task that was taken from a robot, and whose fate is not known yet."""

    id: str
    site: str
    zone: str
    task: str
    from_robot: str
    cause: str
    failed_us: int
    started: bool
    since_us: int
    """Since when the robot had the task."""
    to_robot: str | None = None

    @property
    def key(self) -> Key:
        """Site and task."""
        return self.site, self.task

    @property
    def robot_key(self) -> tuple[str, str]:
        """Site and the robot that failed."""
        return self.site, self.from_robot


class Recovery:
    """Reallocations of all sites."""

    def __init__(self, config: RecoveryConfig | None = None) -> None:
        self._config = config or RecoveryConfig()
        self._failures = Failures(self._config)
        self._pending: dict[Key, Reallocation] = {}
        self._given_back: dict[Key, str] = {}  # to a robot, while the fleet still names another
        self._rows: list[tuple[Any, ...]] = []
        self._now = 0

    def watched(self) -> pl.DataFrame:
        """Tasks (site, task) whose outcomes `advance` wants to know, sorted."""
        taken = {(episode.site, name) for episode in self._failures for name in episode.tasks}
        return frame_of(sorted(taken.union(self._pending, self._given_back)), DONE_SCHEMA)

    def out(self) -> pl.DataFrame:
        """Robots that failed, and those not yet well for long enough, which should get no work: OUT_SCHEMA."""
        return self._failures.out()

    def advance(
        self, robots: pl.DataFrame, open_tasks: pl.DataFrame, outcomes: pl.DataFrame, now_us: int
    ) -> pl.DataFrame:
        """Review robots (ROBOT_SCHEMA) and open tasks (OPEN_SCHEMA): REALLOCATION_SCHEMA.

        `outcomes` is OUTCOME_SCHEMA of the tasks `watched`, of those that are not open and whose outcome is known.
        """
        self._rows, self._now = [], now_us
        returned = {episode.key: episode for episode in self._failures.advance(robots, now_us)}
        tasks = self._concerned(open_tasks)
        ended = {(site, name): (state, robot) for site, name, state, robot, *_ in outcomes.iter_rows()}
        for key in sorted(self._pending):
            self._follow(self._pending[key], tasks.get(key), ended.get(key), returned)
        self._confirm(tasks)
        self._take_away(tasks)
        alive = tasks.keys() | {key for key, (state, _) in ended.items() if state == "failed"}
        for episode in self._failures:
            episode.tasks = {name for name in episode.tasks if (episode.site, name) in alive}
        told = frame_of(self._rows, REALLOCATION_SCHEMA)
        rank = pl.col("status").replace_strict(_ORDER, return_dtype=pl.Int8)
        return told.sort("site", "task", rank, "id") if told.height else told

    def _concerned(self, open_tasks: pl.DataFrame) -> dict[Key, _Task]:
        """Open tasks that are watched, and those of robots that failed."""
        names, robots = self.watched(), self._failures.out()
        if not names.height and not robots.height:
            return {}
        columns = open_tasks.select("site", "task", "zone", "state", "robot", "since_us")
        watched = columns.join(names, on=("site", "task"), how="semi")
        failed = columns.join(robots, on=("site", "robot"), how="semi")
        return {(site, name): _Task(*rest) for site, name, *rest in pl.concat([watched, failed]).iter_rows()}

    def _follow(
        self,
        one: Reallocation,
        task: _Task | None,
        ended: tuple[str, str | None] | None,
        returned: Mapping[tuple[str, str], Episode],
    ) -> None:
        """See what became of a reallocation."""
        episode = self._failures.get(one.robot_key) or returned.get(one.robot_key)
        if episode and episode.failed_us != one.failed_us:
            episode = None
        if task is None:
            self._follow_end(one, *(ended or ("given up", None)))
            return
        one.zone = task.zone
        if task.robot is not None:
            one.to_robot = None if task.robot == one.from_robot else task.robot
        fate = _fate(one, task)
        if fate is not None:
            self._close(one, *fate)
        elif episode and episode.may_return(self._now, self._config.grace_us):
            if one.robot_key in returned:
                self._give_back(one, episode)
        elif one.to_robot is not None:
            self._close(one, SETTLED, f"robot {one.to_robot} has the order, and {one.from_robot} is not back in time")
        elif task.since_us > one.since_us and self._failures.get(one.robot_key) is None:
            one.to_robot = one.from_robot
            self._close(one, SETTLED, f"robot {one.from_robot} is well, and has the order anew")

    def _follow_end(self, one: Reallocation, state: str, robot: str | None) -> None:
        if state == "done" and robot == one.from_robot:
            self._close(one, KEPT, f"robot {robot} has done it")
        elif state == "done":
            one.to_robot = robot
            self._close(one, SETTLED, f"robot {robot} has done it" if robot else "it was done")
        else:
            self._close(one, SETTLED, f"it is no longer open: {state}")

    def _give_back(self, one: Reallocation, episode: Episode) -> None:
        away_s = ((episode.well_us or self._now) - episode.failed_us) // 1_000_000
        if one.to_robot is not None:
            self._given_back[one.key] = one.from_robot
        reason = f"robot {one.from_robot} was well again after {away_s} s, and nobody else had started"
        self._close(one, UNDONE, reason)

    def _close(self, one: Reallocation, status: str, reason: str) -> None:
        del self._pending[one.key]
        self._tell(one, status, compensation.of_end(status, one.task, one.from_robot, one.to_robot), reason)

    def _confirm(self, tasks: Mapping[Key, _Task]) -> None:
        """A task given back is the robot's until the fleet says what it made of it."""
        for key, robot in list(self._given_back.items()):
            task = tasks.get(key)
            if task is None or task.robot in (robot, None) or task.state == "started":
                del self._given_back[key]

    def _take_away(self, tasks: Mapping[Key, _Task]) -> None:
        """Reallocate what robots have that failed."""
        failing = {episode.key: episode for episode in self._failures if episode.well_us is None}
        for key in sorted(tasks) if failing else ():
            task = tasks[key]
            holder = self._given_back.get(key, task.robot)
            episode = failing.get((key[0], holder)) if holder is not None else None
            if episode is None or key[1] in episode.tasks or task.state not in ("assigned", "started"):
                continue
            before = self._pending.get(key)
            if before is not None:
                before.to_robot = holder
                self._close(before, SETTLED, f"robot {holder}, which had it, has failed")
            self._given_back.pop(key, None)
            self._reallocate(key, task, episode)

    def _reallocate(self, key: Key, task: _Task, episode: Episode) -> None:
        site, name = key
        robot = episode.robot
        new = Reallocation(
            id=event_id(REALLOCATION_TYPE, [site, name, robot, episode.failed_us]),
            site=site,
            zone=task.zone,
            task=name,
            from_robot=robot,
            cause=episode.cause,
            failed_us=episode.failed_us,
            started=task.state == "started" and task.robot == robot,
            since_us=task.since_us,
            to_robot=None if task.robot == robot else task.robot,
        )
        episode.tasks.add(name)
        self._pending[key] = new
        since_s = (self._now - episode.failed_us) // 1_000_000
        what = compensation.of_failure(name, robot, new.started, (episode.x, episode.y))
        self._tell(new, REALLOCATED, what, f"robot {robot}: {CAUSES[episode.cause]}, since {since_s} s")

    def _tell(self, one: Reallocation, status: str, what: Compensation, reason: str) -> None:
        who = (one.id, one.site, one.zone, one.task, one.from_robot, one.cause, one.failed_us)
        self._rows.append((*who, status, self._now, one.to_robot, one.started, *what, reason))

    def as_allocated(self, open_tasks: pl.DataFrame) -> pl.DataFrame:
        """Open tasks as allocation should see them: queued if taken from a robot, or with that robot if given back."""
        taken = {r.key: None for r in self._pending.values() if r.to_robot is None}
        changed = {**taken, **self._given_back}
        if not changed:
            return open_tasks
        rows = [(*key, "queued" if robot is None else "assigned", robot) for key, robot in changed.items()]
        names = {"site": pl.String, "task": pl.String, "_state": pl.String, "_robot": pl.String}
        joined = open_tasks.join(
            pl.DataFrame(rows, schema=names, orient="row"), on=("site", "task"), how="left", maintain_order="left"
        )
        is_changed = pl.col("_state").is_not_null()
        return joined.with_columns(
            state=pl.when(is_changed).then("_state").otherwise("state"),
            robot=pl.when(is_changed).then("_robot").otherwise("robot"),
        ).select(open_tasks.columns)

    def snapshot(self) -> dict[str, Any]:
        """State as primitives."""
        return {
            "version": _STATE_VERSION,
            "failures": self._failures.snapshot(),
            "pending": [asdict(self._pending[key]) for key in sorted(self._pending)],
            "given_back": [[*key, robot] for key, robot in sorted(self._given_back.items())],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot; one of another version is refused."""
        demand_version(state["version"], _STATE_VERSION, "recovery")
        self._failures.restore(state["failures"])
        pending = [Reallocation(**fields) for fields in state["pending"]]
        self._pending = {r.key: r for r in pending}
        self._given_back = {(site, task): robot for site, task, robot in state["given_back"]}


def _fate(one: Reallocation, task: _Task) -> tuple[str, str] | None:
    """Status and reason, if the fleet's word ends a reallocation."""
    if task.state in ("created", "queued"):
        one.to_robot = None
        return SETTLED, "the fleet has queued it again"
    if task.state != "started":
        return None
    if one.to_robot is not None:
        return SETTLED, f"robot {one.to_robot} has started it"
    return (KEPT, f"robot {one.from_robot} has started on it again") if task.since_us > one.since_us else None
