"""Demand of all series of a flow: calendar buckets closed in order, each series estimated at the end of each.

`add` takes rows of any buckets, `promote` and `forecast` what is known ahead, `advance` closes all buckets that have
ended. A bucket's estimates use only rows before its end and facts known before it, so they are the same however
the calls were cut, and sums over series are correctly rounded, so they are the same in whatever order series come.

A series begins with the bucket of its first row. From then on a bucket without rows is a bucket of no demand, until
the series rests (`DemandModel.rest_after`). When it wakes it learns of the empty buckets it slept through as many as
it takes to know where in the season it is, and no more than `rest_after` or a season.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import polars as pl

from domain.demand.calendar import Calendar
from domain.demand.categories import Categories
from domain.demand.estimates import DRIFTS, ESTIMATES, Bucket, Estimates
from domain.demand.model import DemandModel
from domain.demand.plans import Ahead, Key, Plans
from domain.demand.rows import OpenRows
from domain.demand.shelf import Record, Shelf
from domain.streaming.parts import Part
from schemas.errors import RecoveryError

_STATE_VERSION: Final = 3
_BEGINNING: Final = -(2**62)

_Sale = tuple[float, bool, bool]
_NO_SALE: Final[_Sale] = (0.0, False, False)
_NOTHING_AHEAD: Final = Ahead(promoted=False, outside=None, promoted_ahead=[], outside_ahead=[])


class Closed(NamedTuple):
    """Estimates (`ESTIMATES`) and drifts (`DRIFTS`) of closed buckets, by bucket, site and SKU."""

    estimates: pl.DataFrame
    drifts: pl.DataFrame


@cache
def _nothing() -> Closed:
    return Closed(pl.DataFrame(schema=ESTIMATES), pl.DataFrame(schema=DRIFTS))


class DemandBook:
    """All series of one model. `max_live` bounds those held as objects; it does not show in what comes out."""

    def __init__(self, model: DemandModel, max_live: int = 250_000) -> None:
        self._model = model
        self._name = str(model)
        self._calendar = Calendar(model.bucket, model.zone)
        self._rows = OpenRows(self._calendar)
        self._plans = Plans(self._calendar)
        self._shelf = Shelf(model, max_live)
        self._categories = Categories(model)
        self._frontier = _BEGINNING
        self._stored: Part | None = None

    @property
    def live(self) -> int:
        """Series held as objects."""
        return self._shelf.live

    def add(self, rows: pl.DataFrame) -> None:
        """Take in rows (`rows.ROWS`) in any order; rows of closed buckets count in the first open one."""
        if rows.height:
            self._rows.add(rows, self._frontier)

    def promote(self, rows: pl.DataFrame) -> None:
        """Take in promotions (`plans.PROMOTIONS`)."""
        self._plans.promote(rows)

    def forecast(self, rows: pl.DataFrame) -> None:
        """Take in an outsider's forecasts (`plans.FORECASTS`)."""
        if rows.height:
            self._plans.forecast(rows)

    def advance(self, until_us: int) -> Closed:
        """Close all buckets that end by then; no rows before that time may follow, but those booked late."""
        until = int(self._calendar.floor(np.array([until_us]))[0])
        taken = self._rows.take(until)
        parts = [_nothing()]
        starts = sorted(taken)
        while True:
            start = self._frontier if self._shelf.awake else next(iter(starts), until)
            if start >= until:
                break
            starts = [later for later in starts if later > start]
            parts.append(self._close(start, taken.get(start)))
        self._frontier = max(self._frontier, until)
        self._plans.forget(self._frontier)
        return Closed(*(pl.concat(frames) for frames in zip(*parts, strict=True))) if len(parts) > 1 else _nothing()

    def _close(self, start: int, rows: pl.DataFrame | None) -> Closed:
        horizon = self._model.horizon
        edges = self._calendar.starts(start, horizon + 1).tolist()
        estimates = Estimates(Bucket(start, edges[0], edges[-1]), self._name)
        sales = {} if rows is None else self._wake(start, rows)
        for batch in self._shelf.batches():
            for key, record in batch:
                self._estimate(key, record, sales.get(key), start, edges, estimates)
            estimates.judge(self._shelf.levels)
        self._shelf.tidy()
        self._categories.close()
        self._frontier, self._stored = edges[0], None
        return Closed(*estimates.frames(horizon))

    def _wake(self, start: int, rows: pl.DataFrame) -> dict[Key, _Sale]:
        """Wake the series of a bucket's rows, and give their sales."""
        sales = {}
        for site, sku, milli, censored, promoted, category in rows.iter_rows():
            key = (site, sku)
            record = self._shelf.wake(key, category)
            if record is not None:
                self._catch_up(record, start)
            sales[key] = (milli / 1000, censored, promoted)
        return sales

    def _catch_up(self, record: Record, start: int) -> None:
        slept = self._calendar.between(record.next_us, start)
        season = self._model.season
        most = max(self._model.rest_after, season)
        missed = slept if slept <= most else most - (most - slept) % season
        row = np.array([record.row])
        for past in range(missed):
            record.series.learn_one(0.0)
            if past < self._model.horizon:  # by then all windows have closed
                self._shelf.levels.learn(row, np.zeros(1))

    def _estimate(
        self, key: Key, record: Record, sale: _Sale | None, start: int, edges: list[int], estimates: Estimates
    ) -> None:
        record.idle = 0 if sale else record.idle + 1
        record.next_us = edges[0]
        sold, censored, promoted = sale or _NO_SALE
        ahead = self._plans.ahead(key, start, edges) or _NOTHING_AHEAD
        promoted = promoted or ahead.promoted
        series, category = record.series, (key[0], record.category)
        around, cold = self._categories.around(category), series.cold
        learned = series.learn_one(sold, censored=censored, promoted=promoted, outside=ahead.outside, around=around)
        self._categories.note(category, learned, promoted=promoted, cold=cold)
        outlook = series.forecast(ahead.promoted_ahead, ahead.outside_ahead, around)
        estimates.put(key, record.row, record.category, series, sold, censored, promoted, learned, outlook)

    def snapshot(self) -> dict[str, Any]:
        """State as primitives, Arrow bytes and parts; series are packed once per closed bucket."""
        if self._stored is None:
            self._stored = Part(msgspec.msgpack.encode([self._categories.snapshot(), self._shelf.snapshot()]))
        return {
            "version": _STATE_VERSION,
            "model": self._name,
            "frontier": self._frontier,
            "rows": self._rows.snapshot(),
            "plans": self._plans.snapshot(),
            "series": self._stored,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot into a new book; one of another version or model is refused with RecoveryError."""
        if (state["version"], state["model"]) != (_STATE_VERSION, self._name):
            raise RecoveryError(
                f"state of demand has version {state['version']} and model {state['model']}, "
                f"this is {_STATE_VERSION} and {self._name}",
                fix="finish the run with the version and parameters that began it, or start a new run",
            )
        self._frontier = state["frontier"]
        self._rows.restore(state["rows"])
        self._plans.restore(state["plans"])
        self._stored = state["series"]
        categories, series = msgspec.msgpack.decode(self._stored.read())
        self._categories.restore(categories)
        self._shelf.restore(series)
