"""Every code and name that a row can carry: why it was refused, what a signal or move is, in which unit it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import schemas.decode
from domain.alignment import setpoint_tables
from domain.allocation import lifecycle
from domain.inventory import looks
from domain.inventory.codes import CODES
from domain.inventory.proposal_tables import REFUSALS
from domain.inventory.reasons import BALANCES, REASONS
from domain.inventory.running import INVARIANTS
from domain.inventory.units import BASE, MILLI, UNITS
from flows.reference.markdown import code, page, table
from flows.reference.outputs_page import key_cells
from flows.stock.demand import DIMENSION
from quality import suite
from quality.gate import FUTURE
from schemas.outputs.signal_kinds import SIGNAL_KINDS, alike

_INTRO = """
Codes are stable: they may be stored, counted and alerted on. A row of `quarantine` has them in `reasons`, in the order
of the suite; `takt quarantine list` counts them.
"""

_IDENTITY = "identity.conflict"

_COUNTS = {
    looks.FUTURE: "the moment of the count is not before the end of the window it came in",
    looks.TOO_OLD: "the moment of the count is more than twelve hours before the end of the window it came in",
}

_SALES = {
    DIMENSION: "the unit of a sale or forecast is of another dimension than the SKU was first sold, or its item is, in"
}

_REFUSED_LATER = """
Messages of the streams of demand and stock that pass the gate can still be refused by what they are about. They have
one code, and `accounting` counts them as quarantined.
"""

_INVARIANTS = {
    **{f"negative_{name}": f"{name} is below 0" for name in BALANCES},
    "over_allocated": "more is allocated than is on hand",
}

_REASONS = """
Field `reason` of `inventory.move`. A move's signed quantity counts, times the sign given here, in the balances of its
own location and, where the reason has one, of its destination. The inventory position is on_hand + on_order +
in_transit - allocated - backorder.
"""

_UNITS = """
Field `uom`; spelt exactly so. A SKU keeps the dimension in which it was first seen, and everything that is told of it
is in the base unit of that dimension, in whole thousandths. Units of different dimensions are never converted.
"""


def codes_page() -> str:
    """The page."""
    return page(
        "Codes",
        _INTRO,
        "## Messages that cannot be decoded",
        "Such a message has exactly one code, and `detail` holds the decoder's own words with the place.",
        _codes(_documented(schemas.decode.__doc__)),
        "## Messages that fail a critical rule of their contract",
        "`<field>` is the field's name. Rules that a contract adds itself have the code it gives them, see "
        "[contracts](contracts.md).",
        _codes(_documented(suite.__doc__)),
        "## Messages that the gate or the windows refuse",
        _codes(
            {
                FUTURE: "event time further ahead of the message's arrival than the contract tolerates",
                _IDENTITY: "the identity was seen before, within `time.dedupe_s`, with another value in some field; "
                "kind `conflict`",
            }
        ),
        "## Messages of demand and stock that are refused",
        _REFUSED_LATER,
        _codes(CODES | _COUNTS | REFUSALS | _SALES),
        "## Steps of tasks, and answers to setpoints, that are refused",
        "Where capacity is aligned with demand; counted as quarantined, too.",
        _codes(lifecycle.REFUSALS | setpoint_tables.REFUSALS),
        "## Kinds of signals",
        "Column `kind` of the output `signal`.",
        _codes({name: kind.meaning for name, kind in SIGNAL_KINDS.items()}),
        "### Evidence of signals",
        "Column `evidence` of a signal is a JSON object with these keys.",
        table(("kind", "key", "type", "unit", "meaning"), _evidence()),
        "## Invariants of the stock ledger",
        "The last part of the subject of `stock_invariant_broken` and `stock_invariant_restored`.",
        _codes({name: _INVARIANTS[name] for name in INVARIANTS}),
        "## Reasons of moves",
        _REASONS,
        table(("reason", "here", "at the destination"), _reasons()),
        "## Units of measure",
        _UNITS,
        table(("dimension", "base unit", "unit, with its other spellings", "base units in it"), _units()),
    )


def _evidence() -> Iterator[tuple[str, ...]]:
    for keys, kinds in alike().items():
        for key in keys:
            yield ", ".join(map(code, kinds)), *key_cells(key)


def _reasons() -> Iterator[tuple[str, str, str]]:
    for name, effect in REASONS.items():
        yield code(name), _signs(effect.here), _signs(effect.there or {})


def _signs(effect: Mapping[str, int]) -> str:
    return ", ".join(f"{'+' if sign > 0 else '-'} {balance}" for balance, sign in effect.items())


def _units() -> Iterator[tuple[str, str, str, str]]:
    spellings: dict[tuple[str, int], list[str]] = {}
    for name, unit in UNITS.items():
        spellings.setdefault((unit.dimension, unit.milli), []).append(name)
    for (dimension, milli), names in sorted(spellings.items(), key=lambda e: (list(BASE).index(e[0][0]), e[0][1])):
        yield dimension, code(BASE[dimension]), ", ".join(map(code, names)), f"{milli / MILLI:,.10g}"


def _documented(docstring: str | None) -> dict[str, str]:
    """Codes and meanings from the list in a module's docstring."""
    return dict(re.findall(r"^ {4}((?:decode|<field>)\.\w+) +(.+)$", docstring or "", re.MULTILINE))


def _codes(codes: dict[str, str]) -> str:
    return table(("code", "meaning"), [(code(name), meaning) for name, meaning in codes.items()])
