"""How far a count may lie from the book before anybody is troubled, and how far honest counts usually lie.

Quantities are thousandths of a base unit (milli), values are in the currency of the item's unit cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from domain.inventory.units import MILLI

_SHARES: Final = {"A": 0.002, "B": 0.01, "C": 0.05}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Limits by ABC class.

    A count is within tolerance of the book up to `max(unit, share of the book)`. A difference worth less than
    `value` is not pursued either; of an item without a cost the worth is not known, so it is.
    """

    unit: int = MILLI
    """Least tolerance, in milli."""
    shares: Mapping[str, float] = field(default_factory=lambda: dict(_SHARES))
    """Share of the book that is tolerated, by ABC class; other classes are treated as C."""
    value: float = 0.0
    """Differences worth less than this are let be."""

    def quantity(self, abc: str | None, book: int) -> int:
        """Tolerated difference in milli.

        >>> Tolerance().quantity("A", 2_000_000), Tolerance().quantity("C", 3_000)
        (4000, 1000)
        """
        return max(self.unit, int(self.shares.get(abc or "C", self.shares["C"]) * abs(book)))

    def worth_pursuing(self, difference: int, unit_cost: float | None) -> bool:
        """Whether a difference in milli is worth as much as the threshold."""
        return unit_cost is None or abs(difference) * unit_cost / MILLI >= self.value


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviation that honest counts are expected to have before a site has shown its own.

    Half a unit, and with it the share of the book that lies four deviations within a tolerance of `share`.
    """

    unit: float = MILLI / 2
    """Deviation of a count of little, in milli."""
    shares: Mapping[str, float] = field(default_factory=lambda: {abc: share / 4 for abc, share in _SHARES.items()})

    def deviation(self, abc: str | None, book: int) -> float:
        """Deviation in milli of a count of that much.

        >>> Noise().deviation("A", 0), round(Noise().deviation("C", 100_000))
        (500.0, 1346)
        """
        share = self.shares.get(abc or "C", self.shares["C"])
        return sqrt(self.unit**2 + (share * book) ** 2)
