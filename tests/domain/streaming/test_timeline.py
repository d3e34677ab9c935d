"""The timeline: what is released, and in which order, for any interleaving of partitions."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming.timeline import Release, Timeline
from domain.streaming.windows import WINDOW_START, Closed
from schemas.errors import RecoveryError

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


def present(histories: dict[str, list[Closed]]) -> dict[str, pl.DataFrame]:
    """At an end of input: what each partition holds of windows that are not final in it; all of value 2 by then."""
    frames = {}
    for name, steps in histories.items():
        final = max((c.final_until for c in steps), default=0)
        given = [start for c in steps for start in c.on_time[WINDOW_START] if start >= final]
        frames[name] = frame(name, given, 2)
    return frames


def told(releases: list[Release]) -> list[Told]:
    return [
        (r.stage, r.window_start, tuple(sorted(row for part in r.partials.values() for row in part.rows())))
        for r in releases
    ]


def finish(timeline: Timeline, known: dict[str, pl.DataFrame]) -> list[Told]:
    """All partitions end: what is given of windows that are not final."""
    for name, frame_ in known.items():
        releases, stragglers = timeline.ended(name, frame_)
        assert (releases, stragglers) == ([], [])
    return told(timeline.end())


def restarted(timeline: Timeline) -> Timeline:
    data, timeline = timeline.snapshot(), Timeline(timeline._progress, WINDOW, LATENESS)
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


@settings(max_examples=150, deadline=None)
@given(partitions, orders, orders, st.booleans())
@pytest.mark.slow
def test_releases_do_not_depend_on_how_partitions_interleave(specs, one, other, restart):
    """Any order in which the partitions' results arrive, with restarts between, gives the same releases in order."""
    histories = {name: history(name, *spec) for name, spec in specs.items()}
    first, a = play(histories, one)
    second, b = play(histories, other, restart=restart)
    assert first == second
    assert finish(a, present(histories)) == finish(b, present(histories))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(partitions, orders)
def test_every_partial_is_released_once_in_order_of_its_time(specs, order):
    """On time at a window's end, final at its end plus lateness; finals first; nothing lost, nothing twice."""
    histories = {name: history(name, *spec) for name, spec in specs.items()}
    out, _ = play(histories, order)
    due = [(start + WINDOW + (LATENESS if stage == "final" else 0), stage != "final", start) for stage, start, _ in out]
    assert due == sorted(set(due))
    for stage in ("on_time", "final"):
        given_rows = [row for steps in histories.values() for c in steps for row in getattr(c, stage).rows()]
        horizon = min(max((getattr(c, f"{stage}_until") for c in steps), default=0) for steps in histories.values())
        given_rows = [row for row in given_rows if row[0] + WINDOW <= horizon]
        assert sorted(row for s, _, rows in out if s == stage for row in rows) == sorted(given_rows)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(partitions, orders, st.integers(0, 30))
def test_an_end_gives_what_is_known_of_all_that_is_not_final_and_changes_nothing_final(specs, order, cut):
    """Finals and partials at an end are all there is of each partition; what comes after is that of no end at all.

    On time it may be newer: what was told at the end does not fall back behind it.
    """
    histories = {name: history(name, *spec) for name, spec in specs.items()}
    expected, _ = play(histories, order)
    begun = {name: steps[: sum(n == name for n in order[:cut])] for name, steps in histories.items()}
    out, timeline = play(begun, order[:cut])
    ended = finish(timeline, present(begun))
    finals = [row for s, _, rows in out if s == "final" for row in rows]
    known = [row for steps in begun.values() for c in steps for row in c.final.rows()]
    known += [row for part in present(begun).values() for row in part.rows()]
    assert sorted(finals + [row for _, _, rows in ended for row in rows]) == sorted(known)
    assert [(s, start) for s, start, _ in ended] == sorted({("on_time", row[0]) for row in known if row not in finals})
    again = finish(timeline, present(begun))
    assert again == ended
    timeline = restarted(timeline)
    before = len(out)
    for name in "abc":
        for step in histories[name][len(begun[name]) :]:
            out += told(timeline.advance(name, step)[0])
    assert [row for row in out if row[0] == "final"] == [row for row in expected if row[0] == "final"]
    on_time = {start: rows for s, start, rows in out if s == "on_time"}
    assert {start: [row[:2] for row in rows] for start, rows in on_time.items()} == {
        start: [row[:2] for row in rows] for s, start, rows in expected if s == "on_time"
    }
    later = [row for s, _, rows in out[before:] if s == "on_time" for row in rows]
    passed = {name: max((c.on_time_until for c in steps), default=0) for name, steps in begun.items()}
    assert all(value == (2 if start + WINDOW <= passed[name] else 1) for start, name, value in later)


