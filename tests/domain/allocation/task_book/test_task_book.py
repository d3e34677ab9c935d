"""What the book counts, remembers, forgets and tells."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from domain.allocation.task_book import TaskBook
from domain.allocation.task_tables import BACKLOG_SCHEMA, COUNTS, DROPPED_SCHEMA, FLOW_SCHEMA, OPEN_SCHEMA
from schemas.errors import RecoveryError
from tests.domain.allocation.task_book.lives import CONFIG, DAY, END, HOUR, MINUTE, book_of, life, rows, state_of


def _flows(booked):
    """What is not zero, by zone and name."""
    return {
        (row["zone"], name): value
        for row in booked.flows.to_dicts()
        for name, value in row.items()
        if name not in ("site", "zone") and value
    }


def test_work_of_a_task_counts_once():
    """When it is first heard of, and when it ends, however often it is tried."""
    told = life("created queued assigned started failed queued assigned started done done", work_micro=5)
    _, booked = book_of(told)
    assert _flows(booked) == {("z", "created"): 1, ("z", "created_micro"): 5, ("z", "done"): 1, ("z", "done_micro"): 5}
    _, booked = book_of(life("cancelled", work_micro=5))
    assert _flows(booked)["z", "cancelled_micro"] == _flows(booked)["z", "created_micro"] == 5


def test_a_task_that_changes_zone_moves_its_backlog():
    """And a task found to be larger adds to it; it ends where it is."""
    book, booked = book_of(life("created", zone="p", work_micro=5), life("queued", zone="q", work_micro=7, at=1))
    assert _flows(booked) == {
        ("p", "created"): 1,
        ("p", "created_micro"): 5,
        ("p", "moved"): -1,
        ("p", "moved_micro"): -5,
        ("q", "moved"): 1,
        ("q", "moved_micro"): 7,
    }
    assert book.backlog().rows() == [("north", "q", 1, 7)]


def test_a_task_told_to_be_larger_where_it_is_adds_to_its_zone():
    """Without a move."""
    book, booked = book_of(life("created", work_micro=5), life("queued", work_micro=7, at=1))
    assert _flows(booked) == {("z", "created"): 1, ("z", "created_micro"): 5, ("z", "moved_micro"): 2}
    assert book.backlog().rows() == [("north", "z", 1, 7)]


@pytest.mark.parametrize(("step", "found"), [("created", 0), ("queued", 0), ("assigned", 1), ("done", 1)])
def test_what_a_robot_had_already_when_it_was_first_heard_of_is_found(step, found):
    """It did not arrive just then."""
    _, booked = book_of(life(step))
    assert _flows(booked).get(("z", "found"), 0) == found


def test_failed_tasks_are_backlog_and_nobody_can_be_given_them():
    """Until they are queued again."""
    book, _ = book_of(life("started failed", robot="a"))
    assert book.backlog()["tasks"].to_list() == [1]
    assert book.open().height == 0
    assert book.outcomes(pl.DataFrame({"site": ["north"], "task": ["t"]}))["state"].to_list() == ["failed"]


def test_frames_have_their_schemas_even_when_empty():
    """So that who joins them needs no case of its own."""
    for told in ([], [life("created", at=0)]):
        book, booked = book_of(rows(), *told)
        assert book.open().schema == pl.Schema(OPEN_SCHEMA)
        assert book.backlog().schema == pl.Schema(BACKLOG_SCHEMA)
        assert booked.flows.schema == pl.Schema(FLOW_SCHEMA)
        assert booked.dropped.schema == pl.Schema(DROPPED_SCHEMA)
        assert booked.refused.columns == [*rows().columns, "code"]


def test_the_last_word_counts_and_nothing_said_is_no_word():
    """Details are told once or again; the first time a task was heard of stays."""
    told = rows(
        {"transition": "created", "at_us": 1, "due_us": 9, "requires": ["lift"], "x": 1.0, "depends_on": ["u"]},
        {"transition": "queued", "at_us": 2, "priority": 7, "due_us": 8, "y": 2.0},
    )
    book, _ = book_of(told)
    task = book.open().row(0, named=True)
    assert (task["created_us"], task["since_us"], task["priority"], task["due_us"]) == (1, 2, 7, 8)
    assert (task["requires"], task["depends_on"], task["x"], task["y"]) == (["lift"], ["u"], 1.0, 2.0)


def test_details_told_with_a_tardy_step_are_taken():
    """`created` says most and may come last; it is older than what follows."""
    told = rows(
        {"transition": "queued", "at_us": 1, "zone": "q"},
        {"transition": "created", "at_us": 2, "zone": "p", "due_us": 9},
    )
    book, _ = book_of(told)
    task = book.open().row(0, named=True)
    assert (task["zone"], task["due_us"], task["created_us"]) == ("q", 9, 1)


def test_a_dependency_is_known_to_be_done_as_long_as_it_is_needed():
    """Even when it is older than the book remembers; others are forgotten."""
    config = replace(CONFIG, memory_us=HOUR)
    told = [life("done", task="u"), life("done", task="v"), life("cancelled", task="w")]
    needs = life("created", at=MINUTE, depends_on=["u", "w", "never"])
    also = life("created", task="s", at=2 * MINUTE - 1, depends_on=["u"])
    book, _ = book_of(*told, needs, also, until=2 * MINUTE, config=config)
    assert book.done().rows() == [("north", "u")]
    book.advance(rows(), 2 * DAY)
    assert book.done().rows() == [("north", "u")]
    named = pl.DataFrame({"site": "north", "task": ["u", "v", "w"]})
    assert book.outcomes(named)["task"].to_list() == ["u"]
    book.advance(life("cancelled", task="s", at=3 * DAY), 4 * DAY)
    assert book.done().rows() == [("north", "u")]
    book.advance(life("cancelled", at=5 * DAY), 6 * DAY)
    assert book.done().height == book.outcomes(named).height == 0


def test_nobody_comes_to_life_again_within_memory():
    """Afterwards a name may be used again."""
    config = replace(CONFIG, memory_us=HOUR)
    told = life("created queued assigned started done")
    ended = told["at_us"][-1]
    _, booked = book_of(told, life("created", at=ended + HOUR), config=config)
    assert booked.refused["code"].to_list() == ["task.after_done"]
    book, _ = book_of(told, until=ended + HOUR, config=config)
    restored = TaskBook(config)
    restored.restore(book.snapshot())
    again = restored.advance(life("created", at=ended + HOUR), END)
    assert again.refused["code"].to_list() == ["task.after_done"]
    _, booked = book_of(told, life("created", at=ended + HOUR + 1), config=config)
    assert _flows(booked)["z", "created"] == 2


def test_a_task_that_nothing_is_heard_of_is_dropped_and_told():
    """Never silently: the row says when it was last heard of; should it be heard of again, it counts anew."""
    config = replace(CONFIG, silent_us=HOUR)
    book, booked = book_of(life("created queued", gap=MINUTE), until=MINUTE + HOUR, config=config)
    assert booked.dropped.height == 0
    booked = book.advance(rows(), MINUTE + HOUR + 1)
    assert booked.dropped.select("task", "state", "heard_us", "dropped_us", "reason").rows() == [
        ("t", "queued", MINUTE, MINUTE + HOUR, "silent")
    ]
    assert _flows(booked) == {("z", "dropped"): 1, ("z", "dropped_micro"): 2_000_000}
    assert book.backlog().height == 0
    assert _flows(book.advance(life("assigned", at=3 * HOUR), END))["z", "created"] == 1


def test_of_too_many_open_tasks_the_one_unheard_of_for_longest_is_dropped():
    """And told, with the reason."""
    config = replace(CONFIG, limit=2)
    told = [life("created", task=name, at=at) for at, name in enumerate("uvw")]
    book, booked = book_of(*told, life("queued", task="u", at=1), config=config)
    assert booked.dropped.select("task", "reason").rows() == [("v", "crowded")]
    assert book.open()["task"].to_list() == ["u", "w"]


def test_of_too_many_ended_tasks_the_oldest_is_forgotten():
    """Also after a restart."""
    config = replace(CONFIG, limit=2)
    book, _ = book_of(*[life("done", task=name, at=at) for at, name in enumerate("uvw")], config=config)
    restored = TaskBook(config)
    restored.restore(book.snapshot())
    for one in (book, restored):
        named = pl.DataFrame({"site": "north", "task": list("uvw")})
        assert one.outcomes(named)["task"].to_list() == ["v", "w"]
        one.advance(life("done", task="u", at=END), END + 1)
        assert one.outcomes(named)["task"].to_list() == ["u", "w"]


def test_refused_rows_come_back_with_all_their_columns():
    """Those held over calls and restarts, too, so that they can be quarantined with their origin."""
    told = life("created queued created").with_columns(offset=pl.Series([7, 8, 9]))
    book = TaskBook(CONFIG)
    book.advance(told, MINUTE)
    restored = TaskBook(CONFIG)
    restored.restore(book.snapshot())
    refused = restored.advance(told.clear(), END).refused
    assert refused.select("offset", "code").rows() == [(9, "task.backwards")]


def test_sites_do_not_share_tasks():
    """A task's name is unique per site only."""
    book, _ = book_of(life("started"), life("created", site="south"))
    assert book.open().select("site", "state").rows() == [("north", "started"), ("south", "created")]
    assert book.backlog().select(pl.col("tasks").sum()).item() == 2


def test_a_robot_that_is_not_named_again_still_has_the_task():
    """Until it is queued; and who ended it is known."""
    book, _ = book_of(life("assigned started", robot=["a", None]))
    assert book.open()["robot"].to_list() == ["a"]
    book.advance(life("done", at=HOUR), END)
    assert book.outcomes(pl.DataFrame({"site": ["north"], "task": ["t"]})).row(0)[2:4] == ("done", "a")


def test_state_of_another_version_is_refused():
    """Never guessed at."""
    book, _ = book_of(life("created"))
    with pytest.raises(RecoveryError, match="task book"):
        TaskBook().restore({**book.snapshot(), "version": 0})
    assert state_of(book) == "created"
    assert set(FLOW_SCHEMA) >= set(COUNTS)


def test_a_book_that_nothing_was_told_can_be_saved_and_taken_up():
    book = TaskBook()
    book.restore(TaskBook().snapshot())
    assert book.open().is_empty()
