"""Decisions come back on the control stream: each proposal is decided once, and booked once if it is accepted."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from .lanes import read_at_once
from .site import LOST, UNITS
from .step_flow import StockFlow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stock read at once")]

PER = {"each": 1, "dozen": 12, "l": 1000}
PLACE = ("site", "sku", "location")


@pytest.fixture(scope="module")
def flow() -> StockFlow:
    """Everything, read at once."""
    return read_at_once()


def statuses(flow: StockFlow, place: str) -> list[tuple[str, str | None]]:
    """What proposals for a place came to by decision of a person, in order of time."""
    rows = flow.table("adjustment").filter(pl.concat_str(PLACE, separator="/") == place).sort("event_time", "status")
    by_people = rows.filter(pl.col("by").is_not_null())
    return by_people.select("status", "decision").rows()


def adjusts(flow: StockFlow, place: str) -> list[Decimal]:
    moves = flow.newest("stock_move").filter(pl.col("reason") == "adjust", pl.col("on_hand") != 0)
    return moves.filter(pl.concat_str(PLACE, separator="/") == place).sort("booked_time")["on_hand"].to_list()


def test_an_accepted_proposal_is_booked_once_and_undone_once(flow):
    """Whatever is decided again, also late and by others, changes nothing."""
    assert statuses(flow, "north/bolt/pick") == [
        ("accepted", "north/bolt/pick-yes"),
        ("reversed", "north/bolt/pick-undo"),
    ]
    assert adjusts(flow, "north/bolt/pick") == [Decimal(-25), Decimal(25)]


def test_a_late_acceptance_is_booked_when_it_comes(flow):
    """A decision five hours late takes its place behind what had come by then."""
    assert statuses(flow, "north/oil/pick") == [("accepted", "north/oil/pick-yes")]
    assert adjusts(flow, "north/oil/pick") == [Decimal(-20_000)]


def test_rejected_replaced_and_expired_proposals_are_never_booked(flow):
    """A decision about one of them is refused."""
    assert statuses(flow, "south/nut/pick") == [("rejected", "south/nut/pick-no")]
    assert statuses(flow, "south/bolt/bulk") == []
    assert adjusts(flow, "south/nut/pick") == adjusts(flow, "south/bolt/bulk") == []


def test_losses_are_found_where_they_were(flow):
    """What is proposed first for each place is what was lost, or found, there; nothing is proposed anywhere else."""
    proposed = flow.table("adjustment").filter(status="proposed").sort("event_time")
    first = proposed.group_by(PLACE, maintain_order=True).first()
    expected = {key: Decimal(-lost * PER[UNITS[key[1]]]) for key, (_, lost) in LOST.items()}
    assert {(s, k, at): q for s, k, at, q in first.select(*PLACE, "quantity").iter_rows()} == expected


def test_a_statement_opens_a_book_and_then_is_counted(flow):
    """The first statement of a place opens it, as of its time; the others are held against the book."""
    deep = flow.newest("stock_move").filter(location="deep")
    assert deep.select("reason", "document", "on_hand").rows() == [("opening", "statement-1", Decimal(50_000))]
    looks = flow.table("reconciliation").filter(location="deep").sort("event_id", "stage")
    assert looks.filter(stage="final").select("event_id", "class").rows() == [
        ("statement-3", "ok"),
        ("statement-5", "shrinkage"),
    ]