def standing(name: str, steps: list[Closed]) -> pl.DataFrame:
    return present({name: steps})[name]


actions = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["move", "move", "idle"])), max_size=40)


@settings(max_examples=500, deadline=None)
@given(partitions, actions)
@pytest.mark.slow
def test_silent_partitions_lose_nothing_and_repeat_nothing(specs, steps):
    """Whoever falls silent and comes back: windows rise at each stage, and finals are released or handed back, once.

    A window that was released without a partition is never released on time again; the partition's rows come with
    its final result, or back as stragglers.
    """
    left = {name: history(name, *spec) for name, spec in specs.items()}
    begun: dict[str, list[Closed]] = {name: [] for name in left}
    timeline = Timeline("abc", WINDOW, LATENESS)
    out: list[Told] = []
    back: list[tuple[object, ...]] = []
    expected: list[tuple[object, ...]] = []
    for name, action in steps:
        if action == "idle":
            releases, stragglers = timeline.idle(name, standing(name, begun[name]))
        elif left[name]:
            step = left[name].pop(0)
            begun[name].append(step)
            expected += step.final.rows()
            releases, stragglers = timeline.advance(name, step)
        else:
            continue
        out += told(releases)
        back += [row for part in stragglers for row in part.rows()]
        timeline = restarted(timeline)
    for stage in ("on_time", "final"):
        starts = [start for s, start, _ in out if s == stage]
        assert starts == sorted(set(starts)), stage
    final_at = {start: at for at, (s, start, _) in enumerate(out) if s == "final"}
    assert all(at < final_at.get(start, len(out)) for at, (s, start, _) in enumerate(out) if s == "on_time")
    expected += [row for name in "abc" for row in standing(name, begun[name]).rows()]
    for name in "abc":
        rest = Closed(10_000, 10_000, frame(name, [], 0), standing(name, begun[name]))
        releases, stragglers = timeline.advance(name, rest)
        out += told(releases)
        back += [row for part in stragglers for row in part.rows()]
    finals = [row for s, _, rows in out if s == "final" for row in rows]
    assert sorted(finals + back) == sorted(expected)


def test_what_a_silent_partition_has_is_released_with_the_others_and_not_again():
    """Idle b lets a go on, and its rows stand; when b closes them, what it adds to a final window comes back."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    assert timeline.advance("a", Closed(50, 20, frame("a", [0, 40], 1), frame("a", [0], 2)))[0] == []
    releases, stragglers = timeline.idle("b", frame("b", [0, 10, 30], 2))
    assert told(releases) == [
        ("on_time", 0, ((0, "a", 1), (0, "b", 2))),
        ("on_time", 10, ((10, "b", 2),)),
        ("final", 0, ((0, "a", 2), (0, "b", 2))),
        ("on_time", 30, ((30, "b", 2),)),
        ("final", 10, ((10, "b", 2),)),
        ("on_time", 40, ((40, "a", 1),)),
    ]
    assert stragglers == []
    assert timeline.idle("b", frame("b", [0, 10, 30], 2)) == ([], [])
    closed = Closed(50, 40, frame("b", [], 1), pl.concat([frame("b", [0, 30], 2), frame("b", [10], 5)]))
    releases, stragglers = restarted(timeline).advance("b", closed)
    assert releases == []
    assert [part.rows() for part in stragglers] == [[(10, "b", 5)]]


def test_a_silent_partition_that_is_behind_gets_its_rows_back_once():
    """Rows read after their window was final elsewhere: told when the partition falls silent, not again at its end."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    timeline.idle("b", frame("b", [], 1))
    timeline.advance("a", Closed(50, 20, frame("a", [0], 1), frame("a", [0], 2)))
    _, stragglers = timeline.idle("b", frame("b", [10], 1))
    assert [part.rows() for part in stragglers] == [[(10, "b", 1)]]
    assert restarted(timeline).ended("b", frame("b", [10], 1)) == ([], [])


@pytest.mark.parametrize("resumed", [False, True])
def test_whether_a_partition_was_silent_before_it_ended_makes_no_difference(resumed):
    """Nor whether there was a restart since: it is waited for where it ended, and others that are silent are not."""
    timeline = Timeline(["x/0", "x/1"], WINDOW, LATENESS)
    timeline.advance("x/1", Closed(30, 30, frame("x/1", [], 1), frame("x/1", [0, 20], 1)))
    for name in ("x/1", "x/0"):
        timeline.idle(name, frame(name, [], 1))
    timeline.advance("x/0", Closed(10, 10, frame("x/0", [], 1), frame("x/0", [0], 2)))
    timeline.ended("x/1", frame("x/1", [], 1))
    if resumed:
        timeline = restarted(timeline)
        timeline.ended("x/1", frame("x/1", [], 1))
    released, _ = timeline.idle("x/0", frame("x/0", [10], 2))
    assert [start for stage, start, _ in told(released) if stage == "final"] == [10, 20]


