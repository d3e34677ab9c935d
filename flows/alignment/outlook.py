"""What zones can do and what will be asked of them: capacity, demand and the gap between, by horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from domain.alignment import arrivals
from domain.alignment.arrivals import DEMAND_SCHEMA, Arrivals, demand_within
from domain.alignment.availability import HOUR_US
from domain.alignment.capacity import CapacityConfig, draw
from domain.alignment.fleet import Fleet
from domain.alignment.gap import gaps
from domain.alignment.work import DEMAND, UNMAPPED_SCHEMA, Rule, WorkMap
from domain.streaming.frames import from_bytes, to_bytes
from flows.alignment.sections import Alignment

_DAY_US: Final = 86_400_000_000
FORGOTTEN_US: Final = 7 * _DAY_US
"""So long what nothing is heard of is known."""
_ZONE: Final = ("site", "zone")
_KEY: Final = (*_ZONE, "horizon_us")
_ESTIMATE_SCHEMA: Final = {**DEMAND, "bucket_start": pl.Int64}


@dataclass(frozen=True, slots=True)
class View:
    """What a review sees: `gaps`, columns of the output `alignment`, and `unmapped` demand in UNMAPPED_SCHEMA.

    `demand` (site, zone, rate, task): work units per hour within the shortest horizon, and of a mean task.
    """

    gaps: pl.DataFrame
    demand: pl.DataFrame
    unmapped: pl.DataFrame


class Outlook:
    """Learns robots, the work that arrives, and demand that is forecast."""

    def __init__(self, settings: Alignment, window_us: int) -> None:
        self._horizons = sorted({round(horizon * 1e6) for horizon in settings.horizons_s})
        self._config = CapacityConfig(utilisation=settings.utilisation)
        self._map = WorkMap(settings.work_version, [Rule(**rule.model_dump()) for rule in settings.work])
        self._mapped = bool(settings.work)
        self.fleet = Fleet(window_us)
        self._arrivals = Arrivals(window_us)
        self._estimates = pl.DataFrame(schema=_ESTIMATE_SCHEMA)
        """The newest demand estimate of each site and SKU, until its horizon is over."""

    @property
    def begun(self) -> bool:
        """Whether anything is known of the work that arrives."""
        return self._arrivals.begun

    def learn(self, start: int, presence: pl.DataFrame, work: pl.DataFrame, created: pl.DataFrame) -> None:
        """Take in a window, see `Fleet.learn` and `Arrivals.learn`."""
        self.fleet.learn(start, presence, work)
        self._arrivals.learn(start, created)

    def estimated(self, demand: pl.DataFrame) -> None:
        """Take in demand estimates: rows of the output `demand`."""
        if not demand.height:
            return
        rows = demand.select(pl.col(name).to_physical().cast(dtype) for name, dtype in _ESTIMATE_SCHEMA.items())
        newest = pl.concat([self._estimates, rows]).sort("site", "sku", "bucket_end")
        self._estimates = newest.unique(("site", "sku"), keep="last", maintain_order=True)

    def review(self, at: int, backlog: pl.DataFrame) -> View:
        """Capacity, demand and gap at a time; `backlog` (site, zone, backlog) in work units."""
        self.fleet.forget(at - FORGOTTEN_US)
        self._arrivals.forget(at - FORGOTTEN_US)
        self._estimates = self._estimates.filter(pl.col("horizon_end") > at)
        capacity = draw(self.fleet.robots(), at, self._horizons, self._config)
        arriving = self._arrivals.rates(at)
        within, source, unmapped = self._demand(arriving)
        found = gaps(capacity, within, backlog)
        able = capacity.forecast().drop("mean")
        rows = (
            found.join(able, on=_KEY, how="left", maintain_order="left")
            .join(source, on=_KEY, how="left", maintain_order="left")
            .with_columns(
                pl.col("robots", "up").fill_null(0),
                pl.col("availability", "rate", "lo95", "lo80", "median", "hi80", "hi95").fill_null(0.0),
                pl.col("demand_source").fill_null("arrivals"),
            )
        )
        return View(_told(rows, at, self._map.version, self._model), self._rates(within, arriving), unmapped)

    def _rates(self, within: pl.DataFrame, arriving: pl.DataFrame) -> pl.DataFrame:
        shortest = within.filter(pl.col("horizon_us") == self._horizons[0])
        rate = (pl.col("mean") / (pl.col("horizon_us") / HOUR_US)).alias("rate")
        # Not by how uneven arrivals are: a surge would make the zone deaf for half a day.
        known = shortest.select(*_ZONE, rate).join(arriving.select(*_ZONE, "task"), on=_ZONE, how="left")
        return known.with_columns(pl.col("task").fill_null(1.0))

    @property
    def _model(self) -> str:
        return f"{self._config}; {arrivals.MODEL}"

    def _demand(self, arriving: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Demand by zone and horizon, whence it is, and what of it no rule is about.

        A forecast tells of whole buckets. What arrives tells more of less.
        """
        within = demand_within(arriving, self._horizons)
        current = self._estimates
        if not self._mapped or current.height == 0:
            return within, _sources(within, "arrivals"), pl.DataFrame(schema=UNMAPPED_SCHEMA)
        work = self._map.work(current)
        bucket_us = int((current["bucket_end"] - current["bucket_start"]).to_numpy().max())
        forecast = _within(work.zones, [horizon for horizon in self._horizons if horizon >= bucket_us])
        rest = within.join(forecast, on=_KEY, how="anti", maintain_order="left")
        both = pl.concat([forecast, rest]).sort(_KEY)
        source = pl.concat([_sources(forecast, "forecast"), _sources(rest, "arrivals")])
        return both, source, work.unmapped

    def snapshot(self) -> list[object]:
        """State as bytes."""
        return [self.fleet.snapshot(), self._arrivals.snapshot(), to_bytes(self._estimates)]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        fleet, arrived, estimates = state
        self.fleet.restore(fleet)
        self._arrivals.restore(arrived)
        self._estimates = from_bytes(estimates)


