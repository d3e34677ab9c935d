"""From demand to robot work: how many work units a base unit of a SKU is worth, and in which zone it falls due.

Rules say so, and each names what it is about: one SKU, a category, or any; at one site, or any. The most specific rule
holds: a SKU before a category before any, then one site before any. Two rules about the same are an error, not a race.
What no rule is about is told as unmapped, never counted as no work.

Work of a zone adds up over its SKUs. Its variance adds up too, as though SKUs were independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Final

import polars as pl

from schemas.errors import SettingsError

Schema = dict[str, pl.DataType | type[pl.DataType]]

ANY: Final = "*"
"""Stands for every site, SKU or category."""

_US_PER_HOUR: Final = 3_600_000_000

DEMAND: Final[Schema] = {
    "site": pl.String,
    "sku": pl.String,
    "category": pl.String,
    "bucket_end": pl.Int64,
    "horizon_end": pl.Int64,
    "mean": pl.Float64,
    "variance": pl.Float64,
}
"""Of the estimates of demand: mean and variance of what is asked for from `bucket_end` to `horizon_end` (us UTC), in
base units; all finite."""

WORK_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "bucket_end": pl.Int64,
    "horizon_end": pl.Int64,
    "rate": pl.Float64,
    "mean": pl.Float64,
    "variance": pl.Float64,
    "skus": pl.Int64,
    "mapping": pl.String,
}
"""One row per zone and horizon: work units per hour, mean and variance of the work units of the whole horizon, how many
SKUs they are of, and the version of the mapping."""

UNMAPPED_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "sku": pl.String,
    "category": pl.String,
    "bucket_end": pl.Int64,
    "horizon_end": pl.Int64,
    "mean": pl.Float64,
    "mapping": pl.String,
}
"""Demand in base units that no rule is about."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`units` work units in `zone` per base unit of a SKU, or of a category, or (neither named) of anything."""

    zone: str
    units: float
    site: str = ANY
    sku: str = ANY
    category: str = ANY

    @property
    def key(self) -> _Key:
        """What it is about: site, SKU, category."""
        return self.site, self.sku, self.category


@dataclass(frozen=True, slots=True)
class Work:
    """Work by zone (WORK_SCHEMA) and demand that is not mapped (UNMAPPED_SCHEMA), both sorted."""

    zones: pl.DataFrame
    unmapped: pl.DataFrame


class WorkMap:
    """The rules, under a version that every row of work names. SettingsError with all that is wrong with them."""

    def __init__(self, version: str, rules: Sequence[Rule]) -> None:
        problems = [] if version else ["the mapping of demand to work has no version"]
        by_key: dict[_Key, Rule] = {}
        for rule in rules:
            problems += _wrong(rule)
            other = by_key.setdefault(rule.key, rule)
            if other is not rule:
                problems.append(f"{other} and {rule} are about the same")
        if problems:
            raise SettingsError(
                "\n".join(problems),
                fix="keep one rule per site and SKU or category, and give the mapping a new version",
            )
        self.version = version
        self._rules = by_key

    def rule(self, site: str, sku: str, category: str | None) -> Rule | None:
        """The most specific rule about a SKU at a site."""
        about = [(sku, ANY), (ANY, category), (ANY, ANY)]
        keys = ((at, *what) for what in about for at in (site, ANY) if what[1] is not None)
        return next((self._rules[key] for key in keys if key in self._rules), None)

    def work(self, demand: pl.DataFrame) -> Work:
        """Work that demand (DEMAND, other columns are left alone; one row per SKU and horizon) comes to."""
        rows = demand.select(DEMAND.keys())
        found = [self.rule(*row) for row in rows.select("site", "sku", "category").iter_rows()]
        rows = rows.with_columns(
            pl.Series("zone", [rule and rule.zone for rule in found], dtype=pl.String),
            pl.Series("units", [rule and rule.units for rule in found], dtype=pl.Float64),
            pl.lit(self.version).alias("mapping"),
        )
        mapped = pl.col("zone").is_not_null()
        unmapped = rows.filter(~mapped).select(UNMAPPED_SCHEMA.keys())
        return Work(_summed(rows.filter(mapped)), unmapped.sort("site", "sku", "bucket_end", "horizon_end"))


def _wrong(rule: Rule) -> list[str]:
    problems = []
    if not (rule.site and rule.sku and rule.category and rule.zone) or rule.zone == ANY:
        problems.append(f'{rule} needs a zone, and a name or "{ANY}" everywhere else')
    if ANY not in {rule.sku, rule.category}:
        problems.append(f"{rule} names both a SKU and a category")
    if not (isfinite(rule.units) and rule.units >= 0):
        problems.append(f"{rule} needs a finite number of work units of at least 0")
    return problems


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    """WORK_SCHEMA. Exactly rounded sums (`fsum`) are the same in any order of rows."""
    key = ("site", "zone", "bucket_end", "horizon_end", "mapping")
    parts = rows.group_by(key).agg(
        pl.len().cast(pl.Int64).alias("skus"),
        pl.col("mean") * pl.col("units"),
        pl.col("variance") * pl.col("units") ** 2,
    )
    sums = parts.with_columns(
        pl.Series(name, [fsum(values) for values in parts[name].to_list()], dtype=pl.Float64)
        for name in ("mean", "variance")
    )
    hours = (pl.col("horizon_end") - pl.col("bucket_end")) / _US_PER_HOUR
    return sums.with_columns((pl.col("mean") / hours).alias("rate")).select(WORK_SCHEMA.keys()).sort(key[:4])
