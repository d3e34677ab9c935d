"""How well demand is forecast on real series, by class of demand, against simpler ways and River's own.

After each bucket every contender says how much will be asked for in the next h buckets in all. Forecasts made after
the first third of a series are judged, at every bucket, until the last window that closes. Per series:

- *RMSE / mean*: root of the mean squared error, over the mean demand of a window;
- *scaled error*: mean absolute error, over that of saying "as much as in the last h buckets" (1: as good as that).

The tables have medians over series, the share of series on which Takt's RMSE is the lesser (ties count half), and the
geometric mean over series of Takt's RMSE over the contender's, each ratio within 1,000.
Classes are Syntetos and Boylan's over the whole series, which no contender knows.

    python -m benchmarks.forecast_accuracy --shared DIR [--packages DIR] [--bayesm DIR] [--out FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.table import Table

from benchmarks.forecast_contenders import CLASSES, CONTENDERS, Guarded
from benchmarks.forecast_data import PARTS, DataSet, Float64, data_sets, picked
from domain.demand.classes import ADI_LIMIT, CV2_LIMIT

TAKT = "series (Takt)"
MEASURES = ("rmse", "scaled")


def syntetos_boylan(values: Float64) -> str:
    """Class of a whole series."""
    sizes = values[values > 0]
    rare = len(values) / len(sizes) >= ADI_LIMIT
    uneven = sizes.var() / sizes.mean() ** 2 >= CV2_LIMIT
    return ("lumpy" if uneven else "intermittent") if rare else ("erratic" if uneven else "smooth")


def windows(values: Float64, horizon: int) -> Float64:
    """Demand of the h buckets after each bucket from which so many follow."""
    sums: Float64 = sliding_window_view(values[1:], horizon).sum(axis=1)
    return sums


def judged_from(values: Float64, horizon: int) -> int:
    """First bucket after which forecasts are judged: a third of the series, and a whole window before it."""
    return max(len(values) // 3, horizon)


def forecasts(name: str, values: Float64, season: int, horizon: int) -> tuple[Float64, float]:
    """Forecast of every window that is judged, and the share that failed."""
    contender = CONTENDERS[name](season, horizon)
    start, found = judged_from(values, horizon), []
    for place, value in enumerate(values[: len(values) - horizon].tolist()):
        contender.learn_one(value)
        if place >= start:
            found.append(sum(contender.forecast(horizon)))
    failed = contender.failed / contender.asked if isinstance(contender, Guarded) else 0.0
    return np.array(found), failed


def measured(forecast: Float64, values: Float64, horizon: int) -> dict[str, float]:
    """Errors of the forecasts of a series' judged windows."""
    start = judged_from(values, horizon)
    demand = windows(values, horizon)
    actual, before = demand[start:], demand[start - horizon : -horizon]
    with np.errstate(over="ignore"):
        errors = forecast - actual
        rmse = float(np.sqrt(np.mean(errors * errors)) / actual.mean())
    return {"rmse": rmse, "scaled": float(np.mean(np.abs(errors)) / np.mean(np.abs(actual - before)))}


def usable(values: Float64, horizon: int) -> bool:
    """Whether there is anything to judge: windows, demand in them, and not all of them alike."""
    if len(values) < 4 * horizon:
        return False
    actual = windows(values, horizon)[judged_from(values, horizon) - horizon :]
    return bool(actual[horizon:].any() and (actual[horizon:] != actual[:-horizon]).any())


def scores(data: DataSet, names: tuple[str, ...] = tuple(CONTENDERS)) -> pl.DataFrame:
    """Errors of every contender on every series of a data set."""
    rows = []
    for series, values in picked(data).items():
        if not usable(values, data.horizon):
            continue
        about = {"data": data.name, "part": data.part, "series": series, "class": syntetos_boylan(values)}
        for name in names:
            forecast, failed = forecasts(name, values, data.season, data.horizon)
            rows.append(about | {"contender": name, "failed": failed} | measured(forecast, values, data.horizon))
    return pl.DataFrame(rows)


def win_rates(frame: pl.DataFrame, measure: str = "rmse") -> pl.DataFrame:
    """Share of series on which Takt's error is less than each contender's; ties, within a part in 10^9, count half."""
    keys = ["data", "series", "class"]
    ours = frame.filter(pl.col("contender") == TAKT).select(*keys, ours=measure)
    gap = pl.col("ours") / pl.col(measure) - 1
    won = pl.when(gap.abs() <= 1e-9).then(0.5).otherwise((gap < 0).cast(pl.Float64))
    return frame.join(ours, on=keys).with_columns(won=won)


def table(frame: pl.DataFrame, title: str, by: str = "class") -> Table:
    """Medians of both measures and win rates, one row per contender and one column per class or data set."""
    frame = win_rates(frame)
    groups = [str(c) for c in CLASSES] if by == "class" else sorted(frame[by].unique())
    groups = [group for group in groups if (frame[by] == group).any()]
    shown = Table(title=title)
    shown.add_column("contender")
    for group in groups:
        count = frame.filter(pl.col(by) == group).select("data", "series").n_unique()
        shown.add_column(f"{group} ({count})", justify="right")
    for name in frame["contender"].unique(maintain_order=True):
        cells = []
        for group in groups:
            part = frame.filter(pl.col(by) == group, pl.col("contender") == name)
            rmse, scaled, won = part.select(pl.col(*MEASURES).median(), pl.col("won").mean()).row(0)
            rate = "" if name == TAKT else f"{won:.0%}"
            cells.append(f"{_short(rmse)} {_short(scaled)} {rate:>4}")
        shown.add_row(name, *cells)
    return shown


def ratios(frame: pl.DataFrame) -> Table:
    """Geometric means of Takt's RMSE over each contender's, one column per class; below 1 Takt is better."""
    ratio = (pl.col("ours") / pl.col("rmse")).clip(1e-3, 1e3).log().mean().exp()
    found = win_rates(frame).group_by("contender", "class", maintain_order=True).agg(ratio=ratio)
    groups = [str(c) for c in CLASSES if (frame["class"] == str(c)).any()]
    shown = Table("contender", *groups, title="Takt's RMSE / the contender's")
    for (name,), part in found.group_by("contender", maintain_order=True):
        cells = dict(part.select("class", "ratio").iter_rows())
        shown.add_row(str(name), *(_short(cells[group]) for group in groups))
    return shown


def _short(number: float) -> str:
    return f"{number:.3f}" if number < 100 else f"{number:.0e}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--shared", "--packages", "--bayesm", "--out"):
        parser.add_argument(option, type=Path)
    options = parser.parse_args()
    parts = [scores(data) for data in data_sets(options.shared, options.packages, options.bayesm)]
    frame = pl.concat([part for part in parts if part.height])
    if options.out:
        frame.write_parquet(options.out)
    console = Console(width=200)
    for title in PARTS:
        part = frame.filter(pl.col("part") == title)
        if part.height:
            console.print(table(part, f"{title}: RMSE / mean, scaled error, series on which Takt is better"))
            console.print(ratios(part))
            console.print(table(part, title, by="data"))
    failed = frame.group_by("contender").agg(pl.col("failed").mean()).filter(pl.col("failed") > 0)
    for name, share in failed.sort("contender").iter_rows():
        console.print(f"{name}: {share:.2%} of forecasts failed and were replaced by the last value")


if __name__ == "__main__":
    main()
