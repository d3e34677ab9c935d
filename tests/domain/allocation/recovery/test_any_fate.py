"""Robots that fail and return, and fleets that obey or do not: each task has one holder or is queued, always."""

from __future__ import annotations

import copy
from dataclasses import replace

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.allocation.recovery import Recovery
from domain.allocation.recovery_tables import REALLOCATED, SETTLED, UNDONE
from tests.domain.allocation.recovery.fleets import CONFIG, MINUTE, outcomes, robots, tasks

pytestmark = pytest.mark.slow

ROBOTS = "abc"
TASKS = "tuv"
_robot, _task = st.sampled_from(ROBOTS), st.sampled_from(TASKS)


class Fates(RuleBasedStateMachine):
    """Robots and tasks of one zone, and the recovery that watches them."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.config = CONFIG
        self.recovery, self.twin = Recovery(CONFIG), Recovery(CONFIG)
        self.fleet = {name: {"mode": "idle", "seen_us": 0} for name in ROBOTS}
        self.silent = set()
        self.tasks = dict.fromkeys(TASKS, ("queued", None, 0))
        self.ended, self.number = {}, 0
        self.told, self.open = [], tasks(**self.tasks)
        self.removed_at = {}

    @rule(robot=_robot, mode=st.sampled_from(["idle", "fault", "offline", "charging"]))
    def changes_mode(self, robot, mode):
        self.fleet[robot]["mode"] = mode

    @rule(robot=_robot)
    def falls_silent_or_is_heard_again(self, robot):
        self.silent ^= {robot}

    @rule(robot=_robot, active=st.booleans())
    def is_taken_out_or_back(self, robot, active):
        self.fleet[robot]["active"] = active

    @rule(task=_task, robot=_robot, state=st.sampled_from(["assigned", "started"]))
    def is_given_to(self, task, robot, state):
        self._is(task, state, robot)

    @rule(task=_task)
    def is_queued(self, task):
        self._is(task, "queued", None)

    @rule(task=_task, state=st.sampled_from(["done", "cancelled", "failed"]), forgotten=st.booleans())
    def ends(self, task, state, forgotten):
        name = self._name(task)
        _, robot, _ = self.tasks.pop(name)
        if not forgotten:
            self.ended[name] = (state, robot)
        if state != "failed":
            self.number += 1
            name = f"{task}{self.number}"
        self.tasks[name] = ("queued", None, self.now)

    def _name(self, task):
        return next(name for name in self.tasks if name[0] == task)

    def _is(self, task, state, robot):
        name = self._name(task)
        if self.tasks[name][:2] != (state, robot):
            self.now += 1
            self.tasks[name] = (state, robot, self.now)

    @rule(minutes=st.integers(1, 6))
    def is_reviewed(self, minutes):
        self.now += minutes * MINUTE
        for name, robot in self.fleet.items():
            robot["seen_us"] = robot["seen_us"] if name in self.silent else self.now
        self.open = tasks(**self.tasks)
        gone = {name: end for name, end in self.ended.items() if name not in self.tasks}
        asked = robots(self.now, **copy.deepcopy(self.fleet)), self.open, outcomes(**gone), self.now
        told = self.recovery.advance(*asked)
        assert told.equals(self.twin.advance(*asked))
        self.told += told.to_dicts()
        self._nobody_who_failed_has_one()

    def _nobody_who_failed_has_one(self):
        """But for what was taken from it once in this episode, and given to it again or begun by it by the fleet."""
        seen = self.recovery.as_allocated(self.open)
        failed = self.recovery.out().filter(~self.recovery.out()["robot"].is_in(self._well()))
        taken = {(row["task"], row["from_robot"], row["failed_us"]) for row in self.told}
        for row in seen.join(failed, on=("site", "robot")).iter_rows(named=True):
            assert (row["task"], row["robot"], row["failed_us"]) in taken

    def _well(self):
        """Who is well as far as anybody can know: silence is no failure before its time, nor where nobody is heard."""
        since = self.now - self.config.unreachable_us
        active = {name: one for name, one in self.fleet.items() if one.get("active", True)}
        some_heard = any(one["seen_us"] >= since for one in active.values())
        return [
            name
            for name, one in active.items()
            if one["mode"] in ("idle", "charging") and (one["seen_us"] >= since or not some_heard)
        ]

    @rule()
    def is_restored(self):
        self.recovery = self._restored(self.recovery)

    @rule(grace=st.integers(0, 20), silence=st.integers(1, 6))
    def is_restored_with_other_settings(self, grace, silence):
        self.config = replace(CONFIG, grace_us=grace * MINUTE, unreachable_us=silence * MINUTE)
        self.recovery, self.twin = self._restored(self.recovery), self._restored(self.twin)

    def _restored(self, recovery):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(recovery.snapshot()))
        restored = Recovery(self.config)
        restored.restore(state)
        return restored

    @invariant()
    def each_task_has_one_holder_or_is_queued(self):
        seen = self.recovery.as_allocated(self.open)
        assert seen["task"].to_list() == self.open["task"].to_list()
        for task in seen.iter_rows(named=True):
            assert (task["robot"] is None) == (task["state"] == "queued"), task

    @invariant()
    def each_is_reallocated_once_and_ends_once(self):
        by_id = {}
        for row in self.told:
            by_id.setdefault(row["id"], []).append(row)
        for rows in by_id.values():
            assert rows[0]["status"] == REALLOCATED
            assert [row["status"] for row in rows].count(REALLOCATED) == 1
            assert len(rows) <= 2
            assert len({(row["task"], row["from_robot"], row["failed_us"]) for row in rows}) == 1
            if rows[-1]["status"] == UNDONE:
                assert rows[0]["cause"] != "decommissioned"
        assert len({(row["task"], row["from_robot"], row["failed_us"]) for row in self.told}) == len(by_id)

    @invariant()
    def one_is_under_way_for_a_task(self):
        """And its task is open: what ended is settled."""
        watched = set(self.recovery.watched()["task"])
        last = {}
        for row in self.told:
            last.setdefault(row["task"], {})[row["id"]] = row["status"]
        for task, statuses in last.items():
            under_way = [status for status in statuses.values() if status == REALLOCATED]
            assert len(under_way) <= 1, (task, statuses, SETTLED)
            assert not under_way or task in watched


Fates.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFates = Fates.TestCase
