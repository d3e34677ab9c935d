"""The desk: it turns the simulator's requests into tasks and hands these to robots, the oldest first."""

from __future__ import annotations

from collections.abc import Iterable

from . import floor
from .messages import task_step
from .robot import Robot, Task


class Desk:
    """All open tasks, and a message for each step in their lives, in `told`."""

    def __init__(self, slots: dict[int, floor.Cell]) -> None:
        self._slots = slots
        self._open: dict[int, Task] = {}
        self._made = 0
        self.told: list[bytes] = []

    @property
    def waiting(self) -> list[Task]:
        """Tasks that no robot has, the oldest first."""
        return [task for task in self._open.values() if task.queued]

    def deliver(self, robot: Robot, step: int) -> None:
        """The simulator has rewarded a robot for the shelf on its back."""
        shelf = robot.carried
        assert shelf is not None
        task = self._open.get(shelf) or self._ask(shelf, step)
        if task.queued:
            self._assign(task, robot, step)
            self._start(task, robot, step)
        assert robot.current is task, "rewarded for a task of another robot"
        self._tell(task, "done", step, robot)
        robot.current = None
        del self._open[shelf]

    def ask(self, shelves: Iterable[int], step: int) -> None:
        """These are the shelves that the simulator asks for now."""
        for shelf in shelves:
            if shelf not in self._open:
                self._ask(shelf, step)

    def hand_out(self, robots: list[Robot], step: int) -> None:
        """Give what waits to robots in service, idle ones first, a task each: of their own zone if there is any."""
        carried = {robot.carried for robot in robots}
        ready = [robot for robot in robots if not (robot.removed or robot.low or robot.following)]
        ready.sort(key=lambda robot: (robot.mode == "busy", robot.given_step))
        for robot in ready:
            fit = [task for task in self.waiting if task.shelf not in carried]
            fit.sort(key=lambda task: task.zone != robot.home)
            if fit:
                self._assign(fit[0], robot, step)
                robot.following = fit[0]

    def go_on(self, robots: list[Robot], step: int) -> None:
        """Robots in service turn round with what they carry if it is asked for again, or start on what they have."""
        for robot in robots:
            if robot.removed or robot.current:
                continue
            again = self._open.get(robot.carried or 0)
            if again and again.queued:
                self._assign(again, robot, step)
                self._start(again, robot, step)
            elif robot.following and not robot.carried:
                self._start(robot.following, robot, step)
                robot.following = None

    def take_back(self, robot: Robot, step: int) -> list[Task]:
        """Tasks in hand of a robot fail and wait for another."""
        tasks = robot.tasks
        for task in tasks:
            self._tell(task, "failed", step, robot)
            task.attempt += 1
            task.queued = True
            self._tell(task, "queued", step)
        robot.current = robot.following = None
        return tasks

    def _ask(self, shelf: int, step: int) -> Task:
        self._made += 1
        task = Task(f"pick-{self._made:05d}", shelf, floor.zone(self._slots[shelf]))
        self._open[shelf] = task
        self._tell(task, "created", step)
        self._tell(task, "queued", step)
        return task

    def _assign(self, task: Task, robot: Robot, step: int) -> None:
        task.queued = False
        robot.given_step = step
        self._tell(task, "assigned", step, robot)

    def _start(self, task: Task, robot: Robot, step: int) -> None:
        robot.current = task
        self._tell(task, "started", step, robot)

    def _tell(self, task: Task, transition: str, step: int, robot: Robot | None = None) -> None:
        self.told.append(task_step(task, self._slots[task.shelf], transition, step, robot))
