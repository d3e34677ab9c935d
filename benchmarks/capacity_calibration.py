"""How often capacity lies within its intervals, simulated with known truth, beside two naive ways.

Robots fail, fall silent, are repaired, run empty and charge (`benchmarks.capacity_twin`, `benchmarks.capacity_own`). A
fleet is learned from what they report; at times capacity is forecast, and held against the work that the robots do when
they have plenty of it:

- *Takt*: `domain.alignment.capacity`;
- *binomial*: robots x mean rate x hours x share of time available so far, the number available at once binomial;
- *last value*: the work done in the hours before, as many as the horizon has, with the scatter of Poisson tasks.

Shown are the shares of truths within the 80 and 95 % intervals, the mean width of the latter over the mean truth (the
sharper the better, coverage being equal), the mean error, and Winkler's interval score of the 95 % interval over the
mean truth, which rewards both. Before that the gates: in the twin Little's law must hold and nobody be busier than
available, or its truth is not to be trusted.

    python -m benchmarks.capacity_calibration [--twin 8] [--own 40] [--first 100] [--whole]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.capacity_hours import HORIZONS_H, HOUR_US, START_US, WINDOW_US
from benchmarks.capacity_own import OwnSite
from benchmarks.capacity_twin import TwinSite
from domain.alignment.capacity import CapacityConfig, forecast
from domain.alignment.fleet import Fleet
from domain.twin.robot import Transition

Float64 = npt.NDArray[np.float64]
Site = TwinSite | OwnSite

WAYS = ("Takt", "binomial", "last value")
_LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
_BOUNDS = ("lo95", "lo80", "median", "hi80", "hi95")


@dataclass(slots=True)
class Heard:
    """What was heard so far, for the naive ways."""

    presence: list[pl.DataFrame] = field(default_factory=list)
    work: list[pl.DataFrame] = field(default_factory=list)

    def binomial(self, now_us: int, horizon_h: float) -> dict[tuple[str, str], tuple[float, ...]]:
        """Mean and quantiles by zone."""
        seen = pl.concat(self.presence).filter(pl.col("last_us") < now_us)
        work = (
            pl.concat(self.work)
            .filter(pl.col("window_start") < now_us)
            .group_by("site", "zone")
            .agg(pl.col("work_micro").sum())
        )
        hours = (now_us - START_US) / HOUR_US
        zones = (
            seen.group_by("site", "zone")
            .agg(pl.col("busy_us", "available_us").sum(), pl.col("robot").n_unique())
            .join(work, on=("site", "zone"))
        )
        found = {}
        for site, zone, busy, available, robots, units in zones.iter_rows():
            share = min(available / HOUR_US / hours / robots, 1.0)
            each = units / 1e6 / (busy / HOUR_US) * horizon_h
            found[site, zone] = (robots * share * each, *(stats.binom(robots, share).ppf(_LEVELS) * each))
        return found

    def last_value(self, now_us: int, horizon_h: float) -> dict[tuple[str, str], tuple[float, ...]]:
        """Mean and quantiles by zone."""
        since = now_us - round(horizon_h * HOUR_US)
        rows = pl.concat(self.work).filter(pl.col("window_start").is_between(since, now_us - 1))
        found = {}
        for site, zone, done, micro in (
            rows.group_by("site", "zone").agg(pl.col("done", "work_micro").sum()).iter_rows()
        ):
            spread = np.sqrt(2 / done) * stats.norm.ppf(_LEVELS)
            found[site, zone] = (micro / 1e6, *(micro / 1e6 * (1 + spread)))
        return found


def judged(sites: Sequence[Site], hours: int) -> Iterator[dict[str, object]]:
    """Forecasts and truths of sites that one fleet learns together; no site learns from another."""
    fleet, heard = Fleet(WINDOW_US), Heard()
    asked: list[tuple[float, float, str, str, str, tuple[float, ...]]] = []
    for place, parts in enumerate(zip(*(site.hours(hours) for site in sites), strict=True)):
        presence, work = pl.concat([p.presence for p in parts]), pl.concat([p.work for p in parts])
        heard.presence.append(presence)
        heard.work.append(work)
        seen, done = (frame.partition_by("window_start", as_dict=True) for frame in (presence, work))
        for minute in range(60):
            start = START_US + (place * 60 + minute) * WINDOW_US
            fleet.learn(start, seen.get((start,), presence.clear()), done.get((start,), work.clear()))
            now_h = place + (minute + 1) / 60
            for horizon in HORIZONS_H:
                if any(abs(at - now_h) < 1e-9 for at in sites[0].forecast_hours(horizon)):
                    rows = _forecasts(fleet, heard, start + WINDOW_US, horizon)
                    asked += [(round(now_h, 4), horizon, *row) for row in rows]
    truths = {site.name: site.truth for site in sites}
    for at, horizon, way, site, zone, values in asked:
        found = dict(zip(("mean", *_BOUNDS), values, strict=True))
        truth = truths[site](at, horizon).get(zone, 0.0)
        yield {"horizon": horizon, "site": site, "zone": zone, "way": way, "truth": truth, **found}


def _forecasts(
    fleet: Fleet, heard: Heard, now_us: int, horizon_h: float
) -> Iterator[tuple[str, str, str, tuple[float, ...]]]:
    """Way, site, zone, mean and quantiles."""
    horizon_us = round(horizon_h * HOUR_US)
    ours = forecast(fleet.robots(), now_us, [horizon_us], CapacityConfig(utilisation=1.0))
    for site, zone, *values in ours.select("site", "zone", "mean", *_BOUNDS).iter_rows():
        yield "Takt", site, zone, tuple(values)
    for way, found in (("binomial", heard.binomial), ("last value", heard.last_value)):
        for (site, zone), told in found(now_us, horizon_h).items():
            yield way, site, zone, told


def scores(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Coverage, width, error and interval score of groups."""
    truth, alpha = pl.col("truth"), 0.05
    below, above = (pl.col("lo95") - truth).clip(0), (truth - pl.col("hi95")).clip(0)
    width = pl.col("hi95") - pl.col("lo95")
    return rows.group_by(*by, "way").agg(
        pl.len().alias("n"),
        truth.is_between("lo80", "hi80").mean().alias("80 %"),
        truth.is_between("lo95", "hi95").mean().alias("95 %"),
        (width.mean() / truth.mean()).alias("width"),
        ((pl.col("mean") - truth).mean() / truth.mean()).alias("error"),
        ((width + 2 / alpha * (below + above)).mean() / truth.mean()).alias("score"),
    )


