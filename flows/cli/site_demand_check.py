"""Estimates of demand against the demand of simulated sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl

Tables = Mapping[str, pl.DataFrame]
Line = tuple[str, str, str, str]
"""What is compared, the truth, what was found, and the error."""

_KINDS: Final = ("smooth", "erratic", "intermittent", "lumpy")
_SERIES: Final = ("site", "sku")
_WARM_UP_D: Final = 14
_WEEK_D: Final = 7


def lines(truth: Tables, found: Tables) -> Iterator[Line]:
    """Lines of the table; `truth` are tables of `domain.twin.stock_trade.Trade.truth`, `found` those of the lake."""
    days = _days(truth, found["demand"])
    yield from _censored(days)
    yield from _promotions(days)
    yield from _intervals(days)
    yield from _classes(truth, found["demand"])
    yield from _changes(truth, found["signals"])
    yield from _planner(truth, found["demand"])


def _days(truth: Tables, estimates: pl.DataFrame) -> pl.DataFrame:
    """Days of series: the truth, the estimate made at the day's end, and that made for the day at its beginning."""
    asked = truth["demand"].with_columns(pl.col("day").str.to_date()).sort(*_SERIES, "day")
    ends = pl.col("bucket_start").dt.date().alias("day")
    told = estimates.select(
        *_SERIES, ends, "demand", "censored", "next_mean", "horizon", "lower", "upper", "cold"
    ).sort(*_SERIES, "day")
    told = told.with_columns(pl.col("next_mean").shift(1).over(_SERIES).alias("mean"))
    both = asked.join(told, on=[*_SERIES, "day"], how="left", maintain_order="left")
    kinds = truth["series"].select(*_SERIES, "kind", "trait")
    horizon = int(estimates["horizon"][0]) if estimates.height else 1
    ahead = pl.col("asked").rolling_sum(horizon).shift(-horizon).over(_SERIES).alias("ahead")
    number = pl.int_range(pl.len()).over(_SERIES).alias("number")
    return both.with_columns(ahead, number).join(kinds, on=_SERIES, how="left", maintain_order="left")


def _censored(days: pl.DataFrame) -> Iterator[Line]:
    scarce = days.filter(
        (pl.col("trait") == "scarce") & (pl.col("number") >= _WARM_UP_D) & pl.col("demand").is_not_null()
    )
    if scarce.height:
        share = float(scarce.select(pl.col("censored").mean()).item())
        asked, sold, demand = (float(scarce[name].sum()) for name in ("asked", "sold", "demand"))
        yield f"demand where shelves were empty by evening ({share:.0%} of days)", *_compared(asked, demand)
        yield "  what was sold", *_compared(asked, sold)


def _promotions(days: pl.DataFrame) -> Iterator[Line]:
    promoted = days.filter(pl.col("trait") == "promoted", pl.col("mean").is_not_null())
    # Numbers of the promotion that runs or ran last, from 1, and days since it began.
    begins = pl.col("promoted") & ~pl.col("promoted").shift(1, fill_value=False)
    promoted = promoted.with_columns(begins.cum_sum().over(_SERIES).alias("which"))
    since = pl.col("number") - pl.col("number").filter("promoted").max().over(*_SERIES, "which")
    promoted = promoted.with_columns(since.alias("since"))
    for which, during in promoted.filter("promoted").group_by("which", maintain_order=True):
        yield f"demand expected day by day in promotion {which[0]}", *_expected(during)
    after = promoted.filter(~pl.col("promoted") & (pl.col("which") > 0) & (pl.col("since") <= _WEEK_D))
    if after.height:
        yield "  in the weeks after promotions", *_expected(after)


def _intervals(days: pl.DataFrame) -> Iterator[Line]:
    judged = days.filter(pl.col("ahead").is_not_null() & pl.col("lower").is_not_null() & ~pl.col("cold"))
    steady = pl.col("trait").is_in(["plain", "scarce"])
    for kind in _KINDS:
        yield from _held(f"intervals that held: {kind}", judged.filter(steady & (pl.col("kind") == kind)))
    yield from _held("  where promotions ran or the level changed", judged.filter(~steady))


def _held(what: str, judged: pl.DataFrame) -> Iterator[Line]:
    if judged.height:
        held = 100 * float(judged.select(pl.col("ahead").is_between("lower", "upper").mean()).item())
        yield what, "95.0 %", f"{held:.1f} %", f"{held - 95:+.1f}"


def _classes(truth: Tables, estimates: pl.DataFrame) -> Iterator[Line]:
    last = estimates.sort("bucket_start").group_by(_SERIES).agg(pl.col("demand_class").last())
    both = truth["series"].join(last, on=_SERIES)
    right = both.filter(pl.col("kind") == pl.col("demand_class")).height
    yield "class of demand", f"{truth['series'].height} series", f"{right} right", ""


def _changes(truth: Tables, signals: pl.DataFrame) -> Iterator[Line]:
    changed = truth["series"].filter(pl.col("changes_at").is_not_null()).with_columns(_subject())
    if changed.height == 0:
        return
    drifts = signals.filter(pl.col("kind") == "demand_drift").select("subject", "event_time")
    since = pl.col("changes_at").str.to_datetime(time_zone="UTC")
    both = drifts.join(changed, on="subject", how="left").with_columns(late=pl.col("event_time") - since)
    found = both.filter(pl.col("late") > pl.duration()).group_by("subject").agg(pl.col("late").min().dt.total_days())
    days = f", {np.median(found['late'].to_numpy()):.0f} days" if found.height else ""
    false = drifts.height - both.filter(pl.col("late") > pl.duration()).height
    yield "changes of level", str(changed.height), f"{found.height}{days}", f"{false} false"


def _planner(truth: Tables, estimates: pl.DataFrame) -> Iterator[Line]:
    last = estimates.sort("bucket_start").group_by(_SERIES).agg(pl.col("weight_outside").last())
    both = truth["series"].join(last, on=_SERIES).filter(pl.col("weight_outside").is_not_null())
    for bias, weight in (
        both.group_by("planner_bias").agg(pl.col("weight_outside").mean()).sort("planner_bias").iter_rows()
    ):
        yield f"weight of a planner who says {bias:g} times the truth", "", f"{weight:.2f}", ""


def _subject() -> pl.Expr:
    return pl.concat_str(_SERIES, separator="/").alias("subject")


def _expected(days: pl.DataFrame) -> tuple[str, str, str]:
    return _compared(float(days["expected"].sum()), float(days["mean"].sum()))


def _compared(truth: float, found: float) -> tuple[str, str, str]:
    return f"{truth:,.0f}", f"{found:,.0f}", f"{found / truth - 1:+.1%}".replace("%", " %") if truth else ""
