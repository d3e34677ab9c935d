"""What the book says is a function of the rows: not of their order, of repetitions, cuts into calls, or restarts."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.allocation.lifecycle import REFUSALS, STEPS
from domain.allocation.task_book import BookConfig, TaskBook
from domain.allocation.task_tables import COUNTS, DROPPED
from domain.streaming.parts import Part
from tests.domain.allocation.task_book.lives import HOLD, MINUTE, book_of, life, rows, state_of

WINDOW = 10
LAST = 120
SHORT = BookConfig(hold_us=7, memory_us=25, silent_us=31, limit=4)

_step = st.fixed_dictionaries(
    {
        "task": st.sampled_from("uvwxyz"),
        "zone": st.sampled_from("pq"),
        "transition": st.sampled_from(STEPS),
        "at_us": st.integers(0, LAST - 1),
        "robot": st.sampled_from([None, "a", "b"]),
        "work_micro": st.integers(0, 3),
        "depends_on": st.one_of(st.none(), st.lists(st.sampled_from("uvwxyz"), max_size=2)),
        "due_us": st.one_of(st.none(), st.integers(0, 9)),
    }
)
_steps = st.lists(_step, max_size=40).map(lambda said: rows(*said))


def _stored(book, config):
    """A book with the state of another, as it comes back from the store."""

    state = msgspec.msgpack.encode(
        book.snapshot(), enc_hook=lambda one: msgspec.msgpack.Ext(1, one.read()) if isinstance(one, Part) else one
    )
    new = TaskBook(config)
    new.restore(msgspec.msgpack.decode(state, ext_hook=lambda _, data: Part(bytes(data))))
    return new


def _told(book, said):
    """All that a book says and has said, in an order of its own."""
    flows = pl.concat([one.flows for one in said]).group_by("site", "zone").sum().sort("site", "zone")
    refused = pl.concat([one.refused for one in said]).sort("_identity", "code")
    dropped = pl.concat([one.dropped for one in said]).sort("dropped_us", "task", "heard_us")
    named = pl.DataFrame({"site": "north", "task": list("uvwxyz")})
    some = pl.any_horizontal(pl.exclude("site", "zone") != 0)
    return [book.open(), book.done(), book.backlog(), book.outcomes(named), flows.filter(some), refused, dropped]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(_steps, st.data())
def test_order_repetition_cuts_and_restarts_change_nothing(steps, data):
    """Final windows come in order; how many in a call, and in which order their rows, is chance."""
    book = TaskBook(SHORT)
    expected = _told(book, [book.advance(steps, LAST)])
    cuts = sorted(data.draw(st.sets(st.integers(1, LAST // WINDOW - 1))) | {0, LAST // WINDOW})
    book, said = TaskBook(SHORT), []
    for begin, end in pairwise(cuts):
        part = steps.filter(pl.col("at_us").is_between(begin * WINDOW, end * WINDOW, closed="left"))
        places = data.draw(st.permutations(range(part.height)))
        again = data.draw(st.lists(st.sampled_from(range(part.height)), max_size=3)) if part.height else []
        said.append(book.advance(part[[*places, *again]], end * WINDOW))
        if data.draw(st.booleans()):
            book = _stored(book, SHORT)
    for one, other in zip(_told(book, said), expected, strict=True):
        assert one.equals(other), (one, other)


@settings(deadline=None, max_examples=50)
@given(_steps)
def test_what_came_less_what_went_is_the_backlog(steps):
    """Of each zone, in tasks and in work, after each window; every row that is not taken is refused with a code."""
    book, total = TaskBook(SHORT), {}
    for begin in range(0, LAST, WINDOW):
        part = steps.filter(pl.col("at_us").is_between(begin, begin + WINDOW, closed="left"))
        booked = book.advance(part, begin + WINDOW)
        assert set(booked.refused["code"]) <= set(REFUSALS)
        assert set(booked.dropped["reason"]) <= set(DROPPED)
        for row in booked.flows.iter_rows(named=True):
            known = total.setdefault(row["zone"], dict.fromkeys(("tasks", "work_micro"), 0))
            for name in COUNTS:
                sign = {"created": 1, "moved": 1, "found": 0}.get(name, -1)
                known["tasks"] += sign * row[name]
                known["work_micro"] += sign * row[f"{name}_micro"]
        left = {zone: (k["tasks"], k["work_micro"]) for zone, k in total.items() if k["tasks"]}
        assert {zone: (n, work) for _, zone, n, work in book.backlog().iter_rows()} == left
        assert all(k["work_micro"] == 0 for k in total.values() if not k["tasks"])


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5), st.data())
def test_a_life_without_failure_may_come_in_any_order_within_the_grace(length, data):
    """Two systems' clocks differ: the task is where it got furthest, and nothing is refused."""
    names = ["created", "queued", "assigned", "started", "done"][:length]
    told = data.draw(st.permutations(names))
    book, booked = book_of(life(" ".join(told), robot="a" if length > 2 else None, gap=MINUTE))
    assert state_of(book) == names[-1]
    assert booked.refused.height == 0


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_true_life_of_which_steps_are_lost_is_never_refused(data):
    """Its state is that of the last step that came. Only a lost `failed` is missed: work begun is not just queued."""
    steps, robots = ["created", "queued"], [None, None]
    for robot in data.draw(st.lists(st.sampled_from("ab"), max_size=4)):
        for name in ("assigned", "started", "failed", "queued"):
            steps.append(name)
            robots.append(robot if name in ("assigned", "started") else None)
    steps, robots = [*steps, "assigned", "started", "done"], [*robots, "c", "c", None]
    lost = data.draw(st.sets(st.sampled_from([n for n, name in enumerate(steps[:-1]) if name != "failed"])))
    kept = [n for n in range(data.draw(st.integers(2, len(steps)))) if n not in lost] or [0]
    told = life(" ".join(steps[n] for n in kept), robot=[robots[n] for n in kept], gap=HOLD + 1)
    book, booked = book_of(told)
    assert booked.refused.height == 0
    assert state_of(book) == steps[kept[-1]]
