"""What a simulated site is like whose stock is known at any time, and what goes wrong with its paperwork."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Abc = Literal["A", "B", "C"]


@dataclass(frozen=True, slots=True)
class Kind:
    """SKUs of one ABC class; quantities in units."""

    abc: Abc
    skus: int
    stock: tuple[int, int]
    """Least and largest level that a SKU is filled up to, at each of its locations."""
    picks_per_day: float
    """Mean number, of one to six units each, at the pick location; a tenth of it in bulk."""
    unit_cost: tuple[float, float]
    count_every_d: float
    """Days between counts of a location."""


_KINDS = (
    Kind("A", 40, (1_000, 3_000), 30, (20.0, 80.0), 1),
    Kind("B", 60, (300, 1_000), 10, (5.0, 20.0), 2),
    Kind("C", 100, (50, 300), 3, (0.5, 5.0), 4),
)


@dataclass(frozen=True, slots=True)
class Paperwork:
    """How what is recorded differs from what happened. Shares are of records, times in minutes."""

    scan_sd: float = 2.0
    """Deviation of a move's recorded time from when it was done; never more than nine minutes."""
    counting: float = 2.0
    """A count saw the stock at most this long before or after the time it gives."""
    reported: tuple[float, float] = (10.0, 120.0)
    """How long after the count it is reported."""
    unbooked: tuple[float, float] = (0.0, 60.0)
    """How long goods of a transfer lie there before their arrival is recorded."""
    late: float = 0.03
    """Share that comes an hour to 20 h late."""
    very_late: float = 0.0005
    """Share that comes one to three days late."""
    mis_keyed: float = 0.01
    """Share of counts keyed wrongly."""
    miscounted: float = 0.03
    """Share of counts that are a unit off."""


@dataclass(frozen=True, slots=True)
class StockSiteConfig:
    """A site with two locations, `bulk` and `pick`, of every SKU."""

    seed: int = 1
    start: datetime = datetime(2024, 3, 4, tzinfo=UTC)
    days: int = 60
    site: str = "north"
    kinds: tuple[Kind, ...] = _KINDS
    paperwork: Paperwork = field(default_factory=Paperwork)
    leaks: int = 30
    """SKUs of class A that leak at their pick location."""
    leak_per_week: float = 0.005
    """Share of the level a location is filled up to that leaks in a week."""
    leaks_from_d: float = 10.0
    """Day on which they begin to leak."""
    opens: tuple[int, int] = (6, 22)
    """Hours of the day between which people work."""
