"""Rows of the estimates of one bucket, gathered series by series and finished for all at once."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from domain.demand.conformal import ConformalLevels
from domain.demand.experts.catalogue import EXPERTS
from domain.demand.plans import Key
from domain.demand.series import Learned, Outlook, Series
from domain.statistics.quantiles import negative_binomial_interval

WEIGHTS: Final = (*EXPERTS, "outside")
"""Experts, in columns `weight_...`, null where one takes no part; `outside` is weighed against the mix of the rest."""

ESTIMATES: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "sku": pl.String,
    "category": pl.String,
    "bucket_start": pl.Int64,
    "bucket_end": pl.Int64,
    "horizon": pl.Int64,
    "horizon_end": pl.Int64,
    "sold": pl.Float64,
    "demand": pl.Float64,
    "censored": pl.Boolean,
    "promoted": pl.Boolean,
    "demand_class": pl.String,
    "next_mean": pl.Float64,
    "next_variance": pl.Float64,
    "mean": pl.Float64,
    "variance": pl.Float64,
    "lower": pl.Int64,
    "upper": pl.Int64,
    "level": pl.Float64,
    "missed": pl.Boolean,
    **{f"weight_{name}": pl.Float64 for name in WEIGHTS},
    "cold": pl.Boolean,
    "model": pl.String,
}
"""One row per series and bucket. Times in us UTC, quantities in base units.

`sold` is what the rows said, `demand` what was asked for as far as one can tell. `mean`, `variance`, `lower` and
`upper` are of the demand of the `horizon` buckets from `bucket_end` to `horizon_end`, `next_...` of the first of
these; the variance of the horizon is scaled by how wrong forecasts of whole horizons were, that of one bucket is not.
`level` is the miss rate asked for so that `1 - target` of intervals hold; `missed` is the verdict on the interval whose
window ended with this bucket, null where there was none.
"""

DRIFTS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "site": pl.String,
    "sku": pl.String,
    "bucket_start": pl.Int64,
    "bucket_end": pl.Int64,
    "before": pl.Float64,
    "after": pl.Float64,
}
"""A change of demand found with a bucket: mean error before and after it, in standard deviations."""

MOST_MEAN: Final = 1e12
_MOST_VARIANCE: Final = 1e24


class Bucket(NamedTuple):
    """Bounds of a bucket and end of the horizon after it, us UTC."""

    start: int
    end: int
    horizon_end: int


class Estimates:
    """Estimates of one bucket as they are gathered."""

    def __init__(self, bucket: Bucket, model: str) -> None:
        self._bucket = bucket
        self._model = model
        self._parts: list[pl.DataFrame] = []
        self._drifts: list[tuple[str, str, int, int, float, float]] = []
        self._begin()

    def _begin(self) -> None:
        self._rows: list[int] = []
        self._facts: list[tuple[str, str, str, float, float, bool, bool, str | None, bool]] = []
        self._outlooks: list[Outlook] = []
        self._weights: list[dict[str, float]] = []

    def put(
        self,
        key: Key,
        row: int,
        category: str,
        series: Series,
        sold: float,
        censored: bool,
        promoted: bool,
        learned: Learned,
        outlook: Outlook,
    ) -> None:
        """One series; `row` is its row in the levels."""
        demand_class = series.demand_class
        named = None if demand_class is None else demand_class.value
        self._rows.append(row)
        self._facts.append((*key, category, sold, learned.demand, censored, promoted, named, series.cold))
        self._outlooks.append(outlook)
        self._weights.append(series.weights())
        if learned.drift is not None:
            drift = learned.drift
            self._drifts.append((*key, self._bucket.start, self._bucket.end, drift.before, drift.after))

    def judge(self, levels: ConformalLevels) -> None:
        """Of the series put since the last call: judge the intervals that end here, and issue the next ones."""
        if not self._rows:
            return
        rows = np.array(self._rows, dtype=np.int64)
        names = ("site", "sku", "category", "sold", "demand", "censored", "promoted", "demand_class", "cold")
        facts = pl.DataFrame(self._facts, schema={name: ESTIMATES[name] for name in names}, orient="row")
        outlooks = np.array(self._outlooks, dtype=np.float64).T
        verdicts = levels.learn(rows, facts["demand"].to_numpy())
        level = levels.level(rows)
        mean = np.minimum(outlooks[2], MOST_MEAN)
        outlooks[3] = levels.expect(rows, mean, outlooks[3])
        lower, upper = negative_binomial_interval(mean, np.minimum(outlooks[3], _MOST_VARIANCE), level)
        levels.issue(rows, lower, upper)
        missed = pl.Series(verdicts.missed).zip_with(
            pl.Series(verdicts.closed), pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(rows))
        )
        weights = {
            f"weight_{name}": pl.Series([weights.get(name) for weights in self._weights], dtype=pl.Float64)
            for name in WEIGHTS
        }
        columns = dict(zip(("next_mean", "next_variance", "mean", "variance"), outlooks, strict=True))
        self._parts.append(
            facts.with_columns(
                lower=pl.Series(lower),
                upper=pl.Series(upper),
                level=pl.Series(level),
                missed=missed,
                **columns,
                **weights,
            )
        )
        self._begin()

    def frames(self, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """All estimates (`ESTIMATES`) and drifts (`DRIFTS`), by site and SKU."""
        bucket = self._bucket
        constants = {
            "bucket_start": bucket.start,
            "bucket_end": bucket.end,
            "horizon": horizon,
            "horizon_end": bucket.horizon_end,
            "model": self._model,
        }
        estimates = (
            pl.concat(self._parts)
            .sort("site", "sku")
            .with_columns(pl.lit(value, dtype=ESTIMATES[name]).alias(name) for name, value in constants.items())
            .select(ESTIMATES.keys())
        )
        return estimates, pl.DataFrame(self._drifts, schema=DRIFTS, orient="row").sort("site", "sku")
