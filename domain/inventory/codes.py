"""Why a move, or a count, is refused by the ledger."""

from __future__ import annotations

from typing import Final

UNIT_UNKNOWN: Final = "ledger.unit_unknown"
REASON_UNKNOWN: Final = "ledger.reason_unknown"
DESTINATION: Final = "ledger.destination"
INEXACT: Final = "ledger.inexact"
OVERFLOW: Final = "ledger.overflow"
DIMENSION: Final = "ledger.dimension"
UNKNOWN_LOCATION: Final = "ledger.unknown_location"

CODES: Final = {
    UNIT_UNKNOWN: "the unit of measure is not in the table",
    REASON_UNKNOWN: "the reason is not in the table",
    DESTINATION: "the reason needs a destination other than where the move starts",
    INEXACT: "the quantity is no whole number of thousandths of the base unit",
    OVERFLOW: "a balance would no longer fit, or what was counted is more than any could be",
    DIMENSION: "the SKU was first moved in units of another dimension",
    UNKNOWN_LOCATION: "nothing was ever moved at the location",
}
"""Codes and their meaning; only the last is about counts alone. Of several that apply the first is given, except that
`ledger.overflow` of a running balance comes after all others."""

LIMIT: Final = 10**17
"""Largest balance either way, in thousandths, so that a position of five of them has at most 18 digits."""


def number(code: str) -> int:
    """Number of a code in arrays; 0 is for rows that are not refused.

    >>> number("ledger.unit_unknown")
    1
    """
    return list(CODES).index(code) + 1
