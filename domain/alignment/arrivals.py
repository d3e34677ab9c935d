"""Work that arrives in zones, estimated online: for zones that have no forecast of demand.

Work W of a time t has mean r t and variance s r t, with r units per hour and a scatter s in units: a Poisson stream
of tasks of one size has s = that size; tasks of several sizes, in batches, or at an uneven rate, more. Evidence on r
weighs half after half an hour, as demand changes through the day; s is measured over blocks of 15 minutes and weighs
half after half a day. Under weights w the sample is worth m = (sum w t)^2 / sum w^2 t hours, so the variance of r is
s r / m; a zone in which nothing arrived might yet have seen one arrival, which is added to r there.

Time in which nothing arrived counts from a zone's first window on: no rows are no arrivals.

What is first heard of in the first window of all was there before: it is no arrival, and that window is no evidence.
For an hour more the same goes for tasks that were with a robot already when they were first heard of, in zones where
tasks are told of before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from domain.alignment.availability import HOUR_US
from domain.alignment.fleet import Schema
from domain.alignment.tallies import ZONE, Float64, Int64, Tallies, ratio
from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING

ARRIVAL_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "rate": pl.Float64,
    "variance": pl.Float64,
    "rate_variance": pl.Float64,
    "task": pl.Float64,
}
"""Work units per hour, variance of the work of an hour at that rate, variance of the rate itself; work units of a mean
task, 1 where none is known."""
DEMAND_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "horizon_us": pl.Int64,
    "mean": pl.Float64,
    "variance": pl.Float64,
}
"""Work units demanded within a horizon: mean and variance."""

MODEL: Final = "discounted-gamma-poisson@2(half_life_h=0.5,scatter_half_life_h=12,block_h=0.25)"

_STATE_VERSION = 2
_RATE = ("work", "tasks", "hours", "squared_h")
_BLOCK = ("block_work", "block_rate", "block_h")
_SCATTER = ("blocks", "scatter")
_TOLD = "told"
"""Whether tasks of a zone are told of before a robot has them."""
_OPENING_US = HOUR_US
_HALF_LIFE_H, _SCATTER_HALF_LIFE_H, _BLOCK_H = 0.5, 12.0, 0.25
_OUTLIER = 25.0
_BLOCK_WORTH = 8.0
_ROUNDING = 1e-9


class Arrivals:
    """Learns the work that arrives per zone from windows, one after the other."""

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._first = self._last = BEGINNING
        self._zones = Tallies((*_RATE, *_BLOCK, *_SCATTER, _TOLD))

    @property
    def begun(self) -> bool:
        """Whether anything is known of what arrives: more windows than the first were learned."""
        return self._last > self._first

    def learn(self, window_start: int, flows: pl.DataFrame) -> None:
        """Take in a final window, later than those before (else ValueError).

        `flows`: `site`, `zone`, number of tasks `created`, and of them `found` with a robot already, and their work in
        millionths of a unit, `created_micro` and `found_micro` (all Int64); one row per zone.
        """
        if window_start <= self._last:
            raise ValueError(f"window {window_start} was learned before, or a later one")
        rows = flows.drop_nulls(ZONE).sort(ZONE)
        if self._last == BEGINNING:
            self._first = self._last = window_start
            self._arrived(self._zones.zones(rows, self._until), rows)
            return
        passed = (window_start - self._last) / HOUR_US if self._last > BEGINNING else 0.0
        hours = self._window / HOUR_US
        nothing = np.zeros(len(self._zones))
        self._pass_time(max(passed - hours, 0.0), nothing, nothing)
        self._last = window_start
        zone = self._zones.zones(rows, self._until)
        self._pass_time(hours, *self._arrived(zone, rows))

    def _arrived(self, zone: Int64, rows: pl.DataFrame) -> tuple[Float64, Float64]:
        """Tasks that arrived and their work, by zone."""
        tasks, micro, found, found_micro = (
            rows[name].to_numpy().astype(np.float64) for name in ("created", "created_micro", "found", "found_micro")
        )
        self._zones.add(zone, told=tasks > found)
        if self._last < self._first + _OPENING_US:
            told = self._zones[_TOLD][zone] > 0
            tasks, micro = tasks - np.where(told, found, 0.0), micro - np.where(told, found_micro, 0.0)

        def by_zone(values: Float64) -> Float64:
            return np.bincount(zone, values, minlength=len(self._zones)).astype(np.float64)

        return by_zone(tasks), by_zone(micro / 1e6)

    @property
    def _until(self) -> int:
        return self._last + self._window

    def _pass_time(self, hours: float, tasks: Float64, work: Float64) -> None:
        """Some time in all zones, and the tasks and work that arrived in it."""
        if hours <= 0 or not len(self._zones):
            return
        zones, every = self._zones, np.arange(len(self._zones))
        kept = 0.5 ** (hours / _HALF_LIFE_H)
        zones.age({"work": kept, "tasks": kept, "hours": kept, "squared_h": kept * kept})
        zones.age(dict.fromkeys(_SCATTER, 0.5 ** (hours / _SCATTER_HALF_LIFE_H)))
        # Of a long stretch the later part weighs more: the integral of the weight over it.
        decay = np.log(2.0) / _HALF_LIFE_H
        weighed, squared = (-np.expm1(-n * decay * hours) / (n * decay) for n in (1, 2))
        # Work is spread over the time, and so weighs as much as the time does.
        share = weighed / hours
        zones.add(every, work=work * share, tasks=tasks * share, hours=weighed, squared_h=squared)
        zones.add(every, block_work=work, block_h=hours)
        self._close_blocks()

    def _close_blocks(self) -> None:
        """Measure scatter where a block is long enough, against the rate that was expected when it began."""
        zones = self._zones
        due = np.flatnonzero(zones["block_h"] >= _BLOCK_H - _ROUNDING)
        hours, known = zones["block_h"][due], self._known_hours()[due]
        expected = zones["block_rate"][due] * hours
        spread = expected * (1 + hours / np.maximum(known, hours))
        scatter = ratio((zones["block_work"][due] - expected) ** 2, spread)
        blocks, sums = zones["blocks"][due], zones["scatter"][due]
        most = np.where(sums > 0, _OUTLIER * ratio(sums, blocks), np.inf)
        zones.add(due, blocks=expected > 0, scatter=np.minimum(scatter, most))
        zones.clear(due, *_BLOCK)
        zones.add(due, block_rate=self._rate()[due])

    def _rate(self) -> Float64:
        return ratio(self._zones["work"], self._zones["hours"])

    def _known_hours(self) -> Float64:
        return ratio(self._zones["hours"] ** 2, self._zones["squared_h"])

    def rates(self, now_us: int) -> pl.DataFrame:
        """Rates at `now_us`, not before the end of the last window, in ARRIVAL_SCHEMA, sorted by zone.

        A rate stays as it is while nothing is heard; the doubt about it grows as its evidence ages.
        """
        aged = 0.5 ** (max(now_us - self._until, 0) / HOUR_US / _HALF_LIFE_H) if len(self._zones) else 1.0
        rate, hours = self._rate(), self._known_hours() * aged
        scatter = self._zones.shrunk(self._zones["scatter"], self._zones["blocks"], worth=_BLOCK_WORTH, default=1.0)
        least = rate + ratio(scatter, hours)
        frame = self._zones.frame().select(ZONE)
        columns = {"rate": rate, "variance": scatter * least, "rate_variance": ratio(scatter * least, hours)}
        tasks = self._zones["tasks"]
        columns["task"] = np.where(tasks > 0, ratio(self._zones["work"], tasks), 1.0)
        return frame.with_columns(pl.Series(n, v, pl.Float64) for n, v in columns.items()).sort(ZONE)

    def forget(self, before_us: int) -> None:
        """Drop zones without rows since."""
        self._zones.forget(before_us)

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        state = {
            "version": _STATE_VERSION,
            "first": self._first,
            "last": self._last,
            "zones": to_bytes(self._zones.frame()),
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state: dict[str, Any] = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "the work that arrives")
        self._first, self._last = state["first"], state["last"]
        self._zones.restore(from_bytes(state["zones"]))


def demand_within(rates: pl.DataFrame, horizons_us: Sequence[int]) -> pl.DataFrame:
    """Demand in DEMAND_SCHEMA within horizons from rates in ARRIVAL_SCHEMA.

    The variance of the work of a time t is that of the stream, which grows with t, and that of the rate, with t^2.
    """
    hours = pl.col("horizon_us") / HOUR_US
    horizons = pl.DataFrame({"horizon_us": sorted(set(horizons_us))}, schema={"horizon_us": pl.Int64})
    return (
        rates.join(horizons, how="cross")
        .select(
            *ZONE,
            "horizon_us",
            (pl.col("rate") * hours).alias("mean"),
            (pl.col("variance") * hours + pl.col("rate_variance") * hours * hours).alias("variance"),
        )
        .sort(*ZONE, "horizon_us")
    )
