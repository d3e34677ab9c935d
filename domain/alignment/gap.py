"""The gap between the work demanded of a zone and the work it can do, and how long its backlog takes to clear.

    gap(h) = demand(h) + backlog - capacity(h)          time to clear = backlog / (capacity rate - demand rate)

with rates of the horizon. Demand is Gamma with the mean and variance given, independent of capacity; both are drawn,
and quantiles are those of the draws. A backlog that demand does not let shrink never clears: its time is infinite,
which is null here. No backlog is clear at once, whatever comes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from domain.alignment.arrivals import DEMAND_SCHEMA
from domain.alignment.availability import HOUR_US
from domain.alignment.capacity import Draws
from domain.alignment.chance import generator
from domain.alignment.fleet import Schema
from domain.alignment.tallies import ZONE, Float64

_LEVELS: Final = {"lo95": 0.025, "median": 0.5, "hi95": 0.975}
BACKLOG_SCHEMA: Final[Schema] = {"site": pl.String, "zone": pl.String, "backlog": pl.Float64}
"""Work units that wait in a zone."""
GAP_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "horizon_us": pl.Int64,
    "demand": pl.Float64,
    **{f"demand_{level}": pl.Float64 for level in _LEVELS},
    "backlog": pl.Float64,
    "capacity": pl.Float64,
    "gap": pl.Float64,
    **{f"gap_{level}": pl.Float64 for level in _LEVELS},
    "shortfall": pl.Float64,
    "clears": pl.Boolean,
    "clear_h": pl.Float64,
    **{f"clear_{level}_h": pl.Float64 for level in _LEVELS},
    "clears_within": pl.Float64,
}
"""Per zone and horizon, in work units but for: `shortfall`, probability of a gap above 0; `clears`, whether the backlog
clears at mean rates; `clear_h`, the hours that takes, and its quantiles, null if infinite; `clears_within`, probability
that it clears within the horizon."""

_KEY = (*ZONE, "horizon_us")


def gaps(capacity: Draws, demand: pl.DataFrame, backlog: pl.DataFrame) -> pl.DataFrame:
    """Gaps in GAP_SCHEMA, sorted by zone and horizon, of every zone that has robots, demand or a backlog.

    `demand` in DEMAND_SCHEMA, one row per zone and horizon; `backlog` in BACKLOG_SCHEMA. What is missing is 0.
    """
    rows = _rows(capacity, demand, backlog)
    work = np.zeros((rows.height, capacity.work.shape[1]))
    place = rows["place"].to_numpy()
    work[place >= 0] = capacity.work[place[place >= 0]]
    asked = _demand(rows, work.shape[1], capacity.now_us)
    hours = rows["horizon_us"].to_numpy() / HOUR_US
    waiting, mean, able = (rows[name].to_numpy() for name in ("backlog", "mean", "capacity"))
    missing = asked + waiting[:, None] - work
    clear = _time_to_clear(waiting[:, None], (work - asked) / hours[:, None])
    expected = _time_to_clear(waiting, (able - mean) / hours)
    columns = {
        "demand": mean,
        **_quantiles(asked, "demand_{}"),
        "backlog": waiting,
        "capacity": able,
        "gap": mean + waiting - able,
        **_quantiles(missing, "gap_{}"),
        "shortfall": (missing > 0).mean(axis=1),
        "clears": np.isfinite(expected),
        "clear_h": expected,
        **_quantiles(clear, "clear_{}_h"),
        "clears_within": (clear <= hours[:, None]).mean(axis=1),
    }
    found = rows.select(_KEY).with_columns(pl.Series(n, v, GAP_SCHEMA[n]) for n, v in columns.items())
    times = [name for name in columns if name.startswith("clear_")]
    return found.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in times)


def _rows(capacity: Draws, demand: pl.DataFrame, backlog: pl.DataFrame) -> pl.DataFrame:
    """Zones and horizons with `mean` and `variance` of demand, `backlog`, `capacity`, `place` of its draws or -1."""
    able = capacity.zones.select(*_KEY, pl.col("mean").alias("capacity")).with_row_index("place")
    asked = demand.select(DEMAND_SCHEMA.keys())
    horizons = pl.concat([able["horizon_us"], asked["horizon_us"]]).unique().to_frame()
    zones = pl.concat([frame.select(ZONE) for frame in (able, asked, backlog)]).unique()
    return (
        zones.join(horizons, how="cross")
        .join(asked, on=_KEY, how="left")
        .join(backlog.select(BACKLOG_SCHEMA.keys()), on=ZONE, how="left")
        .join(able.with_columns(pl.col("place").cast(pl.Int64)), on=_KEY, how="left")
        .with_columns(pl.col("mean", "variance", "backlog", "capacity").fill_null(0.0), pl.col("place").fill_null(-1))
        .sort(_KEY)
    )


def _demand(rows: pl.DataFrame, draws: int, now_us: int) -> Float64:
    """Gamma draws of demand (rows, draws)."""
    drawn = np.zeros((rows.height, draws))
    for place, (site, name, horizon, mean, variance) in enumerate(rows.select(*_KEY, "mean", "variance").iter_rows()):
        if mean <= 0 or variance <= 0:
            drawn[place] = max(mean, 0.0)
            continue
        rng = generator(f"demand within {horizon}", site, name, now_us)
        drawn[place] = rng.gamma(mean * mean / variance, variance / mean, draws)
    return drawn


def _time_to_clear(backlog: Float64, rate: Float64) -> Float64:
    """Hours until a backlog (work units) that shrinks at a rate (per hour) is gone; infinity if it does not shrink.

    >>> _time_to_clear(np.array([6.0, 6.0, 0.0]), np.array([3.0, 0.0, -1.0])).tolist()
    [2.0, inf, 0.0]
    """
    backlog, rate = np.broadcast_arrays(backlog, rate)
    time = np.divide(backlog, rate, out=np.full(rate.shape, np.inf), where=rate > 0)
    return np.where(backlog > 0, time, 0.0)


def _quantiles(draws: Float64, name: str) -> dict[str, Float64]:
    """Quantiles of each row; between the finite and the infinite they are infinite."""
    if not len(draws):
        return {name.format(level): np.zeros(0) for level in _LEVELS}
    found = np.quantile(draws, list(_LEVELS.values()), axis=1, method="inverted_cdf")
    return {name.format(level): values for level, values in zip(_LEVELS, found, strict=True)}
