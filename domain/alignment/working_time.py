"""How long robots are able to work within a horizon: between charges, and while they have not failed.

Time runs on two clocks. The cycle of working and charging has known lengths and an uncertain phase, for which five
points of a normal distribution stand. An outage stops the cycle where it is, and the cycle goes on after it. So with D
hours down a robot works as long as the cycle alone would have it work in horizon - D: what an outage takes is lost only
as far as the robot would not have charged at the end instead.

D has the mean and variance of a chain of two states (`availability`), and the law of `_unspent`. If g(x) is what the
cycle works in the last x hours of the horizon and S(x) the probability of D > x, the loss has

    E[L] = integral of S(x) dg(x)    E[L^2] = integral of 2 g(x) S(x) dg(x)

Source of the points: Abramowitz and Stegun 25.4.46 (Gauss-Hermite).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.polynomial.hermite_e import hermegauss

from domain.alignment.availability import HOUR_US, UNHEARD_US, down_time, lost_for_good
from domain.alignment.charging import charged_by
from domain.alignment.fleet import ABLE, CHARGING, LOST_SHARE
from domain.alignment.losses import third_cumulant
from domain.alignment.tallies import Float64, ratio

_STEPS = 32
_NODES, _WEIGHTS = hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_PLACES = np.cumsum(_WEIGHTS) - _WEIGHTS / 2
_COLUMNS: Final = (
    *("rate", "rate_doubt", "zone_doubt", "scatter", "failure_rate", "failures", "repair_rate", "repairs"),
    *("drain", "charge", "low", "high", "low_variance", "high_variance"),
)


@dataclass(frozen=True, slots=True)
class Robots:
    """Columns of ROBOT_SCHEMA as arrays; times in hours from now."""

    able: np.ndarray
    charging: np.ndarray
    down: Float64
    """Hours for which it has been down."""
    battery: Float64
    columns: dict[str, Float64]

    def __getitem__(self, name: str) -> Float64:
        return self.columns[name]

    @property
    def is_down(self) -> np.ndarray:
        """Neither able to work nor charging, as far as is known."""
        down: np.ndarray = ~(self.able | self.charging)
        return down


@dataclass(frozen=True, slots=True)
class _Outage:
    """Hours down within a horizon by robot."""

    mean: Float64
    variance: Float64

    @property
    def square(self) -> Float64:
        """Mean of the square."""
        return self.variance + self.mean**2


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """Hours able to work within a horizon by robot: cumulants, the most there can be, and the mean lost."""

    mean: Float64
    variance: Float64
    third: Float64
    """Third cumulant of what is lost of the most."""
    most: Float64
    lost: Float64
    lost_anew: Float64


def lasting_share() -> pl.Expr:
    """Share of its time in which a robot of ROBOT_SCHEMA that is never short of work can work, in the long run.

    For each hour of work it is down for failure_rate / repair_rate hours and charges for drain / charge. One that does
    not tell its charge may have nothing to charge, so that is not taken off.
    """
    charging = pl.when(pl.col("battery").is_null()).then(0.0).otherwise(pl.col("drain") / pl.col("charge"))
    return 1 / (1 + pl.col("failure_rate") / pl.col("repair_rate") + charging)


def robots_now(rows: pl.DataFrame, now_us: int) -> Robots:
    """Robots in ROBOT_SCHEMA as they are taken for now."""
    silent = now_us - rows["seen_us"].to_numpy() > UNHEARD_US
    able = rows["mode"].is_in(ABLE).fill_null(value=False).to_numpy() & ~silent
    charging = (rows["mode"] == CHARGING).fill_null(value=False).to_numpy() & ~silent
    # A robot that fell silent while it worked failed then; one that was down before has been since.
    since = np.where(rows["mode"].is_in([*ABLE, CHARGING]).to_numpy(), rows["seen_us"], rows["since_us"])
    battery = rows["battery"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Robots(
        able=able,
        charging=charging,
        down=np.where(able | charging, 0.0, np.maximum(now_us - since, 0) / HOUR_US),
        battery=battery,
        columns={name: rows[name].to_numpy() for name in _COLUMNS},
    )


def working_time(robots: Robots, horizon: float) -> WorkingTime:
    """Time able to work within a horizon (hours)."""
    outage, anew = _down(robots, horizon)
    start, charging, period = (values[..., None] for values in _cycle(robots, horizon))
    edges = _edges(horizon)
    widths = np.diff(edges)
    # Cells are counted from the end of the horizon: what is worked in one is lost if the robot is down for longer.
    working = widths - np.diff(charged_by(horizon - edges[::-1], start, charging, period))[..., ::-1]
    weights = np.diff(_unspent(outage, edges), axis=-1)[:, None, :]
    lost = np.cumsum(working, axis=-1) - working / 2
    share = working / widths * weights
    middle = (edges[1:] + edges[:-1]) / 2
    first = outage.mean[:, None] * ratio(share.sum(axis=-1), weights.sum(axis=-1))
    second = outage.square[:, None] * ratio((lost * share).sum(axis=-1), (middle * weights).sum(axis=-1))
    most = working.sum(axis=-1)
    time = np.maximum(most - first, 0.0)
    mean = _over_points(time)
    spread = _over_points(np.maximum(second - first**2, 0.0) + np.square(time - mean[:, None]))
    spread = spread + _whole_charges(robots, horizon) * _levels(robots) / robots["charge"] ** 2
    back = 1 - np.where(robots.is_down, lost_for_good(robots["repair_rate"], robots.down, LOST_SHARE), 0.0)
    most = most.max(axis=-1)
    mean, variance = back * mean, back * spread + back * (1 - back) * mean**2
    lost_mean = back * _over_points(first)
    return WorkingTime(
        mean=mean,
        variance=variance,
        third=third_cumulant(most - mean, variance, most),
        most=most,
        lost=lost_mean,
        lost_anew=lost_mean * ratio(anew, outage.mean),
    )


def _over_points(values: Float64) -> Float64:
    """Mean over the points of the phase, the last axis; each row for itself, whatever others there are."""
    mean: Float64 = (values * _WEIGHTS).sum(axis=-1)
    return mean


def _edges(horizon: float) -> Float64:
    """Ends of cells of a horizon, short at its beginning: what becomes of robots that are down is settled early."""
    return horizon * np.square(np.linspace(0.0, 1.0, _STEPS + 1))


def _down(robots: Robots, horizon: float) -> tuple[_Outage, Float64]:
    """Time down within a horizon, and the mean of it that is of outages yet to come."""
    failures, repairs = robots["failure_rate"], robots["repair_rate"]
    slowed = 1 + failures / repairs
    start, charging, period = _cycle(robots, horizon)
    # Seen from outside, outages stretch the time worked between charges.
    repair = robots.is_down / repairs
    delayed = np.where(robots.charging[:, None], start, start * slowed[:, None] + repair[:, None])
    stretched = charging + (period - charging) * slowed[:, None]
    edges = _edges(horizon)
    steps = np.diff(edges)
    charged = charged_by(edges, delayed[..., None], charging[..., None], stretched[..., None])
    working = 1 - np.diff(_over_points(np.moveaxis(charged, 1, -1))) / steps
    mean, variance = down_time(robots.is_down * 1.0, working, steps, failures, repairs)
    away = failures + repairs
    now = robots.is_down * -np.expm1(-away * horizon) / away
    return _Outage(mean, np.maximum(variance, 0.0)), np.maximum(mean - now, 0.0)


def _unspent(outage: _Outage, edges: Float64) -> Float64:
    """Integral from 0 to each edge of the probability that a robot is down for longer.

    Of robots that are mostly never down: exponential, if they are at all. Of others: exponential beyond a least time.
    Both have the mean and variance given.
    """
    mean, deviation = outage.mean, np.sqrt(outage.variance)
    least = np.maximum(mean - deviation, 0.0)[:, None]
    rare = deviation > mean
    tail = np.where(rare, ratio(outage.square, 2 * mean), deviation)[:, None]
    ever = np.where(rare, ratio(2 * mean**2, outage.square), 1.0)[:, None]
    beyond = np.maximum(edges - least, 0.0)
    decayed = -np.expm1(-np.divide(beyond, tail, out=np.zeros_like(beyond), where=tail > 0))
    unspent: Float64 = ever * (np.minimum(edges, least) + tail * decayed)
    return unspent


def _levels(robots: Robots) -> Float64:
    """Variance of what a battery gains from one level to the other."""
    return robots["low_variance"] + robots["high_variance"]


def _whole_charges(robots: Robots, horizon: float) -> Float64:
    """Charges that begin and end within a horizon: how long they take is in doubt, wherever in its cycle a robot is."""
    start, charging, period = (values[:, values.shape[1] // 2] for values in _cycle(robots, horizon))
    first_end = start + charging + np.where(robots.charging, period, 0.0)
    charges: Float64 = np.floor(np.maximum((horizon - first_end) / period + 1, 0.0))
    return charges


def _cycle(robots: Robots, horizon: float) -> tuple[Float64, Float64, Float64]:
    """When each robot (rows) goes to charge at each point of its uncertain phase; time to charge, and of a cycle.

    In hours of the cycle, which outages stop.
    """
    drain, charge, low, high = (robots[name] for name in ("drain", "charge", "low", "high"))
    charging, working = (high - low) / charge, (high - low) / drain
    period = charging + working
    left = np.maximum(robots.battery - low, 0.0) / drain
    plugged = np.clip((high - robots.battery) / charge, 0.0, charging)
    start = np.where(robots.charging, plugged - charging, left)
    levels = np.where(robots.charging, robots["high_variance"] / charge**2, robots["low_variance"] / drain**2)
    anew = _levels(robots) * (1 / charge**2 + 1 / drain**2)
    # The levels of a cycle are only felt when the next one begins: until then nothing else hangs on them.
    spread = np.sqrt(levels + anew * np.floor(np.maximum(horizon - start, 0.0) / period))
    shifted = start[:, None] + spread[:, None] * _NODES
    shifted = np.where(robots.charging[:, None], np.maximum(shifted, -charging[:, None]), np.maximum(shifted, 0.0))
    # Nothing is known of the phase of a robot that does not tell its charge.
    anywhere = np.where(robots.charging, -charging, working)[:, None] * _PLACES
    shifted = np.where(np.isnan(robots.battery)[:, None], anywhere, shifted)
    return shifted, charging[:, None], period[:, None]
