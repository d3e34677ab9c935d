"""Moves for tests of the ledger."""

from __future__ import annotations

import polars as pl
from hypothesis import strategies as st

from domain.inventory.codes import LIMIT
from domain.inventory.tables import MOVE_SCHEMA

WINDOW = 900
BASE: dict[str, object] = {
    "site": "hub",
    "sku": "bolt",
    "location": "A1",
    "quantity": 1_000,
    "uom": "each",
    "reason": "adjust",
    "document": "doc",
    "line": "1",
    "to_site": None,
    "to_location": None,
    "corrects": None,
}


def move(number: int, time: int, **values: object) -> dict[str, object]:
    """A move at `time` (us); `valid_us` is the same unless given. Numbers tell moves apart, and are in no order."""
    told = {"valid_us": time} | values
    own = {
        "event_id": f"e{number}",
        "time_us": time,
        "record_us": time,
        "_identity": number * 0x9E3779B97F4A7C15 % 2**64,
    }
    return BASE | own | told | {"window_start": time // WINDOW * WINDOW}


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=MOVE_SCHEMA)


_REASONS = (
    "adjust",
    "sale",
    "receipt",
    "order",
    "pick",
    "allocate",
    "backorder",
    "transfer_out",
    "transfer_in",
    "relocate",
)
_AMOUNTS = st.one_of(
    st.integers(-5, 5).map(lambda units: units * 1_000),
    st.integers(-3_000, 3_000),
    st.sampled_from([LIMIT, -LIMIT, LIMIT // 2, 2**63 - 1, -(2**63), None]),
)


@st.composite
def histories(draw: st.DrawFn, *, wild: bool = True, most: int = 40) -> list[dict[str, object]]:
    """Moves of a few keys over a few windows, many at the same instant, some late, and some not to be booked."""
    amounts = _AMOUNTS if wild else st.integers(-5_000, 5_000)
    uoms = ("each", "each", "each", "dozen", "dozen", "kg", "mg", "cubit") if wild else ("each", "dozen")
    reasons = (*_REASONS, "magic") if wild else _REASONS
    one = st.tuples(
        st.integers(0, 4 * WINDOW // 100 - 1).map(lambda t: t * 100),
        st.sampled_from([0, 0, 0, 100, 1_000]),
        st.sampled_from(["hub", "north"]),
        st.sampled_from(["bolt", "nut"]),
        st.sampled_from(["A1", "B2"]),
        amounts,
        st.sampled_from(uoms),
        st.sampled_from(reasons),
        st.sampled_from([None, "hub", "north"]),
        st.sampled_from([None, "A1", "B2", "C3"] if wild else ["C3"]),
    )
    names = ("site", "sku", "location", "quantity", "uom", "reason", "to_site", "to_location")
    least = draw(st.sampled_from([0, most // 2, most]))  # left to itself, Hypothesis rarely makes many rows
    rows = draw(st.lists(one, min_size=least, max_size=most))
    return [
        move(number, time, valid_us=time - late, **dict(zip(names, values, strict=True)))
        for number, (time, late, *values) in enumerate(rows)
    ]
