"""What a move does to the balances of its location, and of the one it goes to.

A move's signed quantity counts, times its reason's coefficient, for each of five balances of one SKU at one location:

- *on_hand*: what lies there;
- *allocated*: the part of it that is promised to orders;
- *in_transit*: on its way there from another location of ours;
- *on_order*: on its way there from a supplier;
- *backorder*: owed to customers.

A transfer leaves with a negative quantity: on hand falls here and in transit grows at the destination, until the
`transfer_in` there turns it to on hand. A pick is negative too, and takes from on hand and from allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BALANCES: Final = ("on_hand", "allocated", "in_transit", "on_order", "backorder")
"""The five balances, in the order of all arrays and tables."""

POSITION: Final = {"on_hand": 1, "allocated": -1, "in_transit": 1, "on_order": 1, "backorder": -1}
"""Sign of each balance in the inventory position."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Coefficients (-1, 0, 1) of a move's quantity, by balance, at its own location and at its destination."""

    here: dict[str, int]
    there: dict[str, int] | None = None
    """None: the reason has no destination, and one that is given is only noted."""


_STOCK = Effect({"on_hand": 1})

REASONS: Final[dict[str, Effect]] = {
    "opening": _STOCK,
    "return": _STOCK,
    "scrap": _STOCK,
    "adjust": _STOCK,
    "sale": _STOCK,
    "receipt": Effect({"on_hand": 1, "on_order": -1}),
    "order": Effect({"on_order": 1}),
    "pick": Effect({"on_hand": 1, "allocated": 1}),
    "allocate": Effect({"allocated": 1}),
    "backorder": Effect({"backorder": 1}),
    "transfer_out": Effect({"on_hand": 1}, there={"in_transit": -1}),
    "transfer_in": Effect({"on_hand": 1, "in_transit": -1}),
    "relocate": Effect({"on_hand": 1}, there={"on_hand": -1}),
}
"""What each reason does."""