def test_while_ends_are_said_again_after_a_restart_nobody_silent_is_passed_over():
    """One by one: before the last of them others of its stream seem to go on."""
    timeline = Timeline(["x/0", "x/1", "y/0"], WINDOW, 0, to_the_last=True)
    for name, until in (("x/0", 30), ("x/1", 40), ("y/0", 10)):
        timeline.advance(name, Closed(until, until, frame(name, [], 1), frame(name, [0, 10], 1)))
    for name in ("x/0", "x/1"):
        assert timeline.ended(name, frame(name, [], 1)) == ([], [])
    assert timeline.idle("y/0", frame("y/0", [10], 1)) == ([], [])
    stored = timeline.snapshot()
    timeline = Timeline(["x/0", "x/1", "y/0"], WINDOW, 0, to_the_last=True)
    timeline.restore(stored)
    for name in ("x/0", "x/1"):
        assert timeline.ended(name, frame(name, [], 1)) == ([], [])
    released, _ = timeline.advance("y/0", Closed(20, 20, frame("y/0", [], 1), frame("y/0", [10], 2)))
    assert [start for stage, start, _ in told(released) if stage == "final"] == [10]


@pytest.mark.parametrize("to_the_last", [False, True])
def test_a_partition_that_is_there_no_more_keeps_nobody_back(to_the_last):
    """Its source was taken out of the settings; what it had told before is released with the others' rows."""
    timeline = Timeline(["x/0", "y/0"], WINDOW, 0, to_the_last=to_the_last)
    timeline.advance("x/0", Closed(30, 30, frame("x/0", [], 1), frame("x/0", [0, 20], 1)))
    timeline.advance("y/0", Closed(10, 10, frame("y/0", [], 1), frame("y/0", [0], 2)))
    timeline.advance("y/0", Closed(20, 20, frame("y/0", [], 1), frame("y/0", [10], 2)))
    stored = timeline.snapshot()
    timeline = Timeline(["x/0"], WINDOW, 0, to_the_last=to_the_last)
    timeline.restore(stored)
    released, _ = timeline.advance("x/0", Closed(40, 40, frame("x/0", [], 1), frame("x/0", [30], 1)))
    assert [release.window_start for release in released] == [20, 30]
    released, _ = timeline.ended("x/0", frame("x/0", [40], 1))
    assert [release.window_start for release in released + timeline.end()] == [40]


def test_a_silent_partition_is_waited_for_after_a_restart():
    """While nobody read, all went on: what came to it must not be passed over as the others catch up first."""
    timeline = Timeline(["x/0", "x/1"], WINDOW, 0)
    for name in ("x/0", "x/1"):
        timeline.advance(name, Closed(10, 10, frame(name, [], 1), frame(name, [0], 1)))
    timeline.idle("x/1", frame("x/1", [], 1))
    released, _ = timeline.advance("x/0", Closed(20, 20, frame("x/0", [], 1), frame("x/0", [10], 1)))
    assert [release.window_start for release in released] == [10]
    stored = timeline.snapshot()
    timeline = Timeline(["x/0", "x/1"], WINDOW, 0)
    timeline.restore(stored)
    backlog = Closed(40, 40, frame("x/0", [], 1), frame("x/0", [20, 30], 1))
    assert timeline.advance("x/0", backlog) == ([], [])
    late = Closed(30, 30, frame("x/1", [], 1), frame("x/1", [20], 1))
    released, stragglers = timeline.advance("x/1", late)
    assert [(release.window_start, [*release.partials]) for release in released] == [(20, ["x/0", "x/1"])]
    assert stragglers == []
    released, _ = timeline.idle("x/1", frame("x/1", [], 1))
    assert [release.window_start for release in released] == [30]


