"""What it is worth to know of promotions, on weekly sales of which it is recorded when they were featured.

The same series are forecast without the flags, and with the flags of the weeks that are learned and of the weeks ahead.
Errors are those of `forecast_accuracy`, of all windows and of those with and without a featured week in them.

    python -m benchmarks.forecast_promotions --packages DIR --bayesm DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.forecast_accuracy import judged_from, windows
from benchmarks.forecast_contenders import Seasonal
from benchmarks.forecast_data import Bool, DataSet, Float64, bayesm, picked
from domain.demand.series import Series


def forecasts(values: Float64, flags: Bool, season: int, horizon: int) -> Float64:
    """Forecast of every window that is judged, by a series that knows the flags of all weeks up to its end."""
    series, found = Series(Seasonal(horizon=horizon, buckets=season)), []
    start = judged_from(values, horizon)
    for at in range(len(values) - horizon):
        series.learn_one(float(values[at]), promoted=bool(flags[at]))
        if at >= start:
            found.append(series.forecast(flags[at + 1 : at + 1 + horizon].tolist()).mean)
    return np.array(found)


def errors(data: DataSet) -> pl.DataFrame:
    """RMSE / mean of each series with and without flags, by what is in the windows."""
    rows = []
    for name, values in picked(data).items():
        flags = data.promoted[name][-len(values) :]
        start = judged_from(values, data.horizon)
        actual = windows(values, data.horizon)[start:]
        featured: Bool = np.array([ahead.any() for ahead in sliding_window_view(flags[1:], data.horizon)[start:]])
        ways = {
            way: (forecasts(values, used, data.season, data.horizon) - actual) ** 2
            for way, used in (("without flags", np.zeros_like(flags)), ("with flags", flags))
        }
        for part, chosen in (("all", np.ones_like(featured)), ("featured", featured), ("plain", ~featured)):
            if chosen.any():
                found = {way: float(np.sqrt(squares[chosen].mean()) / actual.mean()) for way, squares in ways.items()}
                rows.append({"series": name, "windows": part, **found})
    return pl.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--bayesm", type=Path, required=True)
    options = parser.parse_args()
    for data in bayesm(options.bayesm, options.packages):
        if data.promoted:
            frame = errors(data).with_columns(better=pl.col("with flags") < pl.col("without flags"))
            print(data.name)
            print(
                frame.group_by("windows", maintain_order=True).agg(
                    pl.len().alias("series"), pl.col("without flags", "with flags").median(), pl.col("better").mean()
                )
            )


if __name__ == "__main__":
    main()
