"""Cycles of task graphs are named, against a plain search of all paths."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allocation.graph import cycles, knots

graphs = st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefgh"), max_size=3))


def _reaches(graph, start):
    seen, left = set(), list(graph.get(start, ()))
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left += graph.get(node, ())
    return seen


@given(graphs)
def test_knots_are_the_nodes_that_reach_themselves(graph):
    """A node is in a knot if and only if a path leads back to it, and with those that it reaches and that reach it."""
    reach = {node: _reaches(graph, node) for node in graph}
    found = {node: knot for knot in knots(graph) for node in knot}
    assert set(found) == {node for node in graph if node in reach[node]}
    for node, knot in found.items():
        assert knot == sorted(other for other in reach[node] if other in reach and node in reach[other])


@given(graphs)
def test_a_cycle_is_one_of_each_knot_from_its_smallest_name(graph):
    """Each waits for the next, the last for the first, none twice; the smallest comes first."""
    found = cycles(graph)
    assert len(found) == len(knots(graph))
    assert found == sorted(found)
    for cycle in found:
        assert all(to in graph[node] for node, to in pairwise([*cycle, cycle[0]]))
        assert len(set(cycle)) == len(cycle)
        assert cycle[0] == min(cycle)


@given(graphs, st.randoms())
def test_cycles_do_not_depend_on_order(graph, random):
    """Nodes and edges in any order give the same cycles."""
    nodes = list(graph)
    random.shuffle(nodes)
    assert cycles({node: sorted(graph[node], reverse=True) for node in nodes}) == cycles(graph)


@pytest.mark.slow
def test_a_node_may_wait_for_itself_and_long_chains_are_no_trouble():
    """A cycle of one; a cycle of 20,000."""
    assert cycles({"a": ["a"], "b": ["a"]}) == [["a"]]
    size = 20_000
    (long,) = cycles({at: [(at + 1) % size] for at in range(size)})
    assert long == list(range(size))
