"""The timeline: what is released, and in which order, for any interleaving of partitions."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.timeline import Release, Timeline
from domain.streaming.windows import WINDOW_START, Closed

WINDOW, LATENESS = 10, 25
SCHEMA = {WINDOW_START: pl.Int64, "partition": pl.String, "value": pl.Int64}

Told = tuple[str, int, tuple[tuple[object, ...], ...]]


def frame(partition: str, starts: list[int], value: int) -> pl.DataFrame:
    return pl.DataFrame([(s, partition, value) for s in starts], schema=SCHEMA, orient="row")


def floor(time: int) -> int:
    return time - time % WINDOW


def history(partition: str, moves: list[int], busy: set[int]) -> list[Closed]:
    """What a partition closes while its watermark moves on; only windows in `busy` have rows."""
    steps, time = [], 0
    on_time = final = 0
    for move in moves:
        time += move
        due, done = floor(time), max(0, floor(time - LATENESS))
        starts = [s for s in range(on_time, due, WINDOW) if s // WINDOW in busy]
        ended = [s for s in range(final, done, WINDOW) if s // WINDOW in busy]
        if due > on_time or done > final:
            steps.append(Closed(due, done, frame(partition, starts, 1), frame(partition, ended, 2)))
        on_time, final = due, done
    return steps


def told(releases: list[Release]) -> list[Told]:
    return [
        (r.stage, r.window_start, tuple(sorted(row for part in r.partials for row in part.rows()))) for r in releases
    ]


def restarted(timeline: Timeline) -> Timeline:
    data, timeline = timeline.snapshot(), Timeline("abc", WINDOW, LATENESS)
    timeline.restore(data)
    return timeline


def play(histories: dict[str, list[Closed]], order: list[str], *, restart: bool = False) -> tuple[list[Told], Timeline]:
    """Hand the steps over in the given order of partitions, then all that are left, and what was released."""
    left = {name: list(steps) for name, steps in histories.items()}
    timeline, out = Timeline("abc", WINDOW, LATENESS), []
    for name in [*order, *(n for n, steps in left.items() for _ in steps)]:
        if not left[name]:
            continue
        if restart:
            timeline = restarted(timeline)
        releases, stragglers = timeline.advance(name, left[name].pop(0))
        assert not stragglers
        out += told(releases)
    return out, timeline


moves = st.lists(st.sampled_from([0, 1, 3, 9, 10, 11, 25, 70]), min_size=1, max_size=12)
partitions = st.fixed_dictionaries({name: st.tuples(moves, st.sets(st.integers(0, 60))) for name in "abc"})
orders = st.lists(st.sampled_from("abc"), max_size=30)


@settings(max_examples=300, deadline=None)
@given(partitions, orders, orders, st.booleans())
def test_releases_do_not_depend_on_how_partitions_interleave(specs, one, other, restart):
    """Any order in which the partitions' results arrive, with restarts between, gives the same releases in order."""
    histories = {name: history(name, *spec) for name, spec in specs.items()}
    first, a = play(histories, one)
    second, b = play(histories, other, restart=restart)
    assert first == second
    assert told(a.end()) == told(b.end())


@settings(max_examples=300, deadline=None)
@given(partitions, orders)
def test_every_partial_is_released_once_in_order_of_its_time(specs, order):
    """On time at a window's end, final at its end plus lateness; finals first; nothing lost, nothing twice."""
    histories = {name: history(name, *spec) for name, spec in specs.items()}
    out, timeline = play(histories, order)
    due = [(start + WINDOW + (LATENESS if stage == "final" else 0), stage != "final", start) for stage, start, _ in out]
    assert due == sorted(set(due))
    out += told(timeline.end())
    for stage in ("on_time", "final"):
        given_rows = [row for steps in histories.values() for c in steps for row in getattr(c, stage).rows()]
        horizon = min(max((c.final_until for c in steps), default=0) for steps in histories.values())
        if stage == "final":
            given_rows = [row for row in given_rows if row[0] + WINDOW <= horizon]
        assert sorted(row for s, _, rows in out if s == stage for row in rows) == sorted(given_rows)


actions = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["move", "move", "idle", "end"])), max_size=40)


@settings(max_examples=500, deadline=None)
@given(partitions, actions)
def test_idle_partitions_and_ends_lose_nothing_and_repeat_nothing(specs, steps):
    """Whoever falls silent or ends and comes back: windows rise at each stage, and finals are released or handed back.

    A window that was released without a partition is never released on time again; the partition's rows come
    with its final result, or back as stragglers.
    """
    left = {name: history(name, *spec) for name, spec in specs.items()}
    timeline = Timeline("abc", WINDOW, LATENESS)
    out: list[Told] = []
    back: list[tuple[object, ...]] = []
    expected: list[tuple[object, ...]] = []
    for name, action in steps:
        if action == "idle":
            out += told(timeline.idle(name))
        elif action == "end":
            out += told(timeline.end())
        elif left[name]:
            step = left[name].pop(0)
            expected += step.final.rows()
            releases, stragglers = timeline.advance(name, step)
            out += told(releases)
            back += [row for part in stragglers for row in part.rows()]
        timeline = restarted(timeline)
    for stage in ("on_time", "final"):
        starts = [start for s, start, _ in out if s == stage]
        assert starts == sorted(set(starts)), stage
    final_at = {start: at for at, (s, start, _) in enumerate(out) if s == "final"}
    assert all(at < final_at.get(start, len(out)) for at, (s, start, _) in enumerate(out) if s == "on_time")
    for name in "abc":
        out += told(timeline.advance(name, Closed(10_000, 10_000, frame(name, [], 0), frame(name, [], 0)))[0])
    finals = [row for s, _, rows in out if s == "final" for row in rows]
    assert sorted(finals + back) == sorted(expected)


def test_silent_partition_holds_nobody_back_until_it_speaks():
    """Idle b lets a go on; when b speaks, what was final without it comes back, the rest joins in."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    assert timeline.advance("a", Closed(50, 20, frame("a", [0, 40], 1), frame("a", [0], 2)))[0] == []
    assert [(s, w) for s, w, _ in told(timeline.idle("b"))] == [("on_time", 0), ("final", 0), ("on_time", 40)]
    releases, stragglers = timeline.advance("b", Closed(50, 40, frame("b", [0, 30], 1), frame("b", [0, 30], 2)))
    assert releases == []
    assert [part.rows() for part in stragglers] == [[(0, "b", 2)]]
    releases, _ = timeline.advance("a", Closed(60, 40, frame("a", [], 1), frame("a", [], 2)))
    assert told(releases) == [("final", 30, ((30, "b", 2),))]


def test_one_who_comes_after_an_end_does_not_repeat_a_window():
    """A partition behind the others at an end of input adds its rows to final results, not to a second first one."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    timeline.advance("a", Closed(70, 40, frame("a", [60], 1), frame("a", [], 2)))
    timeline.advance("b", Closed(30, 0, frame("b", [20], 1), frame("b", [], 2)))
    assert told(timeline.end()) == [("on_time", 60, ((60, "a", 1),))]
    releases, stragglers = timeline.advance("b", Closed(100, 70, frame("b", [60, 90], 1), frame("b", [20, 60], 2)))
    assert told(releases) == [("final", 20, ((20, "b", 2),))]
    assert stragglers == []
    releases, _ = timeline.advance("a", Closed(100, 70, frame("a", [], 1), frame("a", [60], 2)))
    assert told(releases) == [
        ("final", 60, ((60, "a", 2), (60, "b", 2))),
        ("on_time", 90, ((90, "b", 1),)),
    ]
