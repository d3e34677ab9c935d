"""Capacity of zones: the work that their robots can do within a horizon, with its uncertainty.

    capacity(h) = rho x sum over robots of (time able to work within h) x (work per busy hour)

for robots that are never short of work. A robot stays in its zone: to move it is a decision, not chance.

Time able to work is foreseen robot by robot (`working_time`). What a robot loses to failures is taken for Beta, between
nothing and all (`losses`); cumulants of robots add up to those of a zone, whose loss is Beta with these. What is not
known of the rate is Gamma, and so is the work done in a given time.

Source: Trivedi, Probability and Statistics with Reliability, Queuing, and Computer Science Applications, chapter 8
(interval availability of a two-state chain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from domain.alignment.availability import HOUR_US
from domain.alignment.chance import generator
from domain.alignment.fleet import Schema
from domain.alignment.losses import draw_loss
from domain.alignment.tallies import ZONE, Float64, Int64, ratio
from domain.alignment.working_time import Robots, WorkingTime, robots_now, working_time

QUANTILES: Final = {"lo95": 0.025, "lo80": 0.1, "median": 0.5, "hi80": 0.9, "hi95": 0.975}
CAPACITY_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "horizon_us": pl.Int64,
    "robots": pl.Int64,
    "up": pl.Int64,
    "availability": pl.Float64,
    "rate": pl.Float64,
    "mean": pl.Float64,
    **dict.fromkeys(QUANTILES, pl.Float64),
}
"""Per zone and horizon: robots known, those able to work now, mean share of their time in which they will be; `rate`,
work units per busy robot-hour; mean and quantiles of the work units that the zone can do."""


@dataclass(frozen=True, slots=True)
class CapacityConfig:
    """Utilisation at which capacity ends, and number of random draws for the quantiles."""

    utilisation: float = 0.9
    draws: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.utilisation <= 1 or self.draws < 1:
            raise ValueError(f"utilisation must lie above 0 and not above 1, draws must be 1 or more: {self}")

    def __str__(self) -> str:
        return f"interval-availability@1(utilisation={self.utilisation:g},draws={self.draws})"


@dataclass(frozen=True, slots=True)
class Draws:
    """Capacity as random draws.

    `zones` has the columns of CAPACITY_SCHEMA up to `mean`, sorted by site, zone and horizon; `work` (rows, draws) is
    in work units.
    """

    now_us: int
    zones: pl.DataFrame
    work: Float64

    def forecast(self) -> pl.DataFrame:
        """The draws' quantiles, in CAPACITY_SCHEMA."""
        quantiles = np.quantile(self.work, list(QUANTILES.values()), axis=1) if self.zones.height else np.zeros((5, 0))
        columns = [pl.Series(name, values) for name, values in zip(QUANTILES, quantiles, strict=True)]
        return self.zones.with_columns(columns)


def forecast(
    robots: pl.DataFrame, now_us: int, horizons_us: Sequence[int], config: CapacityConfig | None = None
) -> pl.DataFrame:
    """Capacity in CAPACITY_SCHEMA of robots in ROBOT_SCHEMA (further columns do not matter), see `draw`."""
    return draw(robots, now_us, horizons_us, config).forecast()


