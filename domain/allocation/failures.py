"""Failures of robots, as episodes: from the first sign of one until the robot has been well for long enough.

- A robot has failed if it is decommissioned, says fault or offline, or is silent for `unreachable_us` while others of
  its zone are heard (of its site, if it is alone in its zone). Where nobody is heard, nothing is known and nothing
  changes: a gap in telemetry is no failure.
- An episode ends when the robot has been well for `steady_us` without a break, so one that flaps stays in the same
  episode. Each episode that began in the last `flap_us` doubles that time for the next, up to `2 ** MOST_DOUBLINGS`.
- It returned in time if it was well again within `grace_us`, was steady from then on, and was not decommissioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import polars as pl

from domain.allocation.recovery_tables import DECOMMISSIONED, FAULT, OFFLINE, OUT_SCHEMA, UNREACHABLE
from domain.named import named

RobotKey = tuple[str, str]
"""Site and robot."""
MOST_DOUBLINGS: Final = 5
_SECOND_US: Final = 1_000_000
_WELL: Final = ("idle", "busy", "charging")


@dataclass(frozen=True, slots=True)
class RecoveryConfig:
    """When a robot has failed, and when it is back."""

    unreachable_us: int = 180 * _SECOND_US
    grace_us: int = 900 * _SECOND_US
    steady_us: int = 120 * _SECOND_US
    flap_us: int = 86_400 * _SECOND_US

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("recovery", 1, self)


@dataclass(slots=True)
class Episode:
    """One failure of one robot."""

    site: str
    robot: str
    cause: str
    failed_us: int
    steady_us: int
    """How long it must be well."""
    well_us: int | None = None
    """Since when it is well again."""
    x: float | None = None
    y: float | None = None
    tasks: set[str] = field(default_factory=set)
    """Tasks taken from it."""

    @property
    def key(self) -> RobotKey:
        """Site and robot."""
        return self.site, self.robot

    def may_return(self, now_us: int, grace_us: int) -> bool:
        """Whether it returned in time, or still can."""
        back_us = now_us if self.well_us is None else self.well_us
        return self.cause != DECOMMISSIONED and back_us - self.failed_us <= grace_us


@dataclass(frozen=True, slots=True)
class _Seen:
    key: RobotKey
    zone: str
    seen_us: int | None
    mode: str | None
    x: float | None
    y: float | None
    active: bool


class Failures:
    """Episodes of all robots."""

    def __init__(self, config: RecoveryConfig) -> None:
        self._config = config
        self._episodes: dict[RobotKey, Episode] = {}
        self._begun: dict[RobotKey, list[int]] = {}

    def __iter__(self) -> Iterator[Episode]:
        return iter([self._episodes[key] for key in sorted(self._episodes)])

    def get(self, key: RobotKey) -> Episode | None:
        """A robot's episode, if it is in one."""
        return self._episodes.get(key)

    def out(self) -> pl.DataFrame:
        """OUT_SCHEMA."""
        rows = [(e.site, e.robot, e.cause, e.failed_us) for e in self]
        return pl.DataFrame(rows, schema=OUT_SCHEMA, orient="row")

    def advance(self, robots: pl.DataFrame, now_us: int) -> list[Episode]:
        """What robots (site, zone, robot, seen_us, mode, x, y, active) show now; episodes that ended, in order."""
        seen = list(_seen(robots))
        flows = _Flows(seen, now_us - self._config.unreachable_us)
        ended = []
        for one in sorted(seen, key=lambda s: s.key):
            cause = flows.cause(one)
            if cause is not None:
                self._fail(one, cause, now_us)
            elif flows.is_heard(one) and one.mode in _WELL and self._is_steady(one, now_us):
                ended.append(self._episodes.pop(one.key))
        self._forget({s.key for s in seen}, now_us)
        return ended

    def _fail(self, one: _Seen, cause: str, now_us: int) -> None:
        episode = self._episodes.get(one.key)
        if episode is None:
            began = now_us if one.seen_us is None or cause == DECOMMISSIONED else one.seen_us
            begun = self._begun.setdefault(one.key, [])
            steady = self._config.steady_us << min(len(begun), MOST_DOUBLINGS)
            begun.append(now_us)
            episode = self._episodes[one.key] = Episode(*one.key, cause, began, steady)
        elif cause == DECOMMISSIONED:
            episode.cause = cause
        episode.well_us = None
        episode.x, episode.y = one.x, one.y

    def _is_steady(self, one: _Seen, now_us: int) -> bool:
        """Whether a robot that is well is so for long enough to end its episode."""
        episode = self._episodes.get(one.key)
        if episode is None or one.seen_us is None:
            return False
        if episode.well_us is None:
            episode.well_us = one.seen_us
        return now_us - episode.well_us >= episode.steady_us

    def _forget(self, present: set[RobotKey], now_us: int) -> None:
        since = now_us - self._config.flap_us
        for key, begun in list(self._begun.items()):
            recent = [at for at in begun if at > since][-MOST_DOUBLINGS:]
            if recent:
                self._begun[key] = recent
            else:
                del self._begun[key]
        for key in [k for k, e in self._episodes.items() if k not in present and not e.tasks]:
            del self._episodes[key]

    def snapshot(self) -> dict[str, Any]:
        """State as primitives."""
        episodes = [{**asdict(e), "tasks": sorted(e.tasks)} for e in self]
        return {"episodes": episodes, "begun": [[*key, begun] for key, begun in sorted(self._begun.items())]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        episodes = [Episode(**{**fields, "tasks": set(fields["tasks"])}) for fields in state["episodes"]]
        self._episodes = {e.key: e for e in episodes}
        self._begun = {(site, robot): begun for site, robot, begun in state["begun"]}


class _Flows:
    """Where telemetry flows."""

    def __init__(self, seen: Sequence[_Seen], since_us: int) -> None:
        self._since = since_us
        self._zones: dict[tuple[str, ...], list[_Seen]] = {}
        for one in seen:
            if one.active:
                for place in ((one.key[0], one.zone), (one.key[0],)):
                    self._zones.setdefault(place, []).append(one)
        self._heard = {place: any(self.is_heard(one) for one in there) for place, there in self._zones.items()}

    def is_heard(self, one: _Seen) -> bool:
        return one.seen_us is not None and one.seen_us >= self._since

    def cause(self, one: _Seen) -> str | None:
        """Why a robot has failed, None if it has not or nobody knows."""
        if not one.active:
            return DECOMMISSIONED
        if one.mode in (FAULT, OFFLINE):
            return one.mode
        if self.is_heard(one) or one.seen_us is None:
            return None
        zone = (one.key[0], one.zone)
        place = zone if len(self._zones[zone]) > 1 else zone[:1]
        return UNREACHABLE if self._heard[place] else None


def _seen(robots: pl.DataFrame) -> Iterator[_Seen]:
    columns = robots.select("site", "robot", "zone", "seen_us", "mode", "x", "y", "active")
    for site, robot, zone, seen_us, mode, x, y, active in columns.iter_rows():
        yield _Seen((site, robot), zone, seen_us, mode, x, y, active is not False)
