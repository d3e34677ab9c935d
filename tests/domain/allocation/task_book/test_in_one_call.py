"""Time passes within a call as it does between calls: holds end, what ended is forgotten, the silent are dropped."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from domain.allocation.task_book import TaskBook
from tests.domain.allocation.task_book.lives import (
    CONFIG,
    DAY,
    END,
    HOLD,
    HOUR,
    MINUTE,
    SECOND,
    book_of,
    life,
    rows,
    state_of,
)

BEGUN = "created queued assigned started"
"""Of which no step is missing, so that another `queued` or `assigned` leads backwards."""
NAMED = pl.DataFrame({"site": ["north"], "task": ["u"]})
OTHERS = [life("created", task=f"o{minute}", at=minute * MINUTE) for minute in (11, 22, 33, 44, 55)]
"""Steps that let time pass, up to some minutes before what matters."""


def resumed(book, config=CONFIG) -> TaskBook:
    """A book that goes on from what another stored."""
    taken = TaskBook(config)
    taken.restore(book.snapshot())
    return taken


@pytest.mark.parametrize("restart", [False, True])
def test_a_hold_that_is_over_stays_over(restart):
    """A step that would have made it possible comes too late, in the same call or the first one after a restart."""
    early = life(f"{BEGUN} queued")
    late = pl.concat([life("created", task="o", at=HOLD + SECOND), life("failed", at=HOLD + 5 * SECOND)])
    if restart:
        book, _ = book_of(early, until=MINUTE)
        book = resumed(book)
        booked = book.advance(late, END)
    else:
        book, booked = book_of(early, late)
    assert (state_of(book), booked.refused["code"].to_list()) == ("failed", ["task.backwards"])


def test_what_ended_is_forgotten_to_the_microsecond():
    """Though other tasks have just been heard of."""
    config = replace(CONFIG, memory_us=HOUR)
    told = [life("done", at=MINUTE), *OTHERS]
    for at, codes in ((MINUTE + HOUR, ["task.after_done"]), (MINUTE + HOUR + 1, [])):
        _, booked = book_of(*told, life("created", at=at), config=config)
        assert booked.refused["code"].to_list() == codes


def test_who_was_silent_for_too_long_counts_anew():
    """As above: it was dropped before it is heard of again."""
    config = replace(CONFIG, silent_us=HOUR)
    told = [life("created", at=MINUTE), *OTHERS]
    for at, dropped in ((MINUTE + HOUR, 0), (MINUTE + HOUR + 1, 1)):
        _, booked = book_of(*told, life("assigned", at=at), config=config, until=at + 1)
        assert booked.dropped.height == dropped


def test_held_steps_are_taken_one_after_the_other():
    """Each makes the next possible; a task has its state since that was so, not since the fast clock."""
    book, booked = book_of(life(f"{BEGUN} queued assigned failed", robot="r1"))
    task = book.open().row(0, named=True)
    assert (task["state"], task["robot"], booked.refused.height) == ("assigned", "r1", 0)
    book, _ = book_of(life(f"{BEGUN} queued failed", gap=MINUTE))
    assert book.open()["since_us"].to_list() == [5 * MINUTE]


def test_a_held_step_keeps_its_details_over_a_restart():
    """They are taken with it."""
    book, _ = book_of(life(BEGUN, gap=1), life("queued", at=5, due_us=9), until=MINUTE)
    book = resumed(book)
    book.advance(life("failed", at=MINUTE), END)
    assert book.open()["due_us"].to_list() == [9]


def test_of_two_held_steps_that_say_the_same_the_first_is_taken():
    """The other fills no gap and changes nothing."""
    held = [life("queued", at=at, zone=zone) for at, zone in ((5, "y"), (6, "x"))]
    book, booked = book_of(life(BEGUN, gap=1), *held, life("failed", at=7))
    assert book.open().select("zone", "state").rows() == [("y", "queued")]
    assert booked.refused.height == 0


def test_a_held_step_is_refused_after_the_end_of_its_task():
    """It was not possible, and nothing can make it so."""
    book, booked = book_of(life(f"{BEGUN} assigned done"))
    assert (state_of(book), booked.refused["code"].to_list()) == ("done", ["task.backwards"])


def test_a_row_that_comes_twice_is_refused_once():
    """Byte for byte the same."""
    told = life("created queued created")
    _, booked = book_of(told, told[-1:])
    assert booked.refused.height == 1


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("by", ["dropped", "told anew"])
def test_what_nobody_waits_for_any_longer_is_forgotten(by, restart):
    """The dependency of a task that was dropped, or is told to depend on another; of one that waits it is known."""
    config = replace(CONFIG, memory_us=HOUR, silent_us=2 * DAY)
    book, _ = book_of(life("done", task="u"), life("created", at=1, depends_on=["u"]), until=MINUTE, config=config)
    book = resumed(book, config) if restart else book
    book.advance(rows(), DAY)
    assert book.outcomes(NAMED).height == 1
    if by == "dropped":
        book.advance(rows(), 3 * DAY)
    else:
        book.advance(life("queued", at=DAY, depends_on=["v"]), DAY + 1)
    book.advance(rows(), 4 * DAY)
    assert book.outcomes(NAMED).height == 0


def test_a_task_that_goes_on_has_no_outcome():
    """Only those that failed, or ended."""
    book, _ = book_of(life("created", task="u"))
    assert book.outcomes(NAMED).height == 0
