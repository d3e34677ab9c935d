"""Demand of one SKU at one site over all days of a run, as it really is: what is expected and what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.twin.demand_config import DemandKind, TradeConfig, Trait

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DemandPath:
    """By day: `expected`, the mean of what is asked for; `base`, the same without promotion; `asked`, what was."""

    trait: Trait
    mean: float
    """Of a day, before season, promotion and change of level."""
    base: Floats
    expected: Floats
    asked: Ints
    promoted: npt.NDArray[np.bool_]
    uplift: float
    change: float
    """Factor by which the level changes; 1 where it does not."""
    change_day: int


def demand_path(config: TradeConfig, kind: DemandKind, trait: Trait, rng: np.random.Generator) -> DemandPath:
    """Draw one."""
    days = np.arange(config.days)
    asked = rng.uniform(*kind.asked)
    change_day, change = config.days, 1.0
    if trait == "changing":
        change_day, change = int(config.change_from * config.days), float(rng.choice(config.change))
    uplift, promoted = 1.0, np.zeros(config.days, dtype=bool)
    if trait == "promoted":
        for first in promotion_days(config):
            promoted[first : first + config.promotion_d] = True
        uplift = float(rng.uniform(*config.uplift))
    week = np.array(kind.week)[(config.start.weekday() + days) % 7]
    base = asked * week * np.where(days >= change_day, change, 1.0)
    expected = base * np.where(promoted, uplift, 1.0)
    return DemandPath(
        trait,
        asked * kind.days,
        base * kind.days,
        expected * kind.days,
        _drawn(kind, expected, rng),
        promoted,
        uplift,
        change,
        change_day,
    )


def promotion_days(config: TradeConfig) -> list[int]:
    """Days on which promotions begin."""
    return [int(share * config.days) for share in config.promotions_from]


def _drawn(kind: DemandKind, mean: Floats, rng: np.random.Generator) -> Ints:
    """Amounts by day; on a day on which anything is asked for at least one unit, where not all days are such."""
    least = 0 if kind.days == 1 else 1
    rate = mean - least
    if kind.scatter:
        rate = rng.gamma(1 / kind.scatter, rate * kind.scatter)
    amount = least + rng.poisson(rate)
    return np.where(rng.random(len(mean)) < kind.days, amount, 0)


def customers(asked: int, basket: int, rng: np.random.Generator) -> list[int]:
    """A day's demand dealt out to customers, each of whom asks for at least one unit."""
    if asked == 0:
        return []
    number = -(-asked // basket)
    return [int(part) for part in rng.multinomial(asked, np.full(number, 1 / number)) if part]
