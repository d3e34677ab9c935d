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
from flows.stock.demand import DIMENSION
from quality import suite
from quality.gate import FUTURE

_INTRO = """
Codes are stable: they may be stored, counted and alerted on. A row of `quarantine` has them in `reasons`, in the order
of the suite; `takt quarantine list` counts them.
"""

_IDENTITY = "identity.conflict"

_SIGNALS = {
    "breaker_open": "A rule's failure ratio leapt; reading of the partition pauses. Critical",
    "breaker_closed": "The ratio is back below the limit; reading goes on. Info",
    "partition_returned": "A partition that was silent, or a stream that had ended, was passed over and has rows of a "
    "window that is final where partitions are merged; what it publishes itself is complete, and rows of stock, tasks, "
    "robots and answers are booked with the next window. Of sums told once a window. Warning",
    "robot_in_two_partitions": "A robot reports to several partitions of a topic: work is missing or doubled. Critical",
    "audit_mismatch": "Great Expectations and the gate disagree on the same rows: one of them is wrong. Critical",
    "audit_failed": "An expectation that only Great Expectations checks failed on a sample. The rule's own severity",
    "stock_invariant_broken": "A balance is what it cannot be: an invariant of the stock ledger, see below. Warning",
    "stock_invariant_restored": "The invariant holds again, most often because a late paper came. Info",
    "stock_leak": "Counts show that stock goes, or comes, a little at a time. Warning",
    "setpoint_unacknowledged": "Nobody answered a setpoint in time; the one before stays in force. Told once an hour "
    "of a zone, until one is answered. Warning",
    "setpoint_rejected": "Its controller will not carry a setpoint out; the one before stays in force. Warning",
    "setpoint_failed": "Its controller could not carry a setpoint out; the one before stays in force. Warning",
    "setpoint_lapsed": "A setpoint's time ran out while it was in force, or before it was carried out. Critical",
    "setpoint_without_effect": "A setpoint is in force, and half the way to it is not made in the time it has; "
    "setpoints of the zone stay where they are for a while. Told once a hold, each twice as long as the one before. "
    "Warning",
    "task_cycle": "Tasks depend on each other in a circle, which is named; none of them can ever be done. Warning",
    "task_deadlock": "Tasks and the robots that have them wait for each other. Critical",
    "task_missing": "Tasks depend on one that is neither open nor done. Warning",
    "task_unservable": "No robot of the site can do the tasks. Warning",
    "task_starvation": "A task that could be done has waited too long. Warning",
    "task_dropped": "An open task of which nothing was heard for a week no longer counts as open. Warning",
    "demand_unmapped": "No rule turns the demand of a SKU into work; told once of each site and SKU, until there is "
    "no demand of it for a week. Warning",
    "demand_drift": "Demand of a series is no longer what it was: ADWIN on standardised residuals. Info",
}

_COUNTS = {
    looks.FUTURE: "the moment of the count is not before the end of the window it came in",
    looks.TOO_OLD: "the moment of the count is more than twelve hours before the end of the window it came in",
}

_SALES = {DIMENSION: "the unit is of another dimension than the SKU was first sold, or its item was told, in"}

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
        _codes(_SIGNALS),
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