def draw(robots: pl.DataFrame, now_us: int, horizons_us: Sequence[int], config: CapacityConfig | None = None) -> Draws:
    """Capacity from `now_us` on, by zone and horizon (us, above 0), of robots in ROBOT_SCHEMA.

    A zone's random numbers depend on its site, name and time only.
    """
    config = config or CapacityConfig()
    if any(horizon <= 0 for horizon in horizons_us):
        raise ValueError(f"horizons must be longer than 0: {list(horizons_us)}")
    horizons = sorted(set(horizons_us))
    rows = robots.sort("site", "zone", "robot").head(robots.height if horizons else 0)
    keys = rows.select(ZONE).unique(maintain_order=True)
    zone = (rows.select(pl.struct(ZONE).rank("dense")).to_series().to_numpy() - 1).astype(np.int64)
    state = robots_now(rows, now_us)
    parts = [_moments(zone, state, working_time(state, horizon / HOUR_US), horizon / HOUR_US) for horizon in horizons]
    able = np.bincount(zone, state.able, minlength=keys.height).astype(np.int64)
    frames, work = [], []
    for place, (site, name) in enumerate(keys.iter_rows()):
        here = {column: np.array([part[column][place] for part in parts]) for column in parts[0]}
        frames.append(_frame(site, name, horizons, int(able[place]), here, config.utilisation))
        work.append(config.utilisation * _work(generator("capacity", site, name, now_us), here, config.draws))
    zones = pl.DataFrame(schema={n: t for n, t in CAPACITY_SCHEMA.items() if n not in QUANTILES})
    return Draws(now_us, pl.concat([zones, *frames]), np.concatenate([np.zeros((0, config.draws)), *work]))


def _moments(zone: Int64, robots: Robots, time: WorkingTime, horizon: float) -> dict[str, Float64]:
    """By zone: moments of the work of an uncertain time, and of what makes it uncertain besides."""

    def total(values: Float64) -> Float64:
        return np.bincount(zone, values).astype(np.float64)

    rate = robots["rate"]
    count = total(np.ones_like(rate))
    mean, hours, most = (total(values) for values in (rate * time.mean, time.mean, rate * time.most))
    # Failures and repairs of a zone are as uncertain for all its robots together.
    shared = total(rate * time.lost_anew) ** 2 / _first(zone, robots["failures"])
    shared += total(rate * time.lost) ** 2 / _first(zone, robots["repairs"])
    own = total((rate * time.mean) ** 2 * robots["rate_doubt"])
    own += total(rate * time.mean * np.sqrt(robots["zone_doubt"])) ** 2
    return {
        "robots": count,
        "availability": hours / (count * horizon),
        "rate": np.divide(mean, hours, out=total(rate) / count, where=hours > 0),
        "mean": mean,
        "variance": total(rate**2 * time.variance) + shared,
        "third": total(rate**3 * time.third),
        "most": most,
        "doubt": ratio(own, mean**2),
        "scatter": _first(zone, robots["scatter"]),
    }


def _first(zone: Int64, values: Float64) -> Float64:
    """A zone's value, which all its robots have; `zone` is sorted."""
    return values[np.flatnonzero(np.diff(zone, prepend=-1))]


def _work(rng: np.random.Generator, zone: dict[str, Float64], draws: int) -> Float64:
    """Work of a zone by horizon (horizons, draws) if robots were never idle."""
    doubt = zone["doubt"][0]
    # What is not known of the rate is the same for all horizons.
    factor = rng.gamma(1 / doubt, doubt, draws) if doubt > 0 else np.ones(draws)
    rows = []
    for mean, variance, third, most, scatter in zip(
        *(zone[name].tolist() for name in ("mean", "variance", "third", "most", "scatter")), strict=True
    ):
        lost = draw_loss(rng, most - mean, variance, third, most, draws)
        work = np.maximum(most - lost, 0.0) * factor
        rows.append(rng.gamma(work / scatter, scatter) if scatter > 0 else work)
    return np.array(rows)


def _frame(
    site: str, zone: str, horizons: list[int], up: int, values: dict[str, Float64], utilisation: float
) -> pl.DataFrame:
    columns = {
        "site": [site] * len(horizons),
        "zone": [zone] * len(horizons),
        "horizon_us": horizons,
        "robots": values["robots"].astype(np.int64),
        "up": [up] * len(horizons),
        "availability": values["availability"],
        "rate": values["rate"],
        "mean": utilisation * values["mean"],
    }
    return pl.DataFrame(columns, schema={n: t for n, t in CAPACITY_SCHEMA.items() if n in columns})
