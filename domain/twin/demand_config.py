"""What customers of a simulated site are like, and what happens to a series of demand besides chance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

from domain.twin.config import NO_DEFECTS, Defects
from domain.twin.stock_config import Abc, Paperwork

Trait = Literal["scarce", "promoted", "changing", "plain"]
"""A shelf that is empty by evening on a busy day; a promotion; a change of level; none of these."""

_WEEK: Final = (0.8, 0.8, 0.9, 1.0, 1.3, 1.5, 0.7)
_NO_SEASON: Final = (1.0,) * 7


@dataclass(frozen=True, slots=True)
class DemandKind:
    """Series of one class of Syntetos and Boylan; quantities in units."""

    name: Literal["smooth", "erratic", "intermittent", "lumpy"]
    abc: Abc
    asked: tuple[float, float]
    """Least and largest mean of what is asked for on a day on which anything is."""
    days: float
    """Share of days on which anything is asked for."""
    scatter: float
    """Squared coefficient of variation of such a day's amount beyond a Poisson's."""
    basket: int
    """Units that a customer asks for, about."""
    count_every_d: float
    unit_cost: tuple[float, float]
    traits: tuple[Trait, ...] = ("plain",)
    """What SKUs of the kind have besides chance, in turn."""
    week: tuple[float, ...] = _NO_SEASON
    """Factor on the demand of each weekday, from Monday."""


_KINDS: Final = (
    DemandKind(
        *("smooth", "A", (12.0, 40.0), 1.0, 0.0, 3, 2, (10.0, 40.0)), ("scarce", "promoted", "changing", "plain"), _WEEK
    ),
    DemandKind(
        *("erratic", "B", (10.0, 25.0), 1.0, 0.8, 4, 4, (5.0, 20.0)), ("changing", "plain", "scarce", "promoted"), _WEEK
    ),
    DemandKind("intermittent", "C", (1.5, 3.0), 0.25, 0.0, 2, 7, (2.0, 10.0)),
    DemandKind("lumpy", "C", (6.0, 12.0), 0.25, 1.0, 6, 7, (0.5, 5.0)),
)


@dataclass(frozen=True, slots=True)
class TradeConfig:
    """Sites that sell from shelves (`pick`) filled each night from `bulk`. The first orders from suppliers for all."""

    seed: int = 1
    start: datetime = datetime(2024, 3, 4, tzinfo=UTC)
    days: int = 90
    skus: int = 40
    sites: int = 1
    kinds: tuple[DemandKind, ...] = _KINDS
    """SKUs take them in turn."""
    paperwork: Paperwork = field(default_factory=lambda: Paperwork(late=0.01))
    defects: Defects = field(default_factory=lambda: Defects(0.0005, 0.002, 0.001, 0.005, 0.0005))

    lead_time_d: tuple[float, float] = (3.0, 1.0)
    """Mean and standard deviation of suppliers' lead time."""
    uplift: tuple[float, float] = (1.8, 3.0)
    """Least and largest factor of a promotion."""
    promotions_from: tuple[float, ...] = (0.35, 0.7)
    """Shares of the run after which promotions begin."""
    promotion_d: int = 6
    announced_d: int = 7
    """Days ahead that promotions are announced, and that the planner forecasts."""
    change: tuple[float, float] = (0.5, 2.0)
    """A level changes by one or the other factor."""
    change_from: float = 0.5
    """Share of the run after which levels change."""
    planner_bias: tuple[float | None, ...] = (1.0, 1.5, None)
    """Factor on what the planner forecasts, for SKUs in turn; none: no forecast."""
    leak_every: int = 8
    """One SKU of so many leaks, in the bulk stock of the first site."""
    leak_per_week: float = 0.02
    """Share of a week's demand that leaks in a week."""
    leaks_from: float = 0.2
    """Share of the run after which leaks begin."""
    opens: tuple[float, float] = (6.5, 21.5)
    """Hours of the day between which customers come."""

    def __post_init__(self) -> None:
        if self.days < 14 or self.skus < 1 or not 1 <= self.sites <= len(SITES):  # noqa: PLR2004 - two weeks
            raise ValueError(f"at least 14 days, one SKU, one or two sites: {self.days}, {self.skus}, {self.sites}")


SITES: Final = ("north", "south")

PERFECT: Final = Paperwork(0, 0, (0, 0), (0, 0), 0, 0, 0, 0)


def clean(config: TradeConfig) -> TradeConfig:
    """The same with perfect paperwork and messages: only demand and leaks are left to chance."""
    return replace(config, paperwork=PERFECT, defects=NO_DEFECTS)
