"""What the stockroom is told of rows of streams."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from domain.streaming.windows import WINDOW_START
from flows.stock.arrivals import arrivals
from flows.stock.streams import ITEM


def test_costs_and_packs_of_items_are_of_the_base_unit():
    """Differences of counts are valued in base units: 2.5 kg at 8 a kilogram are worth 20, not 20,000."""
    said = {"sku": ["sand", "egg"], "abc": ["A", "B"], "unit_cost": [8.0, 3.6], "pack": [25.0, 2.0]}
    times = {"event_time": [datetime(2026, 3, 2, tzinfo=UTC)] * 2, WINDOW_START: [0, 0]}
    items = arrivals({ITEM: pl.DataFrame({**said, "uom": ["kg", "dozen"], **times})}).items
    assert items["unit_cost"].to_list() == [0.008, 0.3]
    assert items["pack"].to_list() == [25_000_000, 24_000]
