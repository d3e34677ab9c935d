"""Plans against the best there is, and the parts of the search against plain ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.allocation import NOW, gap, instance, nearest, optimum, site
from domain.allocation.allocate import allocate
from domain.allocation.assign import assigned
from domain.allocation.costs import cost_s
from domain.allocation.estimate import Estimate
from domain.allocation.improve import improved
from domain.allocation.moves import crossed, orders, relocated, swapped
from domain.allocation.plan import Plan

ROWS = np.array([[0, 1, 2, -1], [3, 4, -1, -1]])


def _one(*values):
    return tuple(np.array([value]) for value in values)


def test_moves_make_the_rows_they_say():
    """A task to another place, two exchanged, tails exchanged, at the ends too."""
    move = relocated(ROWS, *_one(0, 1, 1, 2))
    assert (move.new_a.tolist(), move.new_b.tolist()) == ([[0, 2, -1, -1]], [[3, 4, 1, -1]])
    move = relocated(ROWS, *_one(1, 0, 0, 0))
    assert (move.new_a.tolist(), move.new_b.tolist()) == ([[4, -1, -1, -1]], [[3, 0, 1, 2]])
    move = swapped(ROWS, *_one(0, 2, 1, 0))
    assert (move.new_a.tolist(), move.new_b.tolist()) == ([[0, 1, 3, -1]], [[2, 4, -1, -1]])
    move = crossed(ROWS, *_one(0, 1, 1, 2))
    assert (move.new_a.tolist(), move.new_b.tolist()) == ([[0, -1, -1, -1]], [[3, 4, 1, 2]])


def test_orders_are_permutations_within_their_span():
    """Of four: each of the changes once, all but the identity; of neighbours only: three."""
    table, needs = orders(4, 3)
    assert len({tuple(row) for row in table.tolist()}) == len(table)
    assert (np.sort(table, axis=1) == np.arange(4)).all()
    assert (table != np.arange(4)).any(1).all()
    assert [int(np.flatnonzero(row != np.arange(4))[-1]) + 1 for row in table] == needs.tolist()
    assert orders(4, 1)[0].tolist() == [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2]]


def test_estimates_are_exact_where_nothing_is_late_or_charges():
    """All moves of a plan without due times, on full batteries, but for energy and health."""
    base = instance(3, 3, 9)
    quiet = _quiet(base)
    plan = Plan(quiet, assigned(quiet))
    guess = Estimate(quiet, plan.sequences)
    t, u = (each.ravel() for each in np.meshgrid(np.arange(9), np.arange(9)))
    keep = guess.robot[t] != guess.robot[u]
    t, u = t[keep], u[keep]
    ends = guess.robot[t], guess.at[t], guess.robot[u], guess.at[u]
    room = (plan.sequences[ends[2]] < 0).any(1)
    for move, change in (
        (swapped(plan.sequences, *ends), guess.swapped(t, u)),
        (relocated(plan.sequences, *ends), np.where(room, guess.relocated(t, guess.before(u)), np.inf)),
    ):
        exact = cost_s(quiet, move.a, move.new_a) + cost_s(quiet, move.b, move.new_b)
        exact -= plan.cost[move.a] + plan.cost[move.b]
        sure = np.isfinite(change)
        assert sure.any()
        np.testing.assert_allclose(change[sure], exact[sure], atol=1e-6)


def _quiet(base):
    robots = replace(base.robots, battery=np.full(3, 100.0), health_s=np.zeros(3))
    tasks = replace(base.tasks, due_s=np.full(9, np.inf))
    return replace(base, robots=robots, tasks=tasks, config=replace(base.config, energy_s_pct=0.0, reserve_pct=0.0))


@pytest.mark.slow
@pytest.mark.parametrize("crowded", [False, True])
def test_small_plans_cost_at_most_two_percent_more_than_the_best(crowded):
    """Twelve sites of three robots and five tasks, every sequence of every robot enumerated."""
    gaps = np.array([gap(seed, 3, 5, crowded=crowded) for seed in range(12)])
    assert (gaps >= -1e-9).all()
    assert gaps.max() <= 0.02


def test_the_enumeration_finds_no_more_than_any_plan_costs():
    """The oracle is a lower bound of plans of all kinds."""
    small = instance(5, 3, 5)
    least = optimum(small)
    for plan in (assigned(small), nearest(small), improved(small, assigned(small))):
        assert Plan(small, plan).total_s() >= least - 1e-6


def test_search_beats_the_naive_by_far_on_a_large_site():
    """A hundred robots and 600 tasks: every task once, at less than three quarters of what the nearest costs."""
    todo, fleet, config = site(1, 100, 600)
    rows = allocate(todo, fleet, NOW, config).assignments
    assert sorted(rows["task"]) == sorted(todo["task"])
    large = instance(1, 100, 600)
    assert rows["cost_s"].sum() < Plan(large, nearest(large)).total_s() * 3 / 4


@pytest.mark.slow
def test_search_never_makes_a_plan_dearer():
    """Nor loses or doubles a task."""
    for seed in range(3):
        some = instance(seed, 12, 80, crowded=True)
        first = assigned(some)
        better = improved(some, first)
        assert sorted(first[first >= 0]) == sorted(better[better >= 0])
        assert Plan(some, better).total_s() <= Plan(some, first).total_s()
