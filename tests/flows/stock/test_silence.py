"""Streams that are silent, have ended or come back: nobody waits for them, and nothing of theirs is lost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from flows.wiring import place

from .lanes import NOWHERE
from .site import DAY_S, HOUR_S, START, text
from .step_flow import Lane, StockFlow

MOVES: tuple[Lane, Lane] = (("inventory.move", "0"), ("inventory.move", "1"))
HOURS = 26
"""More than a day."""


def move(name: str, units: float, time_s: float, **values: Any) -> bytes:
    """Units of a SKU that are moved at a time."""
    row = {"event_id": name, "site": "north", "sku": "bolt", "location": "pick", "quantity": units, "uom": "each"}
    row |= {"reason": "adjust", "document": name, "line": "1", "record_time": text(time_s), "event_time": text(time_s)}
    return json.dumps(row | values).encode()


def count(name: str, units: float, time_s: float) -> bytes:
    """A count, reported at once."""
    row = {"event_id": name, "site": "north", "sku": "bolt", "location": "pick", "quantity": units, "uom": "each"}
    row |= {"as_of": text(time_s), "document": "sheet", "counted_by": "jo", "event_time": text(time_s)}
    return json.dumps(row).encode()


def booked(flow: StockFlow) -> dict[str, Decimal]:
    """On hand that each move changed, of those whose windows are final."""
    moves = flow.newest("stock_move")
    return dict(moves.select("event_id", "on_hand").iter_rows())


def final(flow: StockFlow) -> set[str]:
    return set(flow.table("stock_move").filter("final")["event_id"])


@pytest.mark.slow
@pytest.mark.parametrize("how", [StockFlow.go_silent, StockFlow.end])
def test_streams_without_news_hold_nobody_back(how):
    """Whether they are silent or have ended, windows of the others become final, and days are estimated."""
    flow = StockFlow(NOWHERE)
    busy = MOVES[0]
    for lane in flow.lanes:
        if lane not in MOVES:
            how(flow, lane)
    flow.go_silent(MOVES[1])
    for hour in range(HOURS):
        flow.read(busy, [move(f"m{hour}", 1, hour * HOUR_S)])
    assert final(flow) == {f"m{hour}" for hour in range(HOURS - 1)}


def test_nothing_is_final_while_a_lane_may_still_speak():
    """Without silence and without an end, what others have waits."""
    flow = StockFlow(NOWHERE)
    for lane in flow.lanes:
        if lane not in MOVES:
            flow.end(lane)
    for hour in range(HOURS):
        flow.read(MOVES[0], [move(f"m{hour}", 1, hour * HOUR_S)])
    assert final(flow) == set()
    flow.read(MOVES[1], [move("other", 1, (HOURS - 1) * HOUR_S)])
    assert final(flow) == {f"m{hour}" for hour in range(HOURS - 1)}


@pytest.mark.slow
@pytest.mark.parametrize("restart", [False, True])
def test_rows_of_a_lane_that_comes_back_are_booked(restart):
    """A paper that is the first of its lane for a day is late, behind what is final: it is booked all the same."""
    flow = StockFlow(NOWHERE)
    for lane in flow.lanes:
        if lane not in MOVES:
            flow.go_silent(lane)
    flow.read(MOVES[1], [move("before", 10, HOUR_S, sku="nut")])
    flow.go_silent(MOVES[1])
    for hour in range(HOURS):
        flow.read(MOVES[0], [move(f"m{hour}", 1, hour * HOUR_S)])
    flow.read(MOVES[1], [move("paper", 5, 2 * HOUR_S, sku="nut"), move("again", 1, (HOURS + 1) * HOUR_S, sku="nut")])
    if restart:
        flow.resume()
        for lane in flow.lanes:
            if lane not in MOVES:  # who was silent before is waited for until it is again
                flow.go_silent(lane)
    flow.read(MOVES[0], [move("go-on", 1, 3 * DAY_S)])
    flow.read(MOVES[1], [move("go-on-too", 1, 3 * DAY_S, sku="nut")])
    paper = flow.table("stock_move").filter(event_id="paper").row(0, named=True)
    assert (paper["on_hand"], paper["final"]) == (5, True)
    happened, took_place = ((paper[name] - START).total_seconds() for name in ("event_time", "booked_time"))
    assert happened == 2 * HOUR_S
    assert took_place >= (HOURS - 2) * HOUR_S
    nuts = flow.newest("stock_position").filter(sku="nut").sort("window_end")["on_hand"].to_list()
    assert nuts[-1] == 16
    assert flow.table("signal")["kind"].to_list() == ["partition_returned"]


def test_rows_of_one_moment_that_come_back_one_by_one_are_told_one_by_one():
    """A window of a silent lane is final; two rows of the same microsecond come into it, with silence between."""
    flow = StockFlow(NOWHERE)
    for lane in flow.lanes:
        if lane != MOVES[0]:
            flow.go_silent(lane)
    flow.read(MOVES[0], [move("a", 1, HOUR_S), move("b", 1, 5 * HOUR_S)])
    for name in ("paper", "another"):
        flow.read(MOVES[1], [move(name, 1, HOUR_S, sku="nut")])
        flow.go_silent(MOVES[1])
    told = flow.table("signal").filter(kind="partition_returned")
    assert told["subject"].to_list() == [f"all:stock/{place(*MOVES[1])}/{offset}" for offset in (0, 1)]


def item(name: str, time_s: float) -> bytes:
    """An item of another SKU, told again."""
    row = {"event_id": name, "sku": "heartbeat", "category": "none", "uom": "each", "abc": "C", "unit_cost": 0.0}
    row |= {"pack": 1.0, "minimum_order": 0.0, "lead_time_mean_d": 0.0, "lead_time_sd_d": 0.0, "review_d": 1.0}
    return json.dumps(row | {"service_level": 0.95, "event_time": text(time_s)}).encode()


def test_time_passes_by_events_of_any_stream():
    """The last count before a quiet time is looked at again with the second event behind its grace, of any kind."""
    flow = StockFlow(NOWHERE, partitions=["0"])
    items, counts, moves = ("item", "0"), ("inventory.count", "0"), ("inventory.move", "0")
    flow.read(moves, [move("opening", 10, 0, reason="opening")])
    flow.read(counts, [count("short", 7, HOUR_S)])
    for lane in flow.lanes:
        if lane != items:
            flow.go_silent(lane)
    due_s = DAY_S + 2 * HOUR_S
    looks = []
    for beat in range(3):
        flow.read(items, [item(f"beat-{beat}", due_s + beat * HOUR_S)])
        looks.append(flow.table("reconciliation").filter(stage="final").height)
    assert looks == [0, 1, 1]
    assert flow.table("adjustment")["status"].to_list() == ["proposed"]
