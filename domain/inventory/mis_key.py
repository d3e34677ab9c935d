"""Was a count keyed wrongly? Which slip of the hand would make the book's number into the counted one.

A slip is weighed against a true loss or gain by Bayes' rule. A slip hits its number exactly or nearly; a true
difference may have any size, small ones more often than large ones. So a count of ten times the book is surely a
slip, while 12 for 21 may also be a loss of nine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Final, Literal

from domain.inventory.units import MILLI

Slip = Literal["factor_10", "dozen", "pack", "transposed", "wrong_sign"]

_DOZEN: Final = 12


@dataclass(frozen=True, slots=True)
class SlipRates:
    """Shares of counts outside tolerance, before their numbers are looked at."""

    slip: float = 0.1
    """Of each kind of slip. Other differences have what is left of one."""
    exact: float = 0.8
    """Of slips whose true count was the book's number exactly."""


@dataclass(frozen=True, slots=True)
class MisKey:
    """The likeliest slip, and how surely."""

    slip: Slip
    meant: int
    """What would have been keyed without it, in milli."""
    probability: float
    """Of this slip."""
    any_slip: float
    """Probability that the count was keyed wrongly, in this way or another."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read the count: `meant` milli, known to within `grain` milli."""

    slip: Slip
    meant: int
    grain: int
    share: float
    """Of all ways in which this slip could have turned the count out."""


def mis_key(
    counted: int, book: int, tolerance: int, *, pack: int | None = None, rates: SlipRates | None = None
) -> MisKey | None:
    """The likeliest slip behind a count outside tolerance (milli all, the pack too), None where none gives the number.

    >>> found = mis_key(1_000_000, 100_000, 1_000)
    >>> found.slip, found.meant, round(found.probability, 3)
    ('factor_10', 100000, 0.999)
    >>> mis_key(91_000, 100_000, 1_000) is None
    True
    """
    rates = rates or SlipRates()
    weights: dict[Slip, float] = {}
    meant: dict[Slip, int] = {}
    for reading in _readings(counted, book, pack):
        likelihood = reading.share * _near(reading, book, tolerance, rates.exact)
        if likelihood > weights.get(reading.slip, 0.0):
            weights[reading.slip] = likelihood
            meant[reading.slip] = reading.meant
    if not weights:
        return None
    slip = max(weights, key=lambda s: weights[s])
    kinds = 5
    other = (1 - kinds * rates.slip) / rates.slip * by_chance(counted - book, book, tolerance)
    slips = sum(weights.values())
    return MisKey(slip, meant[slip], weights[slip] / (slips + other), slips / (slips + other))


def _readings(counted: int, book: int, pack: int | None) -> Iterator[_Reading]:
    if counted < 0:
        if book > 0:
            yield _Reading("wrong_sign", -counted, MILLI, 1.0)
        return
    if counted == 0:
        return
    factors: list[tuple[Slip, int]] = [("factor_10", 10), ("dozen", _DOZEN)]
    pieces, rest = divmod(pack or MILLI, MILLI)
    if not rest and pieces > 1 and pieces not in {10, _DOZEN}:
        factors.append(("pack", pieces))
    for slip, factor in factors:
        if counted % factor == 0:
            yield _Reading(slip, counted // factor, MILLI, 0.5)
        yield _Reading(slip, counted * factor, factor * MILLI, 0.5)
    swaps = sorted(set(_swapped(counted)))
    for number in swaps:
        yield _Reading("transposed", number, MILLI, 1 / len(swaps))


def _swapped(counted: int) -> Iterator[int]:
    """The count with two neighbouring digits changed over: whole units as such, others to the thousandth."""
    scale = MILLI if counted % MILLI == 0 else 1
    digits = str(counted // scale)
    for i in range(len(digits) - 1):
        number = digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :]
        if number != digits and not number.startswith("0"):
            yield int(number) * scale


def _near(reading: _Reading, book: int, tolerance: int, exact: float) -> float:
    """Probability of the book's number, to the unit, where `meant` would have been counted."""
    off = abs(reading.meant - book)
    if off < reading.grain:
        return exact * MILLI / reading.grain
    reach = max(tolerance, reading.grain)
    return (1 - exact) * MILLI / (2 * reach) if off <= reach else 0.0


def by_chance(difference: int, book: int, tolerance: int) -> float:
    """Probability of a true difference of just that size (milli), to the unit: every order of magnitude alike."""
    reach = max(abs(book), abs(difference), tolerance + MILLI)
    return 0.5 * MILLI / (abs(difference) * log(1 + reach / tolerance))
