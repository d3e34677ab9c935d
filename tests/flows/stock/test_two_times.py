"""Late moves are booked, with the time they happened and the time they took their place: sums as of both."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

import polars as pl
import pytest

from .lanes import complete, identity, lanes_of, read_at_once
from .site import BASE, DAY_S, DEDUPE_S, HOUR_S, START, UNITS, site
from .step_flow import SETTINGS, Lane, StockFlow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stock read at once")]

PLACES = ["site", "sku", "location"]


@pytest.fixture(scope="module")
def flow() -> StockFlow:
    """Everything, read at once."""
    return read_at_once()


def time_of(raw: bytes) -> datetime:
    return datetime.fromisoformat(json.loads(raw)["event_time"])


def places_of_late_moves() -> dict[str, tuple[datetime, datetime]]:
    """Each late move in time to be booked: when it happened, and the newest time before it in its lane."""
    found: dict[str, tuple[datetime, datetime]] = {}
    behind, beyond = timedelta(seconds=SETTINGS.disorder_s), timedelta(seconds=DEDUPE_S)
    for (stream, _), messages in lanes_of(complete()).items():
        if stream != "inventory.move":
            continue
        # What the gate refuses has no time.
        gate = {name for code in ("uom.values", "reason.values", "decode.json") for name in site().expected[code]}
        rows = [(identity(raw), time_of(raw)) for raw in messages if identity(raw) not in gate]
        newest = [START, *accumulate((time for _, time in rows), max)]
        for (name, time), before in zip(rows, newest, strict=False):
            if beyond >= before - time > behind:
                found.setdefault(name, (time, before))
    return found


def test_a_late_move_is_booked_with_both_times(flow):
    """It happened when it says, and takes its place at the newest time before it."""
    late = flow.newest("stock_move").filter(pl.col("event_time") != pl.col("booked_time"), pl.col("reason") == "sale")
    expected = {name: times for name, times in places_of_late_moves().items() if name.startswith("sale")}
    assert len(expected) >= 4
    assert {name: (t, b) for name, t, b in late.select("event_id", "event_time", "booked_time").iter_rows()} == expected
    kept = flow.table("late").filter(source="inventory.move")
    assert {identity(raw): booked for raw, booked in kept.select("raw", "booked").iter_rows()} == (
        dict.fromkeys(places_of_late_moves(), True) | dict.fromkeys(site().expected["too_late"], False)
    )


@pytest.mark.parametrize("day", [1, 2, 3, 5, 9])
def test_sums_of_moves_are_what_is_there_but_for_what_was_lost(flow, day):
    """As of any time that papers told of: the sum over moves that had happened by then is the truth."""
    until = START + timedelta(days=day)
    moves = flow.newest("stock_move").filter(pl.col("event_time") < until)
    own = moves.filter(~pl.col("reason").is_in(["opening", "adjust"]) | (pl.col("event_id").str.starts_with("opening")))
    sums = {(s, k, at): q for s, k, at, q in own.group_by(PLACES).agg(pl.col("on_hand").sum()).iter_rows()}
    truth: dict[tuple[str, str, str], int] = {}
    for time_s, key, units in site().truth:
        if time_s < day * DAY_S:
            truth[key] = truth.get(key, 0) + units * BASE[UNITS[key[1]]][1]
    assert sums == {key: Decimal(quantity) for key, quantity in truth.items()}


def test_what_was_known_then_is_without_what_came_later(flow):
    """As of a booking time too, a late move is not there until it was booked."""
    moves = flow.newest("stock_move").filter(pl.col("reason") == "sale")
    name, (happened, booked) = next((n, t) for n, t in places_of_late_moves().items() if n.startswith("sale"))
    sold = json.loads(next(raw for lane in lanes_of(complete()).values() for raw in lane if identity(raw) == name))
    units = Decimal(int(sold["quantity"] * BASE[sold["uom"]][1]))
    key = {column: sold[column] for column in PLACES}
    own = moves.filter(**key).filter(pl.col("event_time") <= happened)

    def known(at: datetime) -> Decimal:
        return own.filter(pl.col("booked_time") <= at)["on_hand"].sum()

    just_before = booked - timedelta(microseconds=1)
    assert known(booked) - known(just_before) == units
    assert booked - happened > timedelta(seconds=HOUR_S)


def test_positions_are_the_balances_of_their_windows(flow):
    """At each window's end, the sum of all changes booked by then; the last one is what is there now."""
    moves = flow.newest("stock_move")
    positions = flow.newest("stock_position")
    assert positions.height > 100
    for row in positions.iter_rows(named=True):
        own = moves.filter(*(pl.col(column) == row[column] for column in PLACES))
        by_then = own.filter(pl.col("booked_time") < row["window_end"])
        for balance in ("on_hand", "allocated", "in_transit", "on_order", "backorder"):
            assert by_then[balance].sum() == row[balance]


def test_lanes_are_dealt_by_entity() -> None:
    """All of a SKU is in one partition, as the contracts ask."""
    skus: dict[str, set[Lane]] = {}
    for lane, messages in lanes_of(complete()).items():
        if lane[0] == "inventory.move":
            for raw in messages:
                if not raw.endswith(b'"bolt"'):
                    skus.setdefault(json.loads(raw)["sku"], set()).add(lane)
    assert {len(lanes) for lanes in skus.values()} == {1}
