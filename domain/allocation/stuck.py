"""Tasks that will not get on by themselves: circles of dependencies, deadlocks through robots, starvation.

Deadlock: a task waits for those it depends on; one that a robot has, for those that the robot was given before, a
started one before all; one that no robot has, until any robot that could do it is free. What can be finished is worked
out from the tasks that wait for nothing. Among the rest, what waits for itself by way of robots is a deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from domain.allocation.candidates import HELD, Fit, Graph
from domain.allocation.config import AllocationConfig
from domain.allocation.graph import cycles
from domain.allocation.problem import US_PER_S

Row = tuple[str, list[str], list[str], str]
"""Kind, tasks, robots, reason."""

Node = tuple[str, str]
"""A task or a robot, and its name."""

TASK: Final = "task"
ROBOT: Final = "robot"


def held_in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Tasks that robots have, in the order in which each robot does them."""
    held = rows.filter(pl.col("state").is_in(HELD), pl.col("robot").is_not_null())
    return held.sort("robot", pl.col("state") != "started", "since_us", "task", nulls_last=True)


def deadlocks(tasks: Graph, fits: Fit, robots: pl.DataFrame) -> tuple[list[Row], frozenset[str]]:
    """Deadlocks of a site, and the robots that have a part in one."""
    waits = _waits_for(tasks, fits, robots["robot"].to_list())
    stuck = _unfinished(waits, {(TASK, task) for task in tasks.circular} | {(TASK, task) for task in tasks.missing})
    among = {
        node: [one for one in every if one in stuck] + (choice if stuck.issuperset(choice) else [])
        for node in stuck
        if node[1] not in tasks.circular or node[0] == ROBOT
        for every, choice in [waits[node]]
    }
    rows: list[Row] = []
    for cycle in cycles(among):
        has = dict(tasks.rows.filter(pl.col("state").is_in(HELD)).select("task", "robot").iter_rows())
        named = _from_first_task(cycle)
        members = [name for kind, name in named if kind == TASK]
        involved = {name for kind, name in named if kind == ROBOT} | {has[t] for t in members if has.get(t)}
        rows.append(("deadlock", members, sorted(involved), _told(named)))
    return rows, frozenset(robot for row in rows for robot in row[2])


def _waits_for(tasks: Graph, fits: Fit, robots: list[str]) -> dict[Node, tuple[list[Node], list[Node]]]:
    """What each node waits for: all of the first, any one of the second."""
    found: dict[Node, tuple[list[Node], list[Node]]] = {}
    depends = {task: [(TASK, one) for one in left] for task, left in tasks.open_dependencies.items()}
    for robot, group in held_in_order(tasks.rows).group_by("robot", maintain_order=True):
        names = list(group.select("task", "state", "since_us").iter_rows())
        found[ROBOT, str(robot[0])] = ([(TASK, name) for name, _, _ in names], [])
        for name, _, _ in names:
            found[TASK, name] = (list(depends.get(name, [])), [])
        for before, after in _order(names):
            found[TASK, after][0].append((TASK, before))
    free = {
        kind: [(ROBOT, robots[at]) for at in np.flatnonzero(row) if (ROBOT, robots[at]) in found] if row.any() else []
        for kind, row in enumerate(fits.capable)
    }
    idle = [any((ROBOT, robots[at]) not in found for at in np.flatnonzero(row)) for row in fits.capable]
    for task, kind in fits.kind.items():
        found[TASK, task] = (list(depends.get(task, [])), [] if idle[kind] else free[kind])
    return found


def _order(held: list[tuple[str, str, int | None]]) -> Iterator[tuple[str, str]]:
    """Pairs of tasks of a robot of which the first must be done before the second."""
    started = [name for name, state, _ in held if state == "started"]
    given = [name for name, state, since in held if state != "started" and since is not None]
    loose = [name for name, state, since in held if state != "started" and since is None]
    yield from ((before, after) for before in started for after in (*given[:1], *loose))
    yield from pairwise(given)


