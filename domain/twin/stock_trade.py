"""Sites that sell, whose demand and stock are known at any moment: all messages as they arrive, and the truth.

Shelves (`pick`) are filled each night from `bulk`. The first site orders from a supplier for all, others are supplied
by transfers from it. A customer takes what lies on the shelf; when that is less than was asked for, the sale says so,
and of those who find nothing the first of a day leaves a sale of nothing. A run depends on its config alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from domain.twin.demand_config import TradeConfig
from domain.twin.demand_path import DemandPath
from domain.twin.stock_merchandise import DAY_US, Merchandise
from domain.twin.stock_records import COUNT, FORECAST, ITEM, MOVE, ORDER_LINE, POINT_OF_SALE, PROMOTION, text_of
from domain.twin.stock_wire import Line, Wire

STREAMS: Final = (ITEM, MOVE, COUNT, ORDER_LINE, POINT_OF_SALE, PROMOTION, FORECAST)

_MOVE: Final = ("site", "sku", "location", "quantity", "reason", "event_time")

Rows = list[dict[str, Any]]


class Trade:
    """One run of the sites of a config.

    >>> trade = Trade(TradeConfig(days=14, skus=2))
    >>> written = sum(len(lines) for lines in trade.lines())
    >>> fates = trade.truth()["messages"]
    >>> written == sum(row["messages"] for row in fates if row["fate"] not in ("lost", "under_way"))
    True
    """

    def __init__(self, config: TradeConfig) -> None:
        self._config = config
        self._start = int(config.start.timestamp()) * 1_000_000
        self._wire = Wire(config.defects, self._start + config.days * DAY_US)
        self._truth: dict[str, Rows] = {name: [] for name in ("series", "demand", "stock", "leaks", "counts")}
        self._done = 0

    def lines(self) -> Iterator[list[Line]]:
        """Messages SKU by SKU, each SKU's in order of arrival. To be read once."""
        for number in range(self._config.skus):
            goods = Merchandise(self._config, number)
            goods.live()
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self._config.seed, 7, number))))
            written = [row for records in goods.records.values() for row in records.delivered]
            lines = sorted(self._wire.send(written, rng), key=lambda line: (line.delivered_us, line.stream))
            self._note(goods)
            self._done += 1
            yield lines

    def truth(self) -> dict[str, Rows]:
        """What really happened, as tables of rows that JSON can hold. Known when all lines have been read.

        `series`, `demand` (by day: `expected` is the mean of what is asked for, `base` the same without promotion),
        `stock` (on hand and what leaked, at the end), `unbooked` (moves of stock without a good message), `leaks`,
        `counts` (what they saw, and how they were keyed wrongly), `messages` (by stream and fate).
        """
        if self._done < self._config.skus:
            raise ValueError("the truth is known when all lines have been read")
        fates = sorted(self._wire.fates.items())
        moves = [{name: row[name] for name in _MOVE} for row in self._wire.unbooked]
        return self._truth | {
            "unbooked": moves,
            "messages": [{"stream": stream, "fate": fate, "messages": number} for (stream, fate), number in fates],
        }

    def _note(self, goods: Merchandise) -> None:
        for site, path in goods.paths.items():
            self._truth["series"].append({"site": site, "sku": goods.name} | self._series(goods, path))
            self._truth["demand"] += [
                {"site": site, "sku": goods.name} | row for row in self._days(path, goods.sold[site])
            ]
        for place, on_hand in goods.stock.items():
            where = {"site": place.site, "sku": goods.name, "location": place.location}
            leaked = goods.leaked if place == goods.supplied else 0
            self._truth["stock"].append(where | {"on_hand": on_hand, "leaked": leaked})
            if leaked:
                self._truth["leaks"].append(where | {"since": text_of(goods.leaks_from), "quantity": leaked})
        self._truth["counts"] += [
            {"event_id": count.event_id, "as_of": text_of(count.as_of_us)}
            | {"on_hand": count.on_hand, "slip": count.slip, "leaking": count.leaking}
            for count in goods.counts
        ]

    def _series(self, goods: Merchandise, path: DemandPath) -> dict[str, Any]:
        return {
            "kind": goods.kind.name,
            "trait": path.trait,
            "uplift": path.uplift,
            "change": path.change,
            "changes_at": text_of(self._start + path.change_day * DAY_US) if path.change != 1 else None,
            "planner_bias": goods.planner,
        }

    def _days(self, path: DemandPath, sold: list[int]) -> Rows:
        columns = {
            "base": path.base.round(3).tolist(),
            "expected": path.expected.round(3).tolist(),
            "asked": path.asked.tolist(),
            "sold": sold,
            "promoted": path.promoted.tolist(),
        }
        rows = zip(*columns.values(), strict=True)
        return [
            {"day": text_of(self._start + day * DAY_US)[:10]} | dict(zip(columns, row, strict=True))
            for day, row in enumerate(rows)
        ]
