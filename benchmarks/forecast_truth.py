"""Stock-outs, promotions, changes of demand and closed days, simulated, so that the truth is known.

- *Censored*: what is sold is the lesser of demand and stock. The mean forecast, over the true mean, when sales are
  taken for demand, when buckets with a stock-out are left out, and with Takt's expectation-maximisation.
- *Promoted*: every few weeks a promotion multiplies demand for some days. The mean forecast of days without promotion,
  over that of the same demand without any, when nobody flags promotions, and when they are flagged; and the uplift
  that was learned.
- *Changed*: demand changes for good at one moment. How many series are found to have changed, how many buckets later,
  and how often a change is found before, where there is none; beside River's ADWIN on the counts themselves.
- *Closed*: nobody asks on some days of the week, or hours of the day. The error of the next buckets, over that of
  saying "as much as a season ago" and over that of knowing the true mean; and the share that ends up smooth.

    python -m benchmarks.forecast_truth [--series 20]
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN

from domain.demand.calendar import SEASON, Bucket
from domain.demand.model import DemandModel
from domain.demand.series import Series

Float64 = npt.NDArray[np.float64]

BUCKETS = 900
SETTLED = 300
"""Buckets before which nothing is judged: series are to have learned."""
CHANGE = 500
"""Bucket at which demand changes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Negative binomial demand by mean and variance (Poisson where equal), with a wave of so many buckets.

    A share `huge` of the buckets has 30 times the demand.
    """

    name: str
    mean: float
    variance: float
    wave: float = 0.0
    period: int = 7
    huge: float = 0.0

    def means(self, buckets: int) -> Float64:
        """True mean of each bucket."""
        return self.mean * (1 + self.wave * np.sin(2 * np.pi * np.arange(buckets) / self.period))

    def draw(self, random: np.random.Generator, means: Float64) -> Float64:
        """Demand of each bucket; the variance keeps its ratio to the mean."""
        ratio = self.variance / self.mean
        rates = random.gamma(means / (ratio - 1), ratio - 1) if ratio > 1 else means
        drawn: Float64 = random.poisson(rates).astype(np.float64)
        drawn[random.random(len(means)) < self.huge] *= 30
        return drawn


KINDS = (
    Kind("smooth, Poisson 4", 4, 4),
    Kind("smooth, weekly wave", 10, 20, wave=0.5),
    Kind("erratic", 4, 16),
    Kind("intermittent", 0.5, 0.6),
    Kind("lumpy", 1.0, 8.0),
)
CHANGED = (*KINDS, Kind("slow wave", 10, 20, wave=0.5, period=365), Kind("huge orders", 4, 4, huge=0.005))


@dataclass(frozen=True, slots=True)
class Shop:
    """Poisson demand of 20 a bucket, and none at the `shut` places of the season; forecast `horizon` buckets ahead."""

    name: str
    bucket: Bucket
    shut: tuple[int, ...]
    horizon: int


SHOPS = (
    Shop("closed on Sundays", "day", (6,), 3),
    Shop("closed at weekends", "day", (5, 6), 3),
    Shop("closed on four days", "day", (0, 2, 4, 6), 3),
    Shop("closed from 22 to 7 h", "hour", (0, 1, 2, 3, 4, 5, 6, 22, 23), 6),
)


def stocked(kind: Kind, share: float, series: int) -> Iterator[tuple[Float64, Float64]]:
    """Demand and stock of so many series; of buckets with demand, `share` are censored: demand takes all there is."""
    random = np.random.default_rng(1)
    means = kind.means(BUCKETS)
    demand = [kind.draw(random, means) for _ in range(series)]
    low, high = 0.1, 60.0
    for _ in range(30):
        middle = (low + high) / 2
        stock = 1 + np.random.default_rng(2).poisson(middle * means / kind.mean)
        out = np.mean(np.concatenate([(d >= stock)[d > 0] for d in demand]))
        low, high = (middle, high) if out > share else (low, middle)
    for d in demand:
        yield d, 1 + random.poisson(low * means / kind.mean).astype(np.float64)


def censored(kind: Kind, share: float, series: int) -> dict[str, float]:
    """Mean forecast over the true mean, by way, and the share censored of buckets with demand."""
    sums = dict.fromkeys(("as sold", "left out", "EM"), 0.0)
    truth = shortages = 0.0
    for demand, stock in stocked(kind, share, series):
        short = demand >= stock
        sold = np.minimum(demand, stock)
        shortages += short[demand > 0].mean() / series
        truth += kind.mean * (BUCKETS - SETTLED)
        for way in sums:
            learner = Series(DemandModel(horizon=7))
            for at, (amount, out) in enumerate(zip(sold.tolist(), short.tolist(), strict=True)):
                learner.learn_one(math.nan if out and way == "left out" else amount, censored=out and way == "EM")
                if at >= SETTLED:
                    sums[way] += learner.forecast().mean / 7
    return {"censored": shortages} | {way: total / truth for way, total in sums.items()}


def promoted(kind: Kind, uplift: float, series: int) -> dict[str, float]:
    """Mean forecast of days without promotion over that of the same demand without any, and the uplift learned."""
    random = np.random.default_rng(3)
    means = kind.means(BUCKETS)
    flags = np.arange(BUCKETS) % 33 < 5
    plain = set((np.flatnonzero(~flags[SETTLED:]) + SETTLED).tolist())
    sums = {"none": 0.0, "not flagged": 0.0, "flagged": 0.0}
    learned = []
    for _ in range(series):
        base = kind.draw(random, means)
        lifted = base + np.where(flags, kind.draw(random, means * (uplift - 1)), 0.0)
        for way in sums:
            learner = Series(DemandModel(horizon=1))
            demand = base if way == "none" else lifted
            for at, (amount, flag) in enumerate(zip(demand.tolist(), flags.tolist(), strict=True)):
                if at in plain:
                    sums[way] += learner.forecast().mean
                learner.learn_one(amount, promoted=flag and way == "flagged")
        learned.append(learner.uplift())
    found = {way: sums[way] / sums["none"] for way in ("not flagged", "flagged")}
    return found | {"uplift": statistics.median(learned)}


def changed(kind: Kind, times: float, series: int, within: int = 120) -> dict[str, tuple[float, float, float]]:
    """Share found within so many buckets, median delay, and false finds per 1,000 buckets, by way."""
    random = np.random.default_rng(4)
    factor = np.where(np.arange(BUCKETS) < CHANGE, 1.0, times)
    delays: dict[str, list[int]] = {"Takt": [], "ADWIN on counts": []}
    false = dict.fromkeys(delays, 0)
    for _ in range(series):
        learner, raw = Series(DemandModel(horizon=1)), ADWIN(delta=0.002, clock=4, grace_period=16)
        found: dict[str, int] = {}
        for at, amount in enumerate(kind.draw(random, kind.means(BUCKETS) * factor).tolist()):
            raw.update(amount)
            alarms = {"Takt": learner.learn_one(amount).drift is not None, "ADWIN on counts": raw.drift_detected}
            for way in [way for way, alarm in alarms.items() if alarm]:
                false[way] += at < CHANGE
                if at >= CHANGE:
                    found.setdefault(way, at - CHANGE)
        for way, delay in found.items():
            if delay <= within:
                delays[way].append(delay)
    return {
        way: (len(d) / series, statistics.median(d) if d else math.nan, 1_000 * false[way] / series / CHANGE)
        for way, d in delays.items()
    }


def closed(shop: Shop, series: int) -> dict[str, float]:
    """RMSE of Takt's forecast over that of others, and the share of series that end up smooth."""
    random = np.random.default_rng(5)
    season = SEASON[shop.bucket]
    squares = dict.fromkeys(("Takt", "a season ago", "mean known"), 0.0)
    smooth = 0
    for _ in range(series):
        learner = Series(DemandModel(bucket=shop.bucket, horizon=shop.horizon))
        means = np.where(np.isin(np.arange(BUCKETS) % season, shop.shut), 0.0, 20.0)
        demand = random.poisson(means).astype(np.float64)
        for at, amount in enumerate(demand[: BUCKETS - shop.horizon].tolist()):
            learner.learn_one(amount)
            if at >= SETTLED:
                ahead = slice(at + 1, at + 1 + shop.horizon)
                before = slice(ahead.start - season, ahead.stop - season)
                for way, forecast in (
                    ("Takt", learner.forecast().mean),
                    ("a season ago", demand[before].sum()),
                    ("mean known", means[ahead].sum()),
                ):
                    squares[way] += float(forecast - demand[ahead].sum()) ** 2
        smooth += learner.demand_class == "smooth"
    others = {way: math.sqrt(squares["Takt"] / squares[way]) for way in ("a season ago", "mean known")}
    return others | {"smooth": smooth / series}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=20)
    series = parser.parse_args().series
    for kind in KINDS:
        for share in (0.1, 0.34, 0.6):
            ways = censored(kind, share, series)
            print(f"censored {kind.name:22s}", *(f"{way} {value:.3f} " for way, value in ways.items()), flush=True)
    for kind in KINDS:
        for uplift in (1.5, 2.5, 4.0):
            ways = promoted(kind, uplift, series)
            print(f"promoted {kind.name:22s} x{uplift:3}", *(f"{w} {v:.3f} " for w, v in ways.items()), flush=True)
    for kind in CHANGED:
        for times in (1.0, 0.5, 1.5, 2.0, 3.0):
            finds = changed(kind, times, series)
            cells = [f"{w}: {s:.0%} in {d:.0f}, false {f:.2f} " for w, (s, d, f) in finds.items()]
            print(f"changed {kind.name:22s} x{times:3}", *cells, flush=True)
    for shop in SHOPS:
        found = closed(shop, series)
        print(f"{shop.name:22s}", *(f"{way} {value:.2f} " for way, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