def _unfinished(waits: dict[Node, tuple[list[Node], list[Node]]], never: set[Node]) -> set[Node]:
    """Nodes that never come to an end: those given, and what waits for them."""
    needs = {node: len(every) + bool(choice) for node, (every, choice) in waits.items()}
    waiting: dict[Node, list[tuple[Node, bool]]] = {}
    for node, (every, choice) in waits.items():
        for one in every:
            waiting.setdefault(one, []).append((node, False))
        for one in choice:
            waiting.setdefault(one, []).append((node, True))
    done: set[Node] = set()
    chosen: set[Node] = set()
    ready = [node for node, count in needs.items() if count == 0 and node not in never]
    while ready:
        node = ready.pop()
        done.add(node)
        for after, any_one in waiting.get(node, ()):
            if any_one and after in chosen:
                continue
            if any_one:
                chosen.add(after)
            needs[after] -= 1
            if needs[after] == 0 and after not in never:
                ready.append(after)
    return set(waits) - done


def _from_first_task(cycle: list[Node]) -> list[Node]:
    first = cycle.index(min(node for node in cycle if node[0] == TASK))
    return cycle[first:] + cycle[:first]


def _told(cycle: list[Node]) -> str:
    says = [
        f"{'robot ' if kind == ROBOT else ''}{name} waits for {'robot ' if to == ROBOT else ''}{other}"
        for (kind, name), (to, other) in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    ]
    return ", ".join(says) + "."


def told_cycles(tasks: Graph) -> Iterator[Row]:
    """Circles of dependencies."""
    for cycle in tasks.cycles:
        yield "cycle", cycle, [], " depends on ".join([*cycle, cycle[0]]) + "."


def told_missing(tasks: Graph) -> Iterator[Row]:
    """Dependencies that do not exist, each with the tasks that wait for it."""
    waiting: dict[str, list[str]] = {}
    for task, missing in tasks.missing.items():
        for one in missing:
            waiting.setdefault(one, []).append(task)
    for one in sorted(waiting):
        yield "missing", sorted(waiting[one]), [], f"{one} is neither open nor done."


def told_unservable(waiting: pl.DataFrame) -> Iterator[Row]:
    """Tasks that no robot can do, by what is lacking."""
    rows = waiting.filter(pl.col("code") == "unservable").group_by("detail").agg(pl.col("task").sort()).sort("detail")
    for detail, names in rows.iter_rows():
        yield "unservable", names, [], f"{detail[0].upper()}{detail[1:]}."


def told_starved(rows: pl.DataFrame, now_us: int, config: AllocationConfig) -> Iterator[Row]:
    """Of tasks of a site that could be done, those that have waited too long, by themselves or beside their class."""
    age = (now_us - pl.col("created_us")) / US_PER_S
    aged = rows.select("task", "priority", age=age).with_columns(
        median=pl.col("age").median().over("priority"), peers=pl.len().over("priority")
    )
    long = pl.col("age") > config.starved_s
    beside = (
        (pl.col("peers") >= config.starved_peers)
        & (pl.col("age") > config.starved_least_s)
        & (pl.col("age") > config.starved_factor * pl.col("median"))
    )
    for task, priority, waited, median, peers, by_itself in (
        aged.filter(long | beside)
        .sort("task")
        .select("task", "priority", "age", "median", "peers", long.alias("long"))
        .iter_rows()
    ):
        limit = (
            f"longer than {config.starved_s:.0f} s"
            if by_itself
            else (
                f"more than {config.starved_factor:g} times the median of {median:.0f} s of {peers} tasks of "
                f"priority {priority}"
            )
        )
        yield "starvation", [task], [], f"{task} has waited {waited:.0f} s, {limit}."


def told(rows: Iterable[Row], site: str) -> list[tuple[str, str, list[str], list[str], str]]:
    """Rows of STUCK_SCHEMA, sorted."""
    return [(site, *row) for row in sorted(rows, key=lambda row: row[:2])]
