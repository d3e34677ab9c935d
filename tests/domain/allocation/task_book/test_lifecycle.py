"""Which steps are taken: those of the book of states, and what real fleets send beside."""

from __future__ import annotations

import pytest

from domain.allocation.lifecycle import REFUSALS
from tests.domain.allocation.task_book.lives import HOLD, MINUTE, book_of, life, state_of

LIVES = [
    ("created queued assigned started done", "done"),
    ("created queued assigned started failed queued assigned started done", "done"),
    ("created cancelled", "cancelled"),
    ("failed cancelled", "cancelled"),
    ("created assigned", "assigned"),
    ("queued started", "started"),
    ("created done", "done"),
    ("created failed queued", "queued"),
    ("failed assigned", "assigned"),
    ("queued assigned queued", "queued"),
    ("failed queued assigned queued", "queued"),
    *((step, step) for step in ("created", "queued", "assigned", "started", "done", "failed", "cancelled")),
]


@pytest.mark.parametrize(("steps", "state"), LIVES)
def test_a_life_goes_on(steps, state):
    """From wherever it was first heard of, and over steps that nobody told."""
    book, booked = book_of(life(steps))
    assert state_of(book) == state
    assert booked.refused.height == 0


@pytest.mark.parametrize("step", ["created", "queued", "assigned", "started", "failed"])
@pytest.mark.parametrize("end", ["done", "cancelled"])
def test_nothing_follows_on_an_end(end, step):
    """It is refused at once, as nothing can make it possible."""
    rows = life(f"created queued assigned started failed queued assigned started {end} {step}")
    book, booked = book_of(rows, until=rows["at_us"][-1] + 1)
    assert booked.refused["code"].to_list() == [f"task.after_{end}"]
    assert booked.refused["code"][0] in REFUSALS
    assert state_of(book) == end


@pytest.mark.parametrize(("end", "other"), [("done", "cancelled"), ("cancelled", "done")])
def test_an_end_stays(end, other):
    """What was done cannot be cancelled, nor the reverse; said again it does no harm."""
    book, booked = book_of(life(f"created {end} {end} {other}"))
    assert booked.refused["code"].to_list() == [f"task.after_{end}"]
    assert state_of(book) == end


@pytest.mark.parametrize(
    "steps", ["created queued created", "created queued assigned started queued", "created queued failed created"]
)
def test_a_step_backwards_is_refused_after_the_grace(steps):
    """Until then a step that makes it possible may come."""
    rows = life(steps)
    last = rows["at_us"][-1]
    book, booked = book_of(rows, until=last + HOLD)
    assert booked.refused.height == 0
    booked = book.advance(rows.clear(), last + HOLD + 1)
    assert booked.refused["code"].to_list() == ["task.backwards"]
    assert booked.refused.drop("code").equals(rows[-1:])


def test_a_step_is_taken_when_another_makes_it_possible():
    """The second `assigned` was stamped by a clock that is fast: it is taken after failed and queued."""
    book, booked = book_of(life("created queued assigned started assigned failed queued", robot="r1"))
    assert state_of(book) == "assigned"
    assert book.open()["robot"].to_list() == ["r1"]
    assert booked.refused.height == 0


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ("queued created", "queued"),
        ("created assigned queued", "assigned"),
        ("created queued assigned done started", "done"),
        ("created queued assigned failed started", "failed"),
    ],
)
def test_a_tardy_step_fills_a_gap(steps, state):
    """Two systems with two clocks: what was passed over and is told after all changes nothing and is not refused."""
    book, booked = book_of(life(steps, gap=MINUTE))
    assert state_of(book) == state
    assert booked.refused.height == 0


def test_a_gap_is_filled_once_and_only_within_the_grace():
    """Told again, or after it, the step leads backwards."""
    for steps in ("created assigned created", "assigned created created"):
        _, booked = book_of(life(steps))
        assert booked.refused.height == 1
    _, booked = book_of(life("created done started", gap=HOLD))
    assert booked.refused.height == 0
    _, booked = book_of(life("assigned created", gap=HOLD + 1))
    assert booked.refused.height == 1
    _, booked = book_of(life("created done started", gap=HOLD + 1))
    assert booked.refused["code"].to_list() == ["task.after_done"]


def test_a_task_changes_hands():
    """Another robot is given it, starts it, takes it over; each has it since then."""
    rows = life("queued assigned assigned started assigned started", robot=[None, "a", "b", "b", "c", "c"])
    for n, (state, robot) in enumerate([("assigned", "b"), ("started", "b"), ("assigned", "c"), ("started", "c")], 3):
        book, booked = book_of(rows[:n])
        task = book.open().row(0, named=True)
        assert (task["state"], task["robot"], task["since_us"]) == (state, robot, rows["at_us"][n - 1])
        assert booked.refused.height == 0


def test_a_start_by_another_robot_than_the_one_assigned_passes_over_its_order():
    """So its order may be told after it."""
    book, booked = book_of(life("assigned started assigned", robot=["a", "b", "b"], gap=MINUTE))
    assert (state_of(book), booked.refused.height) == ("started", 0)


def test_whoever_failed_has_it_no_longer():
    """Nor when it is queued again."""
    for steps in ("assigned started failed", "assigned started failed queued", "queued assigned queued"):
        book, _ = book_of(life(steps, robot="a"))
        assert book.open()["robot"].to_list() in ([], [None])


def test_steps_of_one_instant_are_taken_in_the_order_of_a_life():
    """Whatever their identities: a fleet that fails a task and gives it out anew says all at once."""
    book, booked = book_of(life("started assigned queued created", gap=0))
    assert (state_of(book), booked.refused.height) == ("started", 0)
    again = life("assigned queued failed", gap=0, at=HOLD)
    book, booked = book_of(life("started"), again)
    assert (state_of(book), booked.refused.height) == ("assigned", 0)


@pytest.mark.parametrize(
    ("steps", "robots"),
    [
        ("queued assigned started assigned", ["", "a", "a", ""]),
        ("queued started assigned started assigned", ["", "a", "b", "b", "b"]),
        ("assigned assigned started assigned", ["a", "b", "b", "b"]),
    ],
)
def test_who_had_the_task_before_does_not_take_it_over_from_himself(steps, robots):
    """Nor does nobody: an order said again after the start, of which nothing was missed, leads backwards."""
    book, booked = book_of(life(steps, robot=[robot or None for robot in robots]))
    assert booked.refused["code"].to_list() == ["task.backwards"]
    assert state_of(book) == "started"


def test_a_robot_that_is_named_before_it_was_told_does_not_have_the_task():
    """Some fleets say beforehand who will get it."""
    book, _ = book_of(life("created", robot=["a"]))
    assert book.open()["robot"].to_list() == [None]


@pytest.mark.parametrize(("gap", "codes"), [(HOLD, []), (HOLD + 1, ["task.backwards"])])
def test_a_gap_may_be_filled_as_long_as_a_step_backwards_is_held(gap, codes):
    """To the microsecond."""
    _, booked = book_of(life("queued created", gap=gap))
    assert booked.refused["code"].to_list() == codes
