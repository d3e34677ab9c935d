"""Cost of a forecast update per series and bucket, and memory of many live series, beside River's models alone.

Seven of ten series are lumpy or intermittent, three smooth or erratic with a week in them. `takt` is all of it: rows
into calendar buckets, classes, experts, mix, stock-outs, drift, intervals, verdicts and the rows of estimates. The
others learn the same demands and forecast as far ahead, no more. Each runs in a process of its own.

    python -m benchmarks.demand_series [--series 5000] [--buckets 60]
    python -m benchmarks.demand_series --series 200000 --buckets 15 --only takt
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from river.time_series import SNARIMAX, HoltWinters
from river.time_series.base import Forecaster

from domain.demand.book import DemandBook
from domain.demand.model import DemandModel
from domain.demand.rows import ROWS

HORIZON = 7
_DAY_US = 86_400_000_000
_RARE = 0.7
_OBJECTS = 50_000
"""New objects before garbage is looked for, as in a run."""

Demands = npt.NDArray[np.int64]


def demands(series: int, buckets: int) -> Iterator[Demands]:
    """Demand of all series, bucket by bucket."""
    rng = np.random.default_rng(1)
    rare = int(series * _RARE)
    chance, size = rng.uniform(0.1, 0.6, rare), rng.uniform(1, 10, rare)
    level, spread = rng.uniform(2, 40, series - rare), rng.choice([0.8, 20.0], series - rare)
    for bucket in range(buckets):
        asked = rng.random(rare) < chance
        lumpy = asked * (1 + rng.negative_binomial(0.7, 0.7 / (0.7 + size)))
        mean = level * (1 + 0.5 * np.sin(2 * np.pi * bucket / 7))
        yield np.concatenate([lumpy, rng.negative_binomial(spread, spread / (spread + mean))]).astype(np.int64)


def takt(series: int, buckets: int) -> float:
    """CPU seconds of the whole book."""
    book = DemandBook(DemandModel(horizon=HORIZON), max_live=series)
    skus, spent = np.array([f"sku-{number:07}" for number in range(series)]), 0.0
    for bucket, demand in enumerate(demands(series, buckets)):
        sold = np.flatnonzero(demand)
        rows = pl.DataFrame(
            {
                "sku": skus[sold],
                "time_us": bucket * _DAY_US + np.arange(len(sold), dtype=np.int64) % _DAY_US,
                "quantity": demand[sold] * 1000,
            }
        ).with_columns(
            site=pl.lit("site"), censored=pl.lit(value=False), promoted=pl.lit(value=False), category=pl.lit("c")
        )
        began = time.process_time()
        book.add(rows.select(ROWS.keys()))
        book.advance((bucket + 1) * _DAY_US)
        spent += time.process_time() - began
    return spent


def alone(make: Callable[[], Forecaster]) -> Callable[[int, int], float]:
    """CPU seconds of one River model per series and nothing else."""

    def run(series: int, buckets: int) -> float:
        models, spent = [make() for _ in range(series)], 0.0
        for bucket, demand in enumerate(demands(series, buckets)):
            began = time.process_time()
            for model, sold in zip(models, demand.tolist(), strict=True):
                model.learn_one(sold)
                if bucket:  # River's HoltWinters has no forecast before its second value
                    model.forecast(HORIZON)
            spent += time.process_time() - began
        return spent

    return run


# Without a season: River's seasonal one divides by zero on a first season of zeros.
CONTENDERS: dict[str, Callable[[int, int], float]] = {
    "takt": takt,
    "River HoltWinters": alone(lambda: HoltWinters(alpha=0.1, beta=0.02)),
    "River SNARIMAX": alone(lambda: SNARIMAX(p=2, d=0, q=0, m=7, sp=1)),
}


def _measured(name: str, series: int, buckets: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.demand_series", "--contender", name]
    command += ["--series", str(series), "--buckets", str(buckets)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table, or with --contender what one of them cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=5_000)
    parser.add_argument("--buckets", type=int, default=60)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        gc.freeze()
        gc.set_threshold(_OBJECTS)
        before = _peak_mb()
        spent = CONTENDERS[options.contender](options.series, options.buckets)
        print(json.dumps({"cpu_s": spent, "peak_mb": _peak_mb(), "own_mb": _peak_mb() - before}))
        return
    print(
        f"{options.series:,} series, {options.buckets} buckets, {_RARE:.0%} lumpy or intermittent, horizon {HORIZON}\n"
    )
    print("| contender | CPU us per series and bucket | peak MB | KB per series |\n|---|---|---|---|")
    for name in [options.only] if options.only else CONTENDERS:
        cost = _measured(name, options.series, options.buckets)
        each = cost["cpu_s"] / options.series / options.buckets * 1e6
        print(
            f"| {name} | {each:.1f} | {cost['peak_mb']:.0f} | {cost['own_mb'] * 1024 / options.series:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
