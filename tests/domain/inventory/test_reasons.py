"""Reasons: what each move does to stock, as a storekeeper would say it."""

from __future__ import annotations

import pytest

from domain.inventory.ledger import Ledger
from domain.inventory.reasons import BALANCES, POSITION, REASONS
from tests.domain.inventory.moves import WINDOW, frame, move


def balances(*steps: tuple[str, int], location: str = "A1") -> dict[str, int]:
    """Balances, in units, at a location after moves at A1 of (reason, units); destinations are B2."""
    ledger = Ledger(WINDOW, 48 * WINDOW)
    rows = [move(i, i, reason=r, quantity=u * 1_000, to_location="B2") for i, (r, u) in enumerate(steps)]
    last = ledger.post(frame(rows)).balances.filter(location=location)
    return {name: last[name][-1] // 1_000 for name in (*BALANCES, "position") if last[name][-1]}


@pytest.mark.parametrize("reason", ["opening", "return", "scrap", "adjust", "sale"])
def test_simple_reasons_change_on_hand_only(reason):
    assert balances((reason, -3)) == {"on_hand": -3, "position": -3}


def test_an_order_that_is_received_turns_to_stock():
    """The position counts what is on order, so it does not change when that comes."""
    assert balances(("order", 10)) == {"on_order": 10, "position": 10}
    assert balances(("order", 10), ("receipt", 6)) == {"on_hand": 6, "on_order": 4, "position": 10}


def test_what_is_allocated_and_picked_is_neither_there_nor_promised():
    assert balances(("opening", 10), ("allocate", 4)) == {"on_hand": 10, "allocated": 4, "position": 6}
    assert balances(("opening", 10), ("allocate", 4), ("pick", -4)) == {"on_hand": 6, "position": 6}


def test_backorders_lower_the_position():
    assert balances(("backorder", 2)) == {"backorder": 2, "position": -2}


def test_a_transfer_is_in_transit_to_its_destination():
    """It leaves where it was, and is nowhere on hand until it comes in."""
    steps = ("opening", 10), ("transfer_out", -3)
    assert balances(*steps) == {"on_hand": 7, "position": 7}
    assert balances(*steps, location="B2") == {"in_transit": 3, "position": 3}


def test_a_transfer_that_comes_in_is_on_hand():
    ledger = Ledger(WINDOW, 48 * WINDOW)
    out = move(1, 1, reason="transfer_out", quantity=-3_000, to_location="B2")
    posted = ledger.post(frame([out, move(2, 2, reason="transfer_in", quantity=3_000, location="B2")]))
    there = posted.balances.filter(location="B2")
    assert there.select(BALANCES).rows() == [(3_000, 0, 0, 0, 0)]


def test_a_relocation_keeps_the_sum_on_hand():
    assert balances(("opening", 10), ("relocate", -4)) == {"on_hand": 6, "position": 6}
    assert balances(("opening", 10), ("relocate", -4), location="B2") == {"on_hand": 4, "position": 4}


def test_every_coefficient_is_one_way_or_the_other():
    """The packing into one byte holds -1, 0 and 1 only."""
    effects = [c for e in REASONS.values() for c in (e.here, e.there or {})]
    assert all(abs(value) == 1 and name in BALANCES for c in effects for name, value in c.items())
    assert tuple(POSITION) == BALANCES