def test_sums_that_grow_again_are_handed_back_once_a_window():
    """Each time a partition falls silent it has more of the same window: that is told the first time."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    timeline.idle("b", frame("b", [], 1))
    timeline.advance("a", Closed(50, 20, frame("a", [0], 1), frame("a", [0, 10], 2)))
    told_of = []
    for rows in ([10], [10, 10], [0, 10, 10]):
        timeline = restarted(timeline)
        told_of += [part.rows()[0][0] for part in timeline.idle("b", frame("b", rows, 1))[1]]
    assert told_of == [10, 0]
    final = frame("b", [0, 0, 10], 3)
    _, stragglers = restarted(timeline).advance("b", Closed(40, 20, final.clear(), final))
    assert stragglers == []


streams = st.fixed_dictionaries({name: st.tuples(moves, st.sets(st.integers(0, 60))) for name in ("x/0", "x/1", "y/0")})


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    streams,
    st.permutations(["x/0"] * 6 + ["x/1"] * 6 + ["y/0"] * 6),
    st.permutations(["x/0", "x/1", "y/0"]),
    st.booleans(),
)
def test_streams_that_end_at_different_moments_end_alike(specs, order, ends, to_the_last):
    """Whichever of two streams ends first, and in which order its partitions do, the same is released."""

    def whole(sequence: list[str], last: list[str]) -> tuple[list[Told], list[Told]]:
        histories = {name: history(name, *spec) for name, spec in specs.items()}
        left = {name: list(steps) for name, steps in histories.items()}
        timeline, out = Timeline(specs, WINDOW, LATENESS, to_the_last=to_the_last), []
        for name in [*sequence, *(n for n in last for _ in range(12))]:
            if left[name]:
                out += told(timeline.advance(name, left[name].pop(0))[0])
            if not left[name] and sequence is order:
                out += told(timeline.ended(name, standing(name, histories[name]))[0])
        for name in last:
            out += told(timeline.ended(name, standing(name, histories[name]))[0])
        return out, told(timeline.end())

    assert whole(order, ends) == whole([], sorted(specs))


def test_an_end_can_go_as_far_as_the_partition_that_came_furthest():
    """With an empty partition and one that ended early, what the others have is final at the end, in order."""
    timeline = Timeline(["x/0", "x/1", "x/2"], WINDOW, 0, to_the_last=True)
    timeline.advance("x/0", Closed(50, 50, frame("x/0", [], 1), frame("x/0", [0, 30], 1)))
    timeline.advance("x/1", Closed(20, 20, frame("x/1", [], 1), frame("x/1", [10], 1)))
    for name, known in (("x/0", [50]), ("x/1", [20])):
        assert timeline.ended(name, frame(name, known, 1)) == ([], [])
    releases, stragglers = timeline.ended("x/2", frame("x/2", [], 1))
    assert [start for _, start, _ in told(releases)] == [0, 10, 20, 30]
    assert stragglers == []
    assert [start for _, start, _ in told(timeline.end())] == [50]
    _, stragglers = restarted(timeline).advance("x/2", Closed(40, 40, frame("x/2", [], 1), frame("x/2", [10], 1)))
    assert [part.rows() for part in stragglers] == [[(10, "x/2", 1)]]


def test_a_partition_that_has_ended_keeps_nobody_back():
    """While another goes on, and at the end; what it had not closed is released with the other's rows."""
    timeline = Timeline(["topic/0", "topic/1"], WINDOW, 0, to_the_last=True)
    timeline.advance("topic/0", Closed(10, 10, frame("topic/0", [], 1), frame("topic/0", [0], 1)))
    assert timeline.ended("topic/0", frame("topic/0", [10], 1)) == ([], [])
    last = Closed(30, 30, frame("topic/1", [], 1), frame("topic/1", [0, 10, 20], 1))
    releases, _ = timeline.advance("topic/1", last)
    assert [(start, len(parts)) for _, start, parts in told(releases)] == [(0, 2), (10, 2), (20, 1)]
    assert timeline.ended("topic/1", frame("topic/1", [], 1)) == ([], [])


def test_a_partition_behind_at_an_end_does_not_take_back_what_was_told():
    """A window told at the end comes on time when all are past it, with the late rows that the end told of."""
    timeline = Timeline("ab", WINDOW, LATENESS)
    timeline.advance("a", Closed(70, 40, frame("a", [60], 1), frame("a", [], 2)))
    timeline.advance("b", Closed(30, 0, frame("b", [20], 1), frame("b", [], 2)))
    known = {"a": frame("a", [50, 60], 2), "b": frame("b", [20, 60], 2)}
    assert finish(timeline, known) == [
        ("on_time", 20, ((20, "b", 2),)),
        ("on_time", 50, ((50, "a", 2),)),
        ("on_time", 60, ((60, "a", 2), (60, "b", 2))),
    ]
    releases, stragglers = restarted(timeline).advance(
        "b", Closed(100, 70, frame("b", [60, 90], 3), frame("b", [20, 60], 3))
    )
    assert told(releases) == [
        ("final", 20, ((20, "b", 3),)),
        ("on_time", 50, ((50, "a", 2),)),
        ("on_time", 60, ((60, "a", 2), (60, "b", 3))),
    ]
    assert stragglers == []


def test_a_state_of_another_version_is_refused():
    """A snapshot that this code cannot read stops the flow with the fix."""
    with pytest.raises(RecoveryError, match="version 1"):
        Timeline("ab", WINDOW, LATENESS).restore(b"\x81\xa7version\x01")
