"""How often intervals of demand hold what they should: nominal 95 %, on real counts, by class of demand.

After each bucket an interval is given for the demand of the next h buckets in all, and judged when they are over. The
mean is the same for all ways, and the variance but for the second and the last two:

- *normal*: mean +- 1.96 standard deviations;
- *NB, h s^2*: negative binomial, with h times the one-step variance, as if levels were known;
- *NB*: negative binomial, with the doubt about the level added, which grows with h^2;
- *NB + ACI*: the same, at the miss rate that adaptive conformal inference asks for;
- *scaled + ACI*: besides, its variance is scaled by the squared errors of closed windows over those expected;
- *Takt*: besides, the variance grows where the miss rate asked for would go below its least.

Coverage is of all windows after the first third of each series; width is the median over series of the mean width, over
the mean demand of a window.

    python -m benchmarks.forecast_intervals --shared DIR [--packages DIR] [--bayesm DIR]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.forecast_accuracy import judged_from, syntetos_boylan, usable, windows
from benchmarks.forecast_contenders import CLASSES, Seasonal
from benchmarks.forecast_data import DataSet, Float64, data_sets, picked
from domain.demand.conformal import AdaptiveLevel, ConformalLevels
from domain.demand.series import Outlook, Series
from domain.demand.window_scale import WindowScale
from domain.statistics.quantiles import negative_binomial_interval

WAYS = ("normal", "NB, h s^2", "NB", "NB + ACI", "scaled + ACI", "Takt")
MISS = 0.05
_GAUSSIAN = 1.959964


def outlooks(values: Float64, season: int, horizon: int) -> list[Outlook]:
    """What Takt thinks of the next h buckets after each bucket."""
    series = Series(Seasonal(horizon=horizon, buckets=season))
    found = []
    for value in values.tolist():
        series.learn_one(value)
        found.append(series.forecast())
    return found


def intervals(data: DataSet, many: list[Float64]) -> list[dict[str, tuple[Float64, Float64]]]:
    """Per series: lower and upper bounds after each bucket, by way."""
    horizon, found = data.horizon, []
    for values in many:
        seen = outlooks(values, data.season, horizon)
        mean, variance = np.array([o.mean for o in seen]), np.array([o.variance for o in seen])
        plain = horizon * np.array([o.next_variance for o in seen])
        spread = _GAUSSIAN * np.sqrt(variance)
        found.append(
            {
                "normal": (mean - spread, mean + spread),
                "NB, h s^2": _floats(negative_binomial_interval(mean, plain, MISS)),
                "NB": _floats(negative_binomial_interval(mean, variance, MISS)),
                "moments": (mean, variance),
            }
        )
    moments = [bounds.pop("moments") for bounds in found]
    level = Seasonal().level
    clipped = replace(level, reach=0.0)
    for way, used, scale in (
        ("NB + ACI", clipped, WindowScale(most=1.0)),
        ("scaled + ACI", clipped, Seasonal().scale),
        ("Takt", level, Seasonal().scale),
    ):
        for bounds, adapted in zip(found, _adapted(horizon, many, moments, used, scale), strict=True):
            bounds[way] = adapted
    return found


def _floats(bounds: tuple[np.ndarray, np.ndarray]) -> tuple[Float64, Float64]:
    return bounds[0].astype(np.float64), bounds[1].astype(np.float64)


def _adapted(
    horizon: int, many: list[Float64], moments: list[tuple[Float64, Float64]], level: AdaptiveLevel, scale: WindowScale
) -> list[tuple[Float64, Float64]]:
    levels = ConformalLevels(level, horizon, len(many), scale)
    found = [(np.zeros(len(values)), np.zeros(len(values))) for values in many]
    for at in range(max(map(len, many))):
        rows = np.array([row for row, values in enumerate(many) if at < len(values)])
        levels.learn(rows, np.array([many[row][at] for row in rows]))
        mean, variance = (np.array([moments[row][part][at] for row in rows]) for part in (0, 1))
        variance = levels.expect(rows, mean, variance)
        lower, upper = negative_binomial_interval(mean, variance, levels.level(rows))
        levels.issue(rows, lower, upper)
        for row, low, high in zip(rows.tolist(), lower.tolist(), upper.tolist(), strict=True):
            found[row][0][at], found[row][1][at] = low, high
    return found


def coverage(data: DataSet) -> pl.DataFrame:
    """Windows judged and windows held, and width, per series and way."""
    chosen = {name: values for name, values in picked(data).items() if usable(values, data.horizon)}
    rows = []
    for (name, values), bounds in zip(chosen.items(), intervals(data, list(chosen.values())), strict=True):
        start = judged_from(values, data.horizon)
        actual = windows(values, data.horizon)[start:]
        about = {"data": data.name, "part": data.part, "series": name, "class": syntetos_boylan(values)}
        for way in WAYS:
            lower, upper = (bound[start : start + len(actual)] for bound in bounds[way])
            held = int(((lower <= actual) & (actual <= upper)).sum())
            width = float((upper - np.maximum(lower, 0)).mean() / actual.mean())
            rows.append(about | {"way": way, "windows": len(actual), "held": held, "width": width})
    return pl.DataFrame(rows)


def table(frame: pl.DataFrame, title: str, by: tuple[str, ...]) -> Table:
    """Coverage and width, one row per group, one column per way."""
    shown = Table(title=title)
    for name in (*by, "series", "windows"):
        shown.add_column(name)
    for way in WAYS:
        shown.add_column(way, justify="right")
    groups = frame.group_by(*by, "way").agg(
        pl.col("windows", "held").sum(), pl.col("width").median(), pl.len().alias("series")
    )
    order = {str(name): place for place, name in enumerate(CLASSES)}
    keys = sorted(groups.select(by).unique().rows(), key=lambda key: (key[:-1], order.get(key[-1], key[-1])))
    for key in keys:
        ways = {row["way"]: row for row in groups.iter_rows(named=True) if tuple(row[n] for n in by) == key}
        cells = [f"{ways[way]['held'] / ways[way]['windows']:.3f} ({ways[way]['width']:.2f})" for way in WAYS]
        shown.add_row(*key, str(ways["NB"]["series"]), f"{ways['NB']['windows']:,}", *cells)
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--shared", "--packages", "--bayesm", "--out"):
        parser.add_argument(option, type=Path)
    options = parser.parse_args()
    found = data_sets(options.shared, options.packages, options.bayesm)
    parts = [coverage(data) for data in found if data.counted]
    frame = pl.concat([part for part in parts if part.height])
    if options.out:
        frame.write_parquet(options.out)
    console = Console(width=160)
    console.print(table(frame, "Coverage of nominal 95 % (width / mean)", ("part", "class")))
    console.print(table(frame, "All of a part", ("part",)))
    console.print(table(frame.with_columns(all=pl.lit("all")), "All", ("all",)))
    console.print(table(frame, "By data set", ("data", "class")))


if __name__ == "__main__":
    main()
