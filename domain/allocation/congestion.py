"""What robots cost each other by crowding a zone: `congestion_s` for each above the zone's limit.

A robot is in a zone if it stands there, has something to do there, or is given a task there.
"""

from __future__ import annotations

import numpy as np

from domain.allocation.problem import Bool, Float64, Int64, Problem


class Congestion:
    """Robots in the zones that have a limit, for one problem."""

    def __init__(self, problem: Problem) -> None:
        self._limited = np.flatnonzero(np.isfinite(problem.limit))
        self._limit = problem.limit[self._limited]
        self._place = np.full(problem.limit.size, -1)
        self._place[self._limited] = np.arange(self._limited.size)
        self._standing = problem.standing[:, self._limited]
        self._blocked = problem.blocked[self._limited]
        self._zone = problem.tasks.zone
        self._slope = problem.config.congestion_s

    @property
    def limits(self) -> int:
        """Zones with a limit."""
        return self._limited.size

    def present(self, robots: Int64, sequences: Int64) -> Bool:
        """Robot of each sequence by limited zone: it is in it, or would be."""
        found = self._standing[robots]
        zones = np.where(sequences >= 0, self._place[self._zone[sequences]], -1)
        row, column = np.nonzero(zones >= 0)
        found[row, zones[row, column]] = True
        return found

    def robots(self, present: Bool) -> Int64:
        """Robots in each limited zone, given where each of all robots is."""
        counted: Int64 = present.sum(0) + self._blocked
        return counted

    def cost_s(self, robots: Int64) -> Float64:
        """Cost of so many robots in the limited zones; the last axis is that of the zones."""
        cost: Float64 = self._slope * np.maximum(robots - self._limit, 0).sum(-1)
        return cost

    def appended_s(self, robots: Int64, present: Bool, tasks: Int64) -> Float64:
        """What congestion costs more if one robot is given one task: robot by task."""
        zone = self._place[self._zone[tasks]]
        over = self._slope * np.clip(robots + 1 - self._limit, 0, 1)
        if not over.size:
            return np.zeros((present.shape[0], tasks.size))
        return np.where(zone >= 0, np.where(present[:, zone], 0.0, over[zone]), 0.0)

    def shares_s(self, sequences: Int64) -> Float64:
        """Each task's share of the cost: that of its zone goes in equal parts to the first task of each robot there.

        What a zone costs with no robot but those that stand there is nobody's. Shape of `sequences`.
        """
        everyone = np.arange(sequences.shape[0])
        zones = np.where(sequences >= 0, self._place[self._zone[sequences]], -1)
        shares = np.zeros(sequences.shape)
        over = self._slope * np.maximum(self.robots(self.present(everyone, sequences)) - self._limit, 0)
        for zone in np.flatnonzero(over):
            inside = zones == zone
            given = inside.any(1)
            if given.any():
                shares[np.flatnonzero(given), inside.argmax(1)[given]] = over[zone] / given.sum()
        return shares
