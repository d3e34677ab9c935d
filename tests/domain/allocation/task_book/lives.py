"""Rows of task steps, and what a book makes of them."""

from __future__ import annotations

import polars as pl

from domain.allocation.task_book import BookConfig, Booked, TaskBook
from domain.allocation.task_tables import STEP_SCHEMA

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
HOLD = 10 * MINUTE
DAY = 24 * HOUR
END = 1_000 * DAY
CONFIG = BookConfig(hold_us=HOLD, silent_us=END, memory_us=END)


def rows(*said):
    """Rows of dicts; what is not said is as usual."""
    usual = {"site": "north", "zone": "z", "task": "t", "work_micro": 2_000_000, "priority": 3}
    data = [{**dict.fromkeys(STEP_SCHEMA), **usual, "_identity": 1_000 + n, **one} for n, one in enumerate(said)]
    return pl.DataFrame(data, schema=STEP_SCHEMA)


def life(steps, *, gap=SECOND, at=0, robot=None, **values):
    """Steps of one task, one after the other; one robot for those that have one, or a list of robots."""
    names = steps.split()
    if not isinstance(robot, list):
        robot = [robot if name in ("assigned", "started") else None for name in names]
    said = [
        {"transition": name, "at_us": at + n * gap, "robot": robot[n], "_identity": at + 50 - n, **values}
        for n, name in enumerate(names)
    ]
    return rows(*said)


def book_of(*parts, until=END, config=CONFIG) -> tuple[TaskBook, Booked]:
    """A book that was given all parts at once, and what came of it."""
    book = TaskBook(config)
    return book, book.advance(pl.concat(parts), until)


def state_of(book, task="t"):
    """State of a task of site north: open, failed, or ended."""
    found = book.open().filter(task=task)
    found = found if found.height else book.outcomes(pl.DataFrame({"site": ["north"], "task": [task]}))
    return found["state"].item()
