"""Work of a zone by class, and how long it takes to clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

TOP: Final = 9
"""The highest class."""
CONTROL: Final = TOP + 1
"""Control work stands above all classes."""

_MICRO: Final = 1_000_000
_US_PER_HOUR: Final = 3_600_000_000
_LONGEST_US: Final = 2**62

Work = list[float]
"""Work units by class, 0 to CONTROL."""


@dataclass(frozen=True, slots=True)
class Load:
    """Waiting work units and work units an hour of demand, both by class, and of capacity."""

    backlog: Sequence[float]
    arrivals: Sequence[float]
    capacity: float

    def clear_us(self, level: int) -> int | None:
        """Time until waiting work of the classes from `level` on is cleared; None: never.

        >>> Load([6.0, 3.0], [4.0, 1.0], capacity=4.0).clear_us(1) / 3_600_000_000
        1.0
        """
        backlog, spare = sum(self.backlog[level:]), self.capacity - sum(self.arrivals[level:])
        if backlog <= 0:
            return 0
        return min(round(backlog / spare * _US_PER_HOUR), _LONGEST_US) if spare > 0 else None

    def has(self, level: int) -> bool:
        """Whether there is work of a class, or will be."""
        return self.backlog[level] > 0 or self.arrivals[level] > 0


def effective_class(now_us: int, ageing_us: int) -> pl.Expr:
    """Class of a task by its priority and its age: a class more per `ageing_us` since it was created, up to 9."""
    risen = (pl.lit(now_us) - pl.col("created_us")).clip(lower_bound=0) // ageing_us
    return (pl.col("priority").clip(0, TOP) + risen).clip(upper_bound=TOP).fill_null(CONTROL)


def by_class(tasks: pl.DataFrame, of: pl.Expr) -> dict[tuple[str, str], Work]:
    """Work of tasks (`site`, `zone`, `work_micro`) by zone; `of` is the class of each."""
    sums = tasks.group_by("site", "zone", of.alias("class")).agg(pl.col("work_micro").sum())
    zones: dict[tuple[str, str], Work] = {}
    for site, zone, number, work_micro in sums.iter_rows():
        zones.setdefault((site, zone), [0.0] * (CONTROL + 1))[number] = work_micro / _MICRO
    return zones


def split(demand: float, mix: Work) -> Work:
    """Demand by class, in proportion to a mix; none of it where the mix is empty, as nothing waits then."""
    total = sum(mix)
    return [demand * part / total if total > 0 else 0.0 for part in mix]
