"""What moves between robots would change, roughly: to first order, as if none had to charge and none else became late.

Good for telling which of many moves are worth costing. A task's *rate* is what a second of delay costs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.allocation.costs import NONE, steps, travel_s
from domain.allocation.problem import Bool, Float64, Int64, Problem

Place = tuple[Float64, Float64, Int64]


@dataclass(frozen=True, slots=True)
class Slots:
    """Places in sequences where a task could be put in: where robots come from and when, and what is next (or -1)."""

    robot: Int64
    start: Place
    clock_s: Float64
    following: Int64


class Estimate:
    """A plan, by task. Arrays have one row more than there are tasks: task -1 is none, at no cost.

    `robot` and `at` are -1 for a task that is not in the plan.
    """

    def __init__(self, problem: Problem, sequences: Int64) -> None:
        self._problem, size = problem, problem.tasks.x.size + 1
        self.robot, self.at = np.full(size, NONE), np.full(size, NONE)
        self.following = np.full(size, NONE)
        self.wait_s, self.done_s, self.leg_s, self.rate = (np.zeros(size) for _ in range(4))
        self.weight = np.append(problem.tasks.weight, 0.0)
        self._due_s = np.append(problem.tasks.due_s, np.inf)
        self._units = np.append(problem.tasks.units, 0.0)
        tasks, robots = problem.tasks, problem.robots
        self._x, self._y = np.append(tasks.x, np.nan), np.append(tasks.y, np.nan)
        self._zone = np.append(tasks.zone, 0)
        self._from = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
        everyone = np.arange(sequences.shape[0])
        start = robots.x, robots.y, robots.zone
        for place, step in enumerate(steps(problem, everyone, sequences)):
            robot, task = everyone[step.on], sequences[step.on, place]
            self.robot[task], self.at[task] = robot, place
            self.wait_s[task], self.done_s[task], self.leg_s[task] = (
                step.wait_s[step.on],
                step.done_s[step.on],
                step.travel_s[step.on],
            )
            self.rate[task] = self.weight[task] * (1 + problem.config.lateness_cost * (step.late_s[step.on] > 0))
            for known, new in zip(self._from, start, strict=True):
                known[task] = new[step.on]
            start = self._place(sequences[:, place])
            if place + 1 < sequences.shape[1]:
                self.following[task] = sequences[step.on, place + 1]
        self.delay = self.rate.copy()
        """What a second of delay costs from a task to the end of its sequence."""
        for place in range(sequences.shape[1] - 2, -1, -1):
            task = sequences[:, place]
            self.delay[task] += self.delay[self.following[task]] * (task >= 0)
        self.delay[NONE] = 0.0
        self._gain = self._removed()

    def before(self, task: Int64) -> Slots:
        """The slots just before tasks."""
        return Slots(self.robot[task], self._came(task), self.wait_s[task], task)

    def behind(self, task: Int64) -> Slots:
        """The slots just behind tasks."""
        return Slots(self.robot[task], self._place(task), self.done_s[task], self.following[task])

    def first(self, robot: Int64) -> Slots:
        """The slots of robots that have nothing."""
        have = self._problem.robots
        start = have.x[robot], have.y[robot], have.zone[robot]
        return Slots(robot, start, have.ready_s[robot], np.full(robot.size, NONE))

    def relocated(self, task: Int64, slot: Slots) -> Float64:
        """A task goes to a slot of another robot."""
        leg = self._travel(slot.start, self._place(task), slot.robot)
        onward = self._onward(task, slot.following, slot.robot)
        done = slot.clock_s + leg + self._work(task, slot.robot)
        longer = done - slot.clock_s + onward - self.leg_s[slot.following]
        change = self._timed(task, done) + longer * self.delay[slot.following] - self._gain[task]
        return np.where(self._able(task, slot.robot), change, np.inf)

    def swapped(self, task: Int64, other: Int64) -> Float64:
        """Two tasks of different robots change places."""
        able = self._able(task, self.robot[other]) & self._able(other, self.robot[task])
        return np.where(able, self._replaced(task, other) + self._replaced(other, task), np.inf)

    def crossed(self, task: Int64, slot: Slots) -> Float64:
        """What a robot has from a task on changes places with what another has from a slot on."""
        there = slot.clock_s + self._travel(slot.start, self._place(task), slot.robot) + self._work(task, slot.robot)
        other, robot = slot.following, self.robot[task]
        here = self.wait_s[task] + self._travel(self._came(task), self._place(other), robot) + self._work(other, robot)
        change = (there - self.done_s[task]) * self.delay[task]
        change += np.where(other >= 0, here - self.done_s[other], 0.0) * self.delay[other]
        able = self._able(task, slot.robot) & ((other < 0) | self._able(other, robot))
        return np.where(able, change, np.inf)

    def _replaced(self, task: Int64, by: Int64) -> Float64:
        robot, after = self.robot[task], self.following[task]
        done = self.wait_s[task] + self._travel(self._came(task), self._place(by), robot) + self._work(by, robot)
        longer = done - self.done_s[task] + self._onward(by, after, robot) - self.leg_s[after]
        change: Float64 = self._timed(by, done) - self._timed(task, self.done_s[task]) + longer * self.delay[after]
        return change

    def _removed(self) -> Float64:
        """What is saved when a task is taken out of its sequence."""
        task = np.arange(self.robot.size)
        after = self.following
        leg = np.where(after >= 0, self._travel(self._from, self._place(after), self.robot), 0.0)
        shorter = self.done_s - self.wait_s + self.leg_s[after] - leg
        gain: Float64 = self._timed(task, self.done_s) + shorter * self.delay[after]
        return gain

    def _timed(self, task: Int64, done_s: Float64) -> Float64:
        late = np.maximum(done_s - self._due_s[task], 0.0)
        cost: Float64 = self.weight[task] * (done_s + self._problem.config.lateness_cost * late)
        return cost

    def _onward(self, task: Int64, after: Int64, robot: Int64) -> Float64:
        return np.where(after >= 0, self._travel(self._place(task), self._place(after), robot), 0.0)

    def _travel(self, start: Place, end: Place, robot: Int64) -> Float64:
        return travel_s(self._problem, start, end, self._problem.robots.speed[robot])

    def _work(self, task: Int64, robot: Int64) -> Float64:
        work: Float64 = self._units[task] * self._problem.robots.unit_s[robot]
        return work

    def _able(self, task: Int64, robot: Int64) -> Bool:
        able: Bool = self._problem.capable[self._problem.tasks.kind[task], robot]
        return able

    def _place(self, task: Int64) -> Place:
        return self._x[task], self._y[task], self._zone[task]

    def _came(self, task: Int64) -> Place:
        x, y, zone = self._from
        return x[task], y[task], zone[task]
