"""How much work a busy robot does in an hour: learned from all busy time, by zone and robot.

Tasks N of a robot in E busy hours have mean f x rate x E: the rate is that of its zone, the factor f its own. A factor
is Gamma with mean 1 and the variance that robots of the zone show, so that a robot little is known of is as its zone.
Counts scatter less than Poisson's where service times are regular, and work per task scatters besides; both are found
over blocks of 15 minutes and more, as a shorter one is dominated by the tasks that its ends cut in two. Evidence weighs
half after some hours; under weights w the sample counts (sum w E)^2 / sum w^2 E hours, as in `domain.throughput.rate`.

Windows that are busy throughout would tell less and tell it wrongly: see docs/explanation/throughput.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.alignment.tallies import Float64, Int64, Tallies, ratio

_RATES = ("tasks", "busy_h", "squared_h", "done", "work")
_BLOCK = ("block_since_h", "block_tasks", "block_expected", "block_done", "block_work")
_SCATTER = ("blocks", "task_scatter", "work_scatter")
_HALF_LIFE_H = 12.0

_RATE, _WORK = 30.0, 1.0
_RATE_WORTH_H = 1 / 30
_BLOCK_H, _BLOCK_TASKS = 0.25, 20.0
_BLOCK_WORTH = 4.0
_OUTLIER = 16.0
_FACTOR_VARIANCE, _FACTOR_WORTH = 0.01, 5.0
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Factors:
    """What robots do in an hour over what their zones do, and relative variances of it: its own, and the zone's."""

    mean: Float64
    own: Float64
    shared: Float64


@dataclass(frozen=True, slots=True)
class RobotEvidence:
    """Discounted tasks, busy hours, and hours under squared weights of each robot, hours as if in its zone of now."""

    tasks: Float64
    busy_h: Float64
    squared_h: Float64


class Rates:
    """Tasks per busy hour and work per task of zones, their scatter, and the factors of robots."""

    NAMES: Final = (*_RATES, *_BLOCK, *_SCATTER)

    def __init__(self, sums: Tallies) -> None:
        self.sums = sums

    @staticmethod
    def kept(hours: float) -> float:
        """Share of weight left after some hours."""
        return math.pow(0.5, hours / _HALF_LIFE_H)

    def age(self, hours: float) -> None:
        """Let evidence lose weight."""
        kept = self.kept(hours)
        self.sums.age(dict.fromkeys((*_RATES, *_SCATTER), kept) | {"squared_h": kept * kept})

    def learn(self, zone: Int64, tasks: Float64, busy_h: Float64) -> None:
        """Take in tasks done and busy hours of rows."""
        self.sums.add(zone, tasks=tasks, busy_h=busy_h, squared_h=busy_h)
        expected = self.tasks_per_hour()[zone] * busy_h
        self.sums.add(zone, block_tasks=tasks, block_expected=expected)

    def learn_work(self, zone: Int64, done: Float64, units: Float64) -> None:
        """Take in tasks done and the work units in them."""
        self.sums.add(zone, done=done, work=units, block_done=done, block_work=units)

    def close_blocks(self, now_h: float) -> None:
        """Measure scatter where a block is long enough; `now_h`: end of the window, hours since the Unix epoch."""
        sums = self.sums
        begun = sums["block_since_h"] > 0
        due = np.flatnonzero(
            begun & (now_h - sums["block_since_h"] >= _BLOCK_H) & (sums["block_expected"] >= _BLOCK_TASKS)
        )
        # The rate it is held against has learned half of it on the way, which takes away what its own doubt adds.
        expected = sums["block_expected"][due]
        tasks = sums["block_tasks"][due] - expected
        work = tasks + sums["block_work"][due] / self.work_per_task()[due] - sums["block_done"][due]
        for name, error, scatter in (
            ("task_scatter", tasks, self.task_scatter()[due]),
            ("work_scatter", work, self.work_scatter()[due]),
        ):
            sums.add(due, **{name: np.minimum(error**2 / expected, _OUTLIER * scatter)})
        sums.add(due, blocks=1.0)
        started = np.append(np.flatnonzero(~begun & (sums["block_expected"] > 0)), due)
        sums.clear(started, *_BLOCK)
        sums.add(started, block_since_h=now_h)

    def tasks_per_hour(self) -> Float64:
        """Tasks per busy hour of each zone."""
        return self.sums.shrunk(self.sums["tasks"], self.sums["busy_h"], worth=_RATE_WORTH_H, default=_RATE)

    def work_per_task(self) -> Float64:
        """Work units per task of each zone."""
        return self.sums.shrunk(self.sums["work"], self.sums["done"], worth=1.0, default=_WORK)

    def task_scatter(self) -> Float64:
        """Variance over mean of the tasks of some busy time."""
        return self.sums.shrunk(self.sums["task_scatter"], self.sums["blocks"], worth=_BLOCK_WORTH, default=1.0)

    def work_scatter(self) -> Float64:
        """Variance over mean of the work of some busy time, in mean tasks."""
        return self.sums.shrunk(self.sums["work_scatter"], self.sums["blocks"], worth=_BLOCK_WORTH, default=1.0)

    def known_tasks(self) -> Float64:
        """Tasks at full weight that each zone's rate rests on."""
        busy, squared = self.sums["busy_h"], self.sums["squared_h"]
        return 1.0 + ratio(busy, squared) * self.sums["tasks"]

    def factors(self, zone: Int64, seen: RobotEvidence) -> Factors:
        """Each robot's factor on the rate of its zone, and how far what it does in an hour is in doubt.

        The rate of a zone is that of its robots together, so what is not known of it is not known of them: both doubts
        rest on the same tasks. A robot as well known as its zone's others, whose work is as great a share of what is to
        come, is in doubt by its own tasks only, whether its factor is (much known of it) or the zone's rate (little).
        """
        rate, scatter = self.tasks_per_hour()[zone], self.task_scatter()[zone]
        expected, noise = rate * seen.busy_h, scatter * rate * seen.squared_h
        squares = np.bincount(zone, (seen.tasks - expected) ** 2 - noise, minlength=len(self.sums))
        weights = np.bincount(zone, expected**2, minlength=len(self.sums)).astype(np.float64)  # of none it counts whole
        together = np.bincount(zone, expected, minlength=len(self.sums)).astype(np.float64)
        robots = np.bincount(zone, seen.busy_h > 0, minlength=len(self.sums))
        found = ratio(np.maximum(squares, 0.0), weights)
        between = (found * robots + _FACTOR_VARIANCE * _FACTOR_WORTH) / (robots + _FACTOR_WORTH)
        between = np.maximum(between, _LEAST_VARIANCE)
        prior = 1 / between[zone]
        weight = ratio(expected, noise)
        shape, exposure = prior + weight * seen.tasks, prior + weight * expected
        # Scatter of tasks tells robots apart, that of work is what their work is in doubt by.
        heavier, unknown = (self.work_scatter() / self.task_scatter())[zone], prior / shape
        mean_rate = self.task_scatter() / self.known_tasks() + between * ratio(weights, together**2)
        return Factors(
            mean=shape / exposure,
            own=(heavier * (1 - unknown) + unknown) / shape,
            shared=heavier * unknown**2 * mean_rate[zone],
        )
