"""A day in rware, a warehouse simulator that nobody here wrote, as messages of robots and tasks.

rware moves robots and shelves, settles who goes first, asks for shelves and rewards a robot whose shelf has reached a
goal. What robots want to do next is decided here, and nothing else of it: what rware rewards is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl
from rware.warehouse import RewardType, Warehouse

from . import floor
from .desk import Desk
from .messages import SITE, moment, robot_data, robot_state
from .robot import STEP_S, Robot

STEPS_PER_DAY = 86_400 // STEP_S
_REPORT_STEPS = 2
_WAVE_STEPS = 12
"""How often the desk hands out tasks, so that some wait when Takt looks at them."""
CONTRACTS = ("robot.state@1", "task@2", "robot@1")


@dataclass(frozen=True)
class Removal:
    """A robot leaves service with tasks in hand: at the first moment after `at_s` when it does `doing`.

    `fault` goes on reporting, a `silent` one says nothing more, and a `decommissioned` one says that it is offline
    and then nothing. It is back `back_after_s` later, if at all. Its tasks are given to others `patience_s` after it
    left, unless it is back by then.
    """

    robot: int
    kind: str
    at_s: int
    doing: str
    """`fetching` or `carrying` the shelf of the task it has started, or `returning` one before it starts the next."""
    back_after_s: int | None = None
    patience_s: int = 1_800


@dataclass
class Episode:
    """A robot out of service: from when to when, and which tasks it had, by name."""

    robot: str
    kind: str
    left_step: int
    tasks: list[str]
    back_step: int | None = None
    taken_back: list[str] = field(default_factory=list)


REMOVALS = (
    Removal(0, "fault", 3 * 3600, "fetching", back_after_s=3 * 3600),
    Removal(5, "silent", 5 * 3600, "carrying", back_after_s=4 * 3600),
    Removal(2, "fault", 8 * 3600, "carrying", back_after_s=540),
    Removal(7, "silent", 11 * 3600, "fetching", back_after_s=540),
    Removal(0, "silent", 13 * 3600, "returning", back_after_s=2 * 3600),
    Removal(9, "decommissioned", 16 * 3600, "carrying"),
    Removal(4, "fault", 19 * 3600, "returning", back_after_s=540),
)


class _Blind(Warehouse):
    """rware without what robots see, which nobody looks at and takes half of its time."""

    def _make_obs(self, agent: object) -> None:
        del agent


@dataclass(frozen=True)
class Config:
    """The length of the day, the fleet, how many shelves are asked for at any time, and who leaves."""

    steps: int = STEPS_PER_DAY
    robots: int = 10
    requests: int = 6
    seed: int = 7
    removals: tuple[Removal, ...] = REMOVALS


class Day:
    """One run. `run()` fills messages in the order of time (`states`, `tasks`, `fleet`), `rewards` and `episodes`."""

    def __init__(self, config: Config | None = None) -> None:
        config = config or Config()
        self._config = config
        self._hall = _Blind(
            *(0, 0, 0),
            n_agents=config.robots,
            msg_bits=0,
            sensor_range=1,
            request_queue_size=config.requests,
            max_inactivity_steps=None,
            max_steps=None,
            reward_type=RewardType.INDIVIDUAL,
            layout=floor.layout(),
        )
        self._hall.reset(seed=config.seed)
        self._slots = {shelf.id: (int(shelf.x), int(shelf.y)) for shelf in self._hall.shelfs}
        self._robots = [self._robot(number, agent) for number, agent in enumerate(self._hall.agents)]
        self._desk = Desk(self._slots)
        self._due = list(config.removals)
        self._away: dict[Robot, tuple[Removal, Episode]] = {}
        self.states: list[bytes] = []
        self.fleet = [robot_data(robot, "active", 0) for robot in self._robots]
        self.rewards: list[tuple[Any, ...]] = []
        self.episodes: list[Episode] = []

    def run(self) -> Day:
        """Play the day."""
        moving_off = True
        self._report(0, set(self._robots))
        for step in range(1, self._config.steps + 1):
            moving_off = moving_off and not all(floor.is_lane(robot.cell) for robot in self._robots)
            modes = {robot: robot.mode for robot in self._robots}
            rewarded = self._play(step, moving_off=moving_off)
            for robot in rewarded:
                self._desk.deliver(robot, step)
            self._desk.ask((shelf.id for shelf in self._hall.request_queue), step)
            if not moving_off:
                self._leave_and_return(step)
                if step % _WAVE_STEPS == _WAVE_STEPS // 2:
                    self._desk.hand_out(self._robots, step)
                self._desk.go_on(self._robots, step)
            self._report(step, {r for r in self._robots if r in rewarded or r.mode != modes[r]})
        return self

    @property
    def steps(self) -> int:
        """Length of the day."""
        return self._config.steps

    @property
    def tasks(self) -> list[bytes]:
        """Messages of tasks."""
        return self._desk.told

    @property
    def messages(self) -> dict[str, list[bytes]]:
        """All messages by contract."""
        return dict(zip(CONTRACTS, (self.states, self.tasks, self.fleet), strict=True))

    def truth(self) -> pl.DataFrame:
        """What rware rewarded: a row per reward, with its `time`, `site`, `zone` and `robot`."""
        columns = {"step": pl.Int64, "robot": pl.Int64, "x": pl.Int64, "y": pl.Int64, "reward": pl.Float64}
        rows = pl.DataFrame(self.rewards, schema=columns, orient="row")
        zones = [floor.zone((x, y)) for x, y in rows.select("x", "y").iter_rows()]
        return rows.select(
            pl.Series("time", [moment(step) for step in rows["step"]], pl.Datetime("us", "UTC")),
            pl.lit(SITE).alias("site"),
            pl.Series("zone", zones, pl.String),
            pl.Series("robot", [self._robots[number].name for number in rows["robot"]], pl.String),
            "reward",
        )

    def _robot(self, number: int, agent: Any) -> Robot:
        fleet = self._config.robots
        return Robot(number, agent, floor.bay(number, fleet), battery=30 + 65 * number / fleet)

    def _play(self, step: int, *, moving_off: bool) -> list[Robot]:
        """A step of the simulator; the robots that it rewards."""
        for robot in self._robots:
            robot.pass_time()
        if moving_off:  # rware sets robots down anywhere, also in slots and bays, where they would be in the way
            actions = [floor.action(robot.pose, floor.farthest_goal(robot.pose)) for robot in self._robots]
        else:
            actions = [robot.action(self._slots) for robot in self._robots]
        rewards = self._hall.step(actions)[1]
        paid = [
            (n, agent, reward)
            for n, (agent, reward) in enumerate(zip(self._hall.agents, rewards, strict=True))
            if reward
        ]
        self.rewards += [(step, n, int(agent.x), int(agent.y), float(reward)) for n, agent, reward in paid]
        for n, _, _ in paid:
            self._robots[n].done += 1
        return [self._robots[n] for n, _, _ in paid]

    def _leave_and_return(self, step: int) -> None:
        for removal in [r for r in self._due if step * STEP_S >= r.at_s and _fits(self._robots[r.robot], r)]:
            robot = self._robots[removal.robot]
            self._due.remove(removal)
            robot.removed = removal.kind
            if removal.kind == "decommissioned":
                self.fleet.append(robot_data(robot, removal.kind, step))
            episode = Episode(robot.name, removal.kind, step, [task.name for task in robot.tasks])
            self.episodes.append(episode)
            self._away[robot] = removal, episode
        for robot, (removal, episode) in list(self._away.items()):
            away_s = (step - episode.left_step) * STEP_S
            if removal.back_after_s is not None and away_s >= removal.back_after_s:
                self._come_back(robot, episode, step)
            elif away_s >= removal.patience_s and robot.tasks:
                episode.taken_back = [task.name for task in self._desk.take_back(robot, step)]

    def _come_back(self, robot: Robot, episode: Episode, step: int) -> None:
        if episode.kind == "silent":
            robot.reboot()
        robot.removed = ""
        episode.back_step = step
        del self._away[robot]

    def _report(self, step: int, at_once: set[Robot]) -> None:
        for robot in self._robots:
            due = robot in at_once or (step + robot.number) % _REPORT_STEPS == 0
            quiet = robot.mode == "offline" and not (robot.removed == "decommissioned" and robot in at_once)
            if due and not quiet:
                self.states.append(robot_state(robot, step))


def _fits(robot: Robot, removal: Removal) -> bool:
    """Whether a robot is in the midst of its work as the plan wants it."""
    if robot.removed or not robot.tasks or not floor.has_way_around_goals(robot.pose):
        return False
    if robot.current is None:
        return removal.doing == "returning" and robot.carried is not None
    return removal.doing == ("carrying" if robot.carried else "fetching")