def table(rows: pl.DataFrame, title: str, *by: str) -> Table:
    """Scores, a row per group, three columns of figures per way."""
    shown = Table(title=title)
    for name in (*by, "forecasts"):
        shown.add_column(name)
    for way in WAYS:
        shown.add_column(f"{way}: 80 / 95 %", justify="right")
        shown.add_column("width, error, score", justify="right")
    for key, group in sorted(scores(rows, *by).partition_by(by, as_dict=True).items()):
        cells, ways = [], {row["way"]: row for row in group.iter_rows(named=True)}
        for way in WAYS:
            row = ways[way]
            cells += [
                f"{row['80 %']:.3f} / {row['95 %']:.3f}",
                f"{row['width']:.2f} {row['error']:+.3f} {row['score']:.2f}",
            ]
        shown.add_row(*map(str, key), f"{ways['Takt']['n']:,}", *cells)
    return shown


def gates(site: TwinSite) -> str:
    """Whether the twin may be believed: Little's law while there is not too much work, and utilisation."""
    steps = pl.concat(site.jobs).filter(pl.col("time") < 8 * 3_600_000)
    created, done = (steps.filter(transition=int(step)) for step in (Transition.CREATED, Transition.DONE))
    spans = created.join(done, on=("robot", "task"), suffix="_done")
    hours = (spans["time_done"] - spans["time"]).to_numpy().mean() / 3_600_000
    inside = np.mean(site.in_system[:8]) * steps["robot"].n_unique()
    return (
        f"Little's law: {inside:.1f} tasks in the system, arrivals x time in it {created.height / 8 * hours:.1f}; "
        f"highest utilisation {site.utilisation:.3f}"
    )


def speed() -> float:
    """Least CPU time in ms of ten forecasts for 500 robots in 5 zones and 4 horizons."""
    fleet = Fleet(WINDOW_US)
    for hour in TwinSite(0).hours(1):
        fleet.learn(START_US, hour.presence, hour.work)
    few = fleet.robots()
    zones = pl.col("robot").rank("dense").mod(5).cast(pl.String).alias("zone")
    robots = (
        pl.concat([few.with_columns(pl.col("robot") + str(copy)) for copy in range(3)]).head(500).with_columns(zones)
    )
    spent = []
    for _ in range(10):
        start = time.process_time()
        forecast(robots, START_US, [HOUR_US // 4, HOUR_US, 4 * HOUR_US, 24 * HOUR_US])
        spent.append(1000 * (time.process_time() - start))
    return min(spent)


def main() -> None:
    """Simulate, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--twin", type=int, default=8, help="days of the twin")
    parser.add_argument("--own", type=int, default=40, help="days of the other simulator")
    parser.add_argument("--first", type=int, default=100, help="seed of the first day")
    parser.add_argument("--whole", action="store_true", help="the other simulator counts tasks once they are done")
    parser.add_argument("--out", help="Parquet file for all forecasts")
    options = parser.parse_args()
    console = Console(width=160)
    first = options.first
    twins = [TwinSite(seed) for seed in range(first, first + options.twin)]
    own = [OwnSite(seed, whole=options.whole) for seed in range(first, first + options.own)]
    found = [{"make": "twin", **row} for row in judged(twins, 18)] if twins else []
    found += [{"make": "own", **row} for row in judged(own, 20)] if own else []
    if twins:
        console.print(gates(twins[0]))
    console.print(f"500 robots x 4 horizons: {speed():.0f} ms of CPU")
    rows = pl.DataFrame(found)
    if options.out:
        rows.write_parquet(options.out)
    console.print(table(rows, "By horizon (h)", "make", "horizon"))
    console.print(table(rows, "By horizon (h) and zone", "make", "zone", "horizon"))


if __name__ == "__main__":
    main()
