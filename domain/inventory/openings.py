"""Which statements of another system open a book, and the moves that do so.

A statement opens the book of a key that nothing was booked at before it: not at the key, not to it, and not by an
earlier statement. What is going to be refused for its unit or quantity neither opens a book nor stands in the way.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.inventory.base_units import BASES, in_base
from domain.inventory.ledger import Ledger
from domain.inventory.reasons import REASONS
from domain.inventory.tables import KEY
from domain.inventory.wellformed import judge
from schemas.ids import event_id

OPENING_TYPE: Final = "inventory.opening.v1"
"""Names the kind of id that opening moves have."""

_GOES: Final = [name for name, effect in REASONS.items() if effect.there is not None]


def opens(statements: pl.DataFrame, moves: pl.DataFrame, ledger: Ledger, start: int) -> pl.Series:
    """Whether each statement (`stockroom.STATED_SCHEMA`, in order of time) opens the book of its key.

    `moves` (MOVE_SCHEMA) are those of the same window, which begins at `start` and which `ledger` has not booked yet.
    """
    moves, stated = _wellformed(moves), _exact(statements)
    held = _held(moves, stated, ledger)
    moved = _moved(moves.join(held, on=["sku", "own"], how="semi"))
    booked = ledger.known(statements.select(*KEY, booked_us=pl.lit(start - 1)))["known"]
    fits = stated.join(held.with_columns(fits=True), on=["sku", "own"], how="left", maintain_order="left")["fits"]
    before = statements.join(moved, on=KEY, how="left", maintain_order="left")["moved_us"] <= statements["time_us"]
    free = fits.fill_null(value=False) & ~booked & ~before.fill_null(value=False)
    first = pl.col("free").cast(pl.Int64).cum_sum().over(KEY) == 1
    return statements.select(KEY).with_columns(free=free).select(pl.col("free") & first).to_series()


def opening_moves(statements: pl.DataFrame) -> pl.DataFrame:
    """Moves that open the books of keys with these statements; their document is the statement."""
    ids = [event_id(OPENING_TYPE, [name]) for name in statements["event_id"]]
    return statements.select(
        pl.Series("event_id", ids, dtype=pl.String),
        *KEY,
        "quantity",
        "uom",
        pl.lit("opening").alias("reason"),
        pl.col("event_id").alias("document"),
        pl.lit("1").alias("line"),
        pl.lit(None, pl.String).alias("corrects"),
        pl.col("as_of_us").alias("valid_us"),
        "time_us",
    )


def _wellformed(moves: pl.DataFrame) -> pl.DataFrame:
    """Moves that are fine by themselves, in order, with their base unit."""
    moves = moves.sort("time_us", "_identity")
    fine = moves.filter(pl.Series(judge(moves).code == 0))
    return fine.with_columns(own=fine["uom"].replace_strict(BASES, return_dtype=pl.String))


def _exact(statements: pl.DataFrame) -> pl.DataFrame:
    """SKU, time and base unit of each statement, the latter null where its quantity is not exact."""
    quantity, own = in_base(statements["quantity"], statements["uom"])
    return statements.select("sku", "time_us").with_columns(own=own.set(quantity.is_null(), None))


def _held(moves: pl.DataFrame, stated: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The base unit (own) that each SKU is held to: of what is booked, or else of what comes first."""
    rows = pl.concat([part.select("sku", "time_us", "own") for part in (moves, stated)])
    first = rows.drop_nulls().sort("time_us", maintain_order=True).unique("sku", keep="first", maintain_order=True)
    known = ledger.base_units(first["sku"])
    return first.select("sku", own=pl.coalesce(known, first["own"]))


def _moved(moves: pl.DataFrame) -> pl.DataFrame:
    """When each key was first moved at, or to (moved_us)."""
    there = moves.filter(pl.col("reason").is_in(_GOES)).select(
        pl.coalesce("to_site", "site").alias("site"), "sku", pl.col("to_location").alias("location"), "time_us"
    )
    ends = pl.concat([moves.select(*KEY, "time_us"), there])
    return ends.group_by(KEY).agg(moved_us=pl.col("time_us").min())
