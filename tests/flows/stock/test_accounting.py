"""Every row of every stream is accounted for, also one that is refused long after it was read."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from .lanes import NOWHERE, complete, identity, lanes_of, read_at_once
from .site import site
from .step_flow import StockFlow, whole

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stock read at once")]

COUNTS = ["good", "quarantined", "late", "duplicates", "conflicts"]


@pytest.fixture(scope="module")
def flow() -> StockFlow:
    """Everything, read at once."""
    return read_at_once()


def expected_refusals() -> Counter[tuple[str, str]]:
    made = site()
    late_decisions = {
        "north/bolt/pick-no-after-yes": "proposal.decided",
        "south/nut/pick-replaced": "proposal.changed",
        "south/bolt/bulk-too-late": "proposal.expired",
    }
    behind = {code: names for code, names in made.expected.items() if code not in {"too_late", "conflict"}}
    refused = Counter((name, code) for code, names in behind.items() for name in names)
    return refused + Counter(late_decisions.items()) + Counter({("twice", "identity.conflict"): 1})


def test_rows_in_are_good_quarantined_late_duplicates_and_conflicts(flow):
    """For each partition of each stream; no count is below zero."""
    sums = flow.table("accounting").group_by("source", "partition").agg(pl.col("rows_in", *COUNTS).sum())
    assert sums.filter(pl.col("rows_in") != pl.sum_horizontal(COUNTS)).height == 0
    assert sums.filter(pl.any_horizontal(pl.col(COUNTS) < 0)).height == 0
    read = {lane: count for lane, count in flow.read_so_far.items() if count}
    assert {
        (source, part): rows for source, part, rows, *_ in sums.select("source", "partition", "rows_in").rows()
    } == (read)
    quarantined = flow.table("quarantine").group_by("source", "partition", "kind").len().rows()
    counted = {(s, p, kind): n for s, p, kind, n in quarantined}
    for source, partition, *counts in sums.select("source", "partition", "quarantined", "conflicts").rows():
        for kind, count in zip(("quarantined", "conflict"), counts, strict=True):
            assert counted.get((source, partition, kind), 0) == count


def test_refused_rows_are_quarantined_with_reason_bytes_and_offset(flow):
    """Those and no others, whichever step refuses them."""
    lanes = lanes_of(complete())
    kept = flow.table("quarantine")
    for source, partition, offset, raw in kept.select("source", "partition", "offset", "raw").iter_rows():
        assert lanes[source, partition][offset] == raw
    found = Counter((identity(raw), *reasons) for raw, reasons in kept.select("raw", "reasons").iter_rows())
    assert found == expected_refusals()


def test_refused_rows_disturb_nothing(flow):
    """Without them all other rows come to the same."""
    bad = {name for name, _ in expected_refusals()} - {"twice", "statement-3", "sale-of-both"}
    streams = {
        name: tuple(one for one in messages if identity(one.raw) not in bad) for name, messages in complete().items()
    }
    without = whole(NOWHERE, lanes_of(streams))
    names = ("demand", "stock_move", "stock_position", "reconciliation", "adjustment", "replenishment", "signal")
    for name in names:
        assert without.table(name).equals(flow.table(name)), name


def test_a_late_row_that_is_refused_is_quarantined_and_not_late(flow):
    """It is counted once, as what it came to in the end; that it was late is kept as well."""
    late = {identity(raw) for raw in flow.table("late")["raw"]}
    counted = flow.table("accounting").filter(source="inventory.move")["late"].sum()
    moves = flow.table("late").filter(source="inventory.move")
    assert "late-bad" in late
    assert counted == moves.height - 1


def test_quantities_of_counts_and_proposals_have_the_unit_of_their_stock(flow):
    """A row that goes out says grams or pieces itself; its reader may know the SKU by the kilogram."""
    units = dict(flow.table("stock_move").select("sku", "uom").unique().iter_rows())
    assert len(set(units.values())) > 1
    for name in ("reconciliation", "adjustment", "replenishment"):
        rows = flow.table(name).select("sku", "uom")
        assert rows.height, name
        assert all(units[sku] == unit for sku, unit in rows.iter_rows()), name
