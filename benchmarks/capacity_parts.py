"""Where the width of capacity's intervals comes from, and what it would have to be: part by part, for a horizon.

The second simulator of `benchmarks.capacity_calibration` goes on from each moment of a forecast many times, each time
with other random numbers. So the true variance of the work to come is known: of the time that robots can work, of the
work in a given time (its scatter), and by how much the mean of the forecast is wrong. Beside each part stands what the
forecast takes it for, in shares of the whole truth, and how often its interval holds, taking futures for normal; as it
is, and with the scatter that theory gives for this simulator.

Scatter in theory: work of a time varies by Var(W - r S) / E(W) per unit, where W is the work of a task, S its time and
r = E(W) / E(S) (renewal reward; Cox, Renewal Theory, chapter 8).

    python -m benchmarks.capacity_parts [--days 6] [--first 400] [--futures 24] [--hours 4]
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.capacity_hours import HOUR_US, START_US, WINDOW_US
from benchmarks.capacity_own import _MTBF_H, OwnSite
from domain.alignment.capacity import _first, _moments
from domain.alignment.fleet import Fleet
from domain.alignment.working_time import robots_now, working_time

Float64 = npt.NDArray[np.float64]

THEORY: Final = 0.783
"""Gamma(2, 1.5) work of a task, (0.3 + 0.7 W / 3) times a lognormal of variance .1735 its time."""
_LEVELS: Final = (0.8, 0.95)


class BranchingSite(OwnSite):
    """The second simulator, of which many futures are looked at."""

    def __init__(self, seed: int, futures: int, horizon_h: float) -> None:
        super().__init__(seed)
        self._seed, self._futures, self._horizon = seed, futures, horizon_h
        self.ahead: dict[float, dict[str, tuple[Float64, Float64]]] = {}
        """By time and zone: work and hours able to work of each future."""

    def _look_ahead(self, now: float) -> None:
        found: dict[str, list[Float64]] = {}
        for future in range(self._futures):
            robots = copy.deepcopy(self._robots)
            sums: dict[str, Float64] = {}
            for place, robot in enumerate(robots):
                robot.rng = np.random.default_rng((self._seed, round(now), future, place))
                # What is not decided yet is drawn anew: the time to a failure has no memory.
                if robot.mode in {"idle", "busy"}:
                    robot.failure = float(robot.rng.exponential(_MTBF_H))
                before = np.array([robot.totals[3], robot.totals[1]])
                robot.run(now + self._horizon, plenty=True)
                after = np.array([robot.totals[3], robot.totals[1]])
                sums[robot.zone] = sums.get(robot.zone, np.zeros(2)) + after - before
            for zone, total in sums.items():
                found.setdefault(zone, []).append(total)
        self.ahead[now] = {zone: (np.array(rows)[:, 0], np.array(rows)[:, 1]) for zone, rows in found.items()}


def parts(seed: int, futures: int, horizon_h: float) -> Iterator[dict[str, float | str]]:
    """Of each forecast of a day: what it takes the parts of its variance for, and what they are."""
    site, fleet = BranchingSite(seed, futures, horizon_h), Fleet(WINDOW_US)
    for hour, heard in enumerate(site.hours(20)):
        seen, done = (frame.partition_by("window_start", as_dict=True) for frame in (heard.presence, heard.work))
        for minute in range(60):
            start = START_US + (hour * 60 + minute) * WINDOW_US
            fleet.learn(start, seen.get((start,), heard.presence.clear()), done.get((start,), heard.work.clear()))
        for zone, (work, able) in site.ahead.get(hour + 1.0, {}).items():
            robots = fleet.robots().filter(zone=zone)
            yield {"zone": zone, **_foreseen(robots, horizon_h, hour + 1), **_true(work, able)}


def _foreseen(robots: pl.DataFrame, horizon_h: float, hour: int) -> dict[str, float]:
    now = robots_now(robots, START_US + hour * HOUR_US)
    zone = np.zeros(robots.height, dtype=np.int64)
    moments = _moments(zone, now, working_time(now, horizon_h), horizon_h)
    found = {name: float(value[0]) for name, value in moments.items()}
    return {
        "mean": found["mean"],
        "hours": found["mean"] / found["rate"],
        "time": found["variance"],
        "doubt": found["doubt"] * found["mean"] ** 2,
        "per_unit": float(_first(zone, now["scatter"])[0]),
    }


def _true(work: Float64, able: Float64) -> dict[str, float]:
    rate = work.sum() / able.sum()
    return {
        "true_mean": work.mean(),
        "true_hours": able.mean(),
        "true_variance": work.var(ddof=1),
        "true_time": able.var(ddof=1) * rate**2,
        "true_rate": rate,
        "futures": len(work),
    }


def table(rows: pl.DataFrame) -> Table:
    """By zone, parts in shares of the mean square of (work that came - mean foreseen)."""
    col = pl.col
    missed = (col("mean") - col("true_mean")) ** 2 - col("true_variance") / col("futures")
    hours = (col("hours") - col("true_hours")) ** 2 * col("true_rate") ** 2 - col("true_time") / col("futures")
    rate = (col("mean") / col("hours") / col("true_rate") - 1) ** 2 * col("true_mean") ** 2
    found = rows.with_columns(
        whole=col("true_variance") + missed,
        scatter=col("per_unit") * col("mean"),
        true_scatter=col("true_variance") - col("true_time"),
        true_time=col("true_time") + hours,
        true_doubt=rate,
        other=col("time") + (col("doubt") + col("per_unit") * col("mean")) * THEORY / col("per_unit"),
    ).with_columns(foreseen=col("time") + col("doubt") + col("scatter"))
    shown = Table(title="Foreseen / true, in shares of the true variance")
    names = ("zone", "forecasts", "variance", "time", "scatter", "rate", "scatter per unit", "holds", "with theory's")
    for name in names:
        shown.add_column(name, justify="right")
    for group in [*(part for _, part in sorted(found.partition_by("zone", as_dict=True).items())), found]:
        # Zones count alike, whatever their size.
        weight = 1 / group["true_mean"].to_numpy() ** 2
        share = {name: float((group[name].to_numpy() * weight).sum()) for name in group.columns if name != "zone"}
        pairs = [("time", "true_time"), ("scatter", "true_scatter"), ("doubt", "true_doubt")]
        cells = [f"{share[a] / share['whole']:.2f} / {share[b] / share['whole']:.2f}" for a, b in pairs]
        found_unit = group["true_scatter"].to_numpy().sum() / group["true_mean"].to_numpy().sum()
        unit = f"{group['per_unit'].to_numpy().mean():.2f} / {found_unit:.2f}"
        name = "all" if group is found else group["zone"][0]
        held = [_held(group, column) for column in ("foreseen", "other")]
        shown.add_row(name, str(group.height), f"{share['foreseen'] / share['whole']:.2f}", *cells, unit, *held)
    return shown


def _held(rows: pl.DataFrame, variance: str) -> str:
    """Share of futures within the intervals of forecasts of these variances."""
    mean, true, spread = (rows[name].to_numpy() for name in ("mean", "true_mean", "true_variance"))
    told = []
    for level in _LEVELS:
        half = stats.norm.ppf(0.5 + level / 2) * np.sqrt(rows[variance].to_numpy())
        above, below = (mean + half - true) / np.sqrt(spread), (mean - half - true) / np.sqrt(spread)
        told.append(f"{np.nanmean(stats.norm.cdf(above) - stats.norm.cdf(below)):.3f}")
    return " / ".join(told)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--first", type=int, default=400, help="seed of the first day")
    parser.add_argument("--futures", type=int, default=24, help="of each forecast")
    parser.add_argument("--hours", type=float, default=4.0, help="horizon")
    options = parser.parse_args()
    rows = [row for day in range(options.days) for row in parts(options.first + day, options.futures, options.hours)]
    Console(width=160).print(table(pl.DataFrame(rows)))


if __name__ == "__main__":
    main()
