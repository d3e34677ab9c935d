"""The simulated site against its own truth, and reconciliation against the site."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from benchmarks.reconciliation import WINDOW_US, reconcile, scores, slips
from domain.inventory.counts import COUNT_SCHEMA, ITEM_SCHEMA
from domain.inventory.tables import MOVE_SCHEMA
from domain.twin.stock_config import Paperwork, StockSiteConfig
from domain.twin.stock_frames import stock_frames
from domain.twin.stock_records import COUNT, MOVE
from domain.twin.stock_site import StockSite

_PERFECT = Paperwork(0, 0, (0, 0), (0, 0), 0, 0, 0, 0)


def _config(*skus, **others):
    kinds = tuple(replace(k, skus=n) for k, n in zip(StockSiteConfig().kinds, skus, strict=True))
    return StockSiteConfig(kinds=kinds, **others)


def test_a_run_depends_on_its_config_alone():
    """The same seed gives the same rows in the same order, another one others."""
    config = _config(1, 1, 1, days=5, leaks=1, leaks_from_d=1.0)
    one, same, other = (StockSite(c).run() for c in (config, config, replace(config, seed=2)))
    assert one == same
    assert one.delivered != other.delivered
    arrivals = [d.delivered_us for d in one.delivered]
    assert arrivals == sorted(arrivals)
    names = [(d.stream, d.row["event_id"]) for d in one.delivered]
    assert len(set(names)) == len(names)


def test_with_perfect_paperwork_the_papers_say_what_is_there():
    """Sums of moves up to a count are what it saw, but for what leaked; nothing else makes a difference."""
    run = StockSite(_config(3, 2, 2, days=20, leaks=2, leaks_from_d=5.0, paperwork=_PERFECT)).run()
    moves = [d.row for d in run.delivered if d.stream == MOVE]
    counted = {d.row["event_id"]: d.row for d in run.delivered if d.stream == COUNT}
    gone = 0.0
    for truth in run.counts:
        row = counted[truth.event_id]
        where = (row["sku"], row["location"])
        book = sum(
            m["quantity"]
            for m in moves
            if (m["sku"], m["location"]) == where and m["event_time"] <= row["as_of"] and m["reason"] != "order"
        )
        assert row["quantity"] == truth.on_hand
        assert truth.slip is None
        assert truth.leaking or truth.on_hand == book
        gone = max(gone, book - truth.on_hand)
    assert 0 < gone <= max(leak.quantity for leak in run.leaks)
    assert {m["reason"] for m in moves} == {"opening", "sale", "receipt", "order", "transfer_out", "transfer_in"}


def test_goods_are_ordered_before_they_come():
    """Each receipt has an earlier order of the same quantity, told before it, so nothing on order falls below zero."""
    run = StockSite(_config(2, 2, 2, days=20, leaks=0)).run()
    moves = [d.row for d in run.delivered if d.stream == MOVE]
    ordered = {m["document"]: m for m in moves if m["reason"] == "order"}
    receipts = [m for m in moves if m["reason"] == "receipt"]
    assert receipts
    for receipt in receipts:
        order = ordered[receipt["document"] + "-order"]
        assert (order["quantity"], order["location"]) == (receipt["quantity"], receipt["location"])
        assert order["record_time"] < receipt["event_time"]


@pytest.mark.slow
def test_leaks_take_the_share_they_should():
    """Half a percent a week of the level; thirty weeks of twelve SKUs are within chance of it."""
    run = StockSite(_config(12, 0, 0, days=70, leaks=12, leaks_from_d=0.0)).run()
    level = {d.row["sku"]: d.row["quantity"] for d in run.delivered if d.row.get("reason") == "opening"}
    expected = sum(0.005 * level[leak.sku] * 10 for leak in run.leaks)
    assert sum(leak.quantity for leak in run.leaks) == pytest.approx(expected, abs=4 * expected**0.5)


def test_frames_have_the_columns_of_the_core():
    """What is later than allowed takes its place when it arrives, all else at its time."""
    run = StockSite(_config(1, 1, 1, days=10, leaks=0)).run()
    frames = stock_frames(run.delivered, WINDOW_US)
    for frame, schema in zip(
        (frames.moves, frames.counts, frames.items), (MOVE_SCHEMA, COUNT_SCHEMA, ITEM_SCHEMA), strict=True
    ):
        assert dict(frame.schema) == dict(schema)
    late = frames.moves.filter(pl.col("time_us") != pl.col("valid_us"))
    assert 0.005 < late.height / frames.moves.height < 0.06
    assert (late["time_us"] - late["valid_us"]).min() > 600_000_000


@pytest.mark.slow
def test_reconciliation_finds_leaks_and_no_noise():
    """Twenty SKUs, four of which leak half a percent a week; `benchmarks/reconciliation.py` has more of them."""
    run = StockSite(_config(8, 6, 6, days=40, leaks=4)).run()
    seen = reconcile(stock_frames(run.delivered, WINDOW_US))
    now, as_of, bands, cusum = scores(run, seen)
    assert now.per_1000 > 2 * as_of.per_1000 > 20 * bands.per_1000
    assert bands.per_1000 < 3
    assert cusum.false == 0
    assert len(bands.days) == 4
    assert len(cusum.days) >= 3
    named = slips(run, seen)
    made = sum(number for (_, slip, *_), number in named.items() if slip)
    right = sum(
        number for (_, slip, name, said), number in named.items() if slip and name == "mis_key" and said == slip
    )
    assert right > 0.6 * made
    unharmed = seen.looks.filter(pl.col("class") == "mis_key")
    assert not set(seen.proposed["event_id"]) & set(unharmed.filter(pl.col("stage") == "final")["event_id"])
