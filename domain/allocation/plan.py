"""A plan: a sequence of tasks for each robot of a site, and what they cost."""

from __future__ import annotations

import numpy as np

from domain.allocation.congestion import Congestion
from domain.allocation.costs import cost_s
from domain.allocation.problem import Float64, Int64, Problem


class Plan:
    """Sequences of robots, and what they cost."""

    def __init__(self, problem: Problem, sequences: Int64) -> None:
        self.problem = problem
        self.sequences = sequences.copy()
        self.everyone = np.arange(sequences.shape[0])
        self.costed = 0
        """Tasks in sequences that were costed."""
        self.cost = self.cost_s(self.everyone, sequences)
        self.crowd = Congestion(problem)
        self.present = self.crowd.present(self.everyone, sequences)
        self.robots = self.crowd.robots(self.present)

    def total_s(self) -> float:
        """Cost of it all."""
        return float(self.cost.sum() + self.crowd.cost_s(self.robots))

    def cost_s(self, robots: Int64, sequences: Int64) -> Float64:
        """Cost of sequences, and a count of it."""
        self.costed += sequences.size
        return cost_s(self.problem, robots, sequences)

    def put(self, robots: Int64, sequences: Int64) -> None:
        """Give robots other sequences."""
        self.sequences[robots] = sequences
        self.cost[robots] = self.cost_s(robots, sequences)
        self.present[robots] = self.crowd.present(robots, sequences)
        self.robots = self.crowd.robots(self.present)
