"""Task graphs: which dependencies hold a task up, which do not exist, which go round in a circle."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class _Name(Hashable, Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


N = TypeVar("N", bound=_Name)


def cycles(waits_for: Mapping[N, Collection[N]]) -> list[list[N]]:
    """One cycle of every knot of nodes that wait for each other; each node waits for the next, the last for the first.

    A cycle starts with its smallest node; cycles are sorted. They do not depend on the order of nodes or edges. What
    is waited for and waits for nothing itself need not be a key.

    >>> cycles({"pack": ["pick"], "pick": ["find"], "find": ["pack"], "load": ["pack"]})
    [['find', 'pack', 'pick']]
    """
    return sorted(_cycle(knot, waits_for) for knot in knots(waits_for))


def knots(waits_for: Mapping[N, Collection[N]]) -> list[list[N]]:
    """Largest sets of nodes each of which waits for every other, maybe by way of others; sorted, as are their nodes."""
    nodes = sorted(waits_for)
    number = {node: at for at, node in enumerate(nodes)}
    edges = [(number[a], number[b]) for a in nodes for b in set(waits_for[a]) if b in number]
    if not edges:
        return []
    start, end = np.array(edges).T
    graph = coo_array((np.ones(start.size, dtype=bool), (start, end)), shape=(len(nodes), len(nodes)))
    _, label = connected_components(graph, directed=True, connection="strong")
    size = np.bincount(label)
    alone = {a for a, b in edges if a == b}
    found: dict[int, list[N]] = {}
    for at, node in enumerate(nodes):
        if size[label[at]] > 1 or at in alone:
            found.setdefault(int(label[at]), []).append(node)
    return sorted(found.values())


def _cycle(knot: list[N], waits_for: Mapping[N, Collection[N]]) -> list[N]:
    inside = set(knot)
    sorter: TopologicalSorter[N] = TopologicalSorter()
    for node in knot:
        sorter.add(node, *sorted(inside.intersection(waits_for[node])))
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[N] = error.args[1][:0:-1]
        first = cycle.index(min(cycle))
        return cycle[first:] + cycle[:first]
    raise AssertionError(f"no cycle in the knot {knot}")
