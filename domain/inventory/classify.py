"""What lies behind the difference between a count and the book: one count, one look, one verdict.

Looked for in this order: nothing of note (*ok*); moves so near the count that it may have seen them or not (*raced*);
papers that came late, and goods under way (*timing*); a slip of the hand (*mis_key*). What is left is *shrinkage* or
*gain*. A difference that a harmless cause may explain is never called a loss: the next count will tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt
from typing import Final, Literal

from domain.inventory.mis_key import MisKey, SlipRates, by_chance, mis_key
from domain.inventory.tolerance import Noise, Tolerance
from domain.inventory.units import MILLI

Stage = Literal["first", "final"]
CountClass = Literal["ok", "timing", "raced", "mis_key", "shrinkage", "gain"]

_LIKELY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of an item; `pack` in milli."""

    abc: str | None = None
    unit_cost: float | None = None
    pack: int | None = None


@dataclass(frozen=True, slots=True)
class Nearby:
    """Moves close to a count, on one side of it: how many, their net sum and the sum of their sizes (milli)."""

    moves: int = 0
    net: int = 0
    gross: int = 0

    @property
    def added(self) -> int:
        """Sum of what came."""
        return (self.gross + self.net) // 2

    @property
    def taken(self) -> int:
        """Sum of what went, not positive."""
        return (self.net - self.gross) // 2


@dataclass(frozen=True, slots=True)
class Look:
    """A count and the book beside it, as known at the time of the look; quantities in milli."""

    stage: Stage
    counted: int
    book: int
    """On hand as of the count."""
    first_book: int
    """The same as known at the first look."""
    in_transit: int
    """On its way here as of the count."""
    before: Nearby
    """Moves in the band up to the count: it may have come before they were done."""
    after: Nearby
    """Moves in the band after it: they may have been under way."""

    @property
    def difference(self) -> int:
        """Counted less book."""
        return self.counted - self.book

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest difference that moves in the band may make; a move may be half done."""
        return self.after.taken - self.before.added, self.after.added - self.before.taken


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look came to; quantities in milli."""

    name: CountClass
    confidence: float
    tolerance: int
    by_moves: int
    by_transfers: int
    unexplained: int
    slip: MisKey | None
    because: str
    """The rest of a sentence that begins with what was counted and booked."""


@dataclass(frozen=True, slots=True)
class Judge:
    """How counts are judged."""

    tolerance: Tolerance
    noise: Noise
    slips: SlipRates

    def verdict(self, look: Look, item: Item) -> Verdict:
        """The class of a count, as far as it can be known at this look."""
        tolerance = self.tolerance.quantity(item.abc, look.book)
        difference = look.difference
        if abs(difference) <= tolerance:
            return _within(look, tolerance)
        low, high = look.reach
        by_moves = min(max(difference, low), high)
        rest = difference - by_moves
        by_transfers = min(max(rest, 0), max(look.in_transit, 0))
        rest -= by_transfers
        if abs(rest) <= tolerance:
            return _explained(look, tolerance, by_moves, by_transfers, rest)
        if abs(look.counted - look.first_book) <= tolerance:
            because = "but what was booked since the first look was not: papers were dated before their goods moved"
            sure = _against_chance(look, tolerance, tolerance)
            return Verdict("timing", sure, tolerance, 0, 0, difference, None, because)
        return self._real(look, item, Verdict("ok", 0.0, tolerance, by_moves, by_transfers, rest, None, ""))

    def _real(self, look: Look, item: Item, so_far: Verdict) -> Verdict:
        tolerance, rest = so_far.tolerance, so_far.unexplained
        parts = (tolerance, so_far.by_moves, so_far.by_transfers, rest)
        slip = mis_key(look.counted, look.book, tolerance, pack=item.pack, rates=self.slips)
        keyed = slip.any_slip if slip else 0.0
        if slip and keyed >= _LIKELY:
            because = f"as if {units(slip.meant)} had been keyed wrongly ({slip.slip}, {slip.probability:.0%} sure)"
            return Verdict("mis_key", keyed, *parts, slip, because)
        name: CountClass = "shrinkage" if rest < 0 else "gain"
        if not self.tolerance.worth_pursuing(rest, item.unit_cost):
            return Verdict("ok", 1 - keyed, *parts, None, "which is worth less than is pursued")
        chance = 1 - erf(abs(rest) / self.noise.deviation(item.abc, look.book) / sqrt(2))
        share = "which nothing explains" if rest == look.difference else f"of which nothing explains {units(rest)}"
        because = f"{share}, beyond the tolerance of {units(tolerance)}"
        return Verdict(name, (1 - keyed) * (1 - chance), *parts, None, because)


def _within(look: Look, tolerance: int) -> Verdict:
    if abs(look.counted - look.first_book) > tolerance:
        because = f"since {units(look.book - look.first_book)} were booked after the first look: a matter of timing"
        return Verdict("timing", 1.0, tolerance, 0, 0, look.difference, None, because)
    because = f"within the tolerance of {units(tolerance)}"
    return Verdict("ok", 1.0, tolerance, 0, 0, look.difference, None, because)


def _explained(look: Look, tolerance: int, by_moves: int, by_transfers: int, rest: int) -> Verdict:
    low, high = look.reach
    if abs(by_moves) >= by_transfers:
        moves = look.before.moves + look.after.moves
        named = "1 move" if moves == 1 else f"{moves} moves"
        because = f"which {named} within minutes of the count may explain: count again"
        sure = _against_chance(look, tolerance, high - low)
        return Verdict("raced", sure, tolerance, by_moves, by_transfers, rest, None, because)
    because = f"which the {units(look.in_transit)} on their way here explain, where they have come and are not booked"
    sure = _against_chance(look, tolerance, look.in_transit)
    return Verdict("timing", sure, tolerance, by_moves, by_transfers, rest, None, because)


def _against_chance(look: Look, tolerance: int, width: int) -> float:
    """How surely a cause that could make any difference within `width` did, and not a true one of this size."""
    cause = MILLI / (width + MILLI)
    return cause / (cause + by_chance(look.difference, look.book, tolerance))


def units(milli: int) -> str:
    """A quantity as people write it.

    >>> units(-12_000), units(2_500)
    ('-12', '2.5')
    """
    return f"{milli / MILLI:.3f}".rstrip("0").rstrip(".")
