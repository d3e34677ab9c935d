"""What is known of items at a time: the newest row of each SKU so far."""

from __future__ import annotations

import polars as pl

from domain.inventory.classify import Item

_FIELDS = ("abc", "unit_cost", "pack")
_UNKNOWN = Item()


class Catalogue:
    """Items by SKU. Rows to come wait until time has passed them."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._coming: list[tuple[int, str, Item]] = []

    def add(self, items: pl.DataFrame) -> None:
        """Take in rows of ITEM_SCHEMA, later than those before."""
        if not items.height:
            return
        rows = items.select("time_us", "sku", *_FIELDS).sort(pl.all(), nulls_last=True)
        coming = [(time_us, sku, Item(*fields)) for time_us, sku, *fields in rows.iter_rows()]
        self._coming = coming[::-1] + self._coming

    def advance(self, until_us: int) -> None:
        """Time has come to `until_us`: rows before it hold."""
        while self._coming and self._coming[-1][0] < until_us:
            _, sku, item = self._coming.pop()
            self._items[sku] = item

    def of(self, sku: str) -> Item:
        """What is known of an item; of an unknown one, nothing."""
        return self._items.get(sku, _UNKNOWN)

    def state(self) -> list[list[object]]:
        """Primitives that `take_up` makes the same of; all rows must hold by now."""
        return [[sku, item.abc, item.unit_cost, item.pack] for sku, item in self._items.items()]

    def take_up(self, state: list[tuple[str, str | None, float | None, int | None]]) -> None:
        """Go on from a `state`."""
        self._items = {sku: Item(abc, cost, pack) for sku, abc, cost, pack in state}
        self._coming = []