def _sources(demand: pl.DataFrame, source: str) -> pl.DataFrame:
    return demand.select(*_KEY, pl.lit(source).alias("demand_source"))


def _within(zones: pl.DataFrame, horizons: Sequence[int]) -> pl.DataFrame:
    """Work of zones (WORK_SCHEMA) within horizons, in DEMAND_SCHEMA: means and variances grow with the time."""
    hours = (pl.col("horizon_end") - pl.col("bucket_end")) / HOUR_US
    rates = (
        zones.with_columns((pl.col("variance") / hours).alias("variance"))
        .sort(*_ZONE, "bucket_end", "horizon_end")
        .group_by(_ZONE, maintain_order=True)
        .agg(pl.col("rate", "variance").sum())
    )
    spans = pl.DataFrame({"horizon_us": list(horizons)}, schema={"horizon_us": pl.Int64})
    span = pl.col("horizon_us") / HOUR_US
    rows = rates.join(spans, how="cross").with_columns(mean=pl.col("rate") * span, variance=pl.col("variance") * span)
    return rows.select(DEMAND_SCHEMA.keys())


def _told(rows: pl.DataFrame, at: int, version: str, model: str) -> pl.DataFrame:
    seconds = 3600.0
    return rows.with_columns(
        event_time=pl.lit(at),
        horizon_s=pl.col("horizon_us") / 1e6,
        capacity_lo95="lo95",
        capacity_lo80="lo80",
        capacity_hi80="hi80",
        capacity_hi95="hi95",
        gap_probability="shortfall",
        time_to_clear_s=pl.col("clear_h") * seconds,
        time_to_clear_hi95_s=pl.col("clear_hi95_h") * seconds,
        work_version=pl.lit(version),
        model=pl.lit(model),
    )
