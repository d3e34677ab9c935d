"""Questions to the ledger about an earlier time: what it was (valid time), and what was known of it (booking time)."""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.inventory.arrays import PATTERNS, Int64
from domain.inventory.history import History
from domain.inventory.keys import Keys
from domain.inventory.reasons import BALANCES
from domain.inventory.report import key_columns, position
from domain.inventory.tables import AS_OF_SCHEMA

_ALWAYS = 2**62
_ON_HAND = BALANCES.index("on_hand")


def known(keys: pl.DataFrame, table: Keys, first_us: Int64) -> pl.DataFrame:
    """`keys` with known and location_known by booked_us; `first_us` by number of key is when it was first posted to."""
    booked = _booked(keys)
    number = table.find(keys)
    first = np.append(first_us, 2 * _ALWAYS - 1)[number]
    places = table.frame.select("site", "location").with_columns(pl.Series("place_us", first_us))
    wanted = places.join(keys.select("site", "location"), on=["site", "location"], how="semi")
    earliest = wanted.group_by("site", "location").agg(pl.col("place_us").min())
    place = keys.select("site", "location").join(earliest, on=["site", "location"], how="left", maintain_order="left")[
        "place_us"
    ]
    return keys.with_columns(
        pl.Series("known", first <= booked),
        pl.Series("location_known", place.fill_null(2 * _ALWAYS - 1).to_numpy() <= booked),
    )


def as_of(keys: pl.DataFrame, table: Keys, balances: Int64, history: History, kept_from_us: int) -> pl.DataFrame:
    """AS_OF_SCHEMA of `keys` that `known` has answered: what is booked now, less what came after."""
    number = table.find(keys)
    met = number >= 0
    valid, booked = keys["valid_us"].to_numpy(), _booked(keys)
    values = np.zeros((len(BALANCES), keys.height), dtype=np.int64)
    values[:, met] = balances[:, number[met]]
    question, entries = history.rows(number)
    after = (entries.valid_us > valid[question]) | (entries.time_us > booked[question])
    question, entries = question[after], entries[after]
    for i, total in enumerate(values):
        np.subtract.at(total, question, PATTERNS[i][entries.pattern] * entries.quantity)
    kept = pl.Series(np.minimum(valid, booked) >= kept_from_us)
    columns = {**dict(zip(BALANCES, values, strict=True)), "position": position(values)}
    numbers = [pl.select(pl.when(kept).then(pl.Series(v)).alias(name)).to_series() for name, v in columns.items()]
    return keys.with_columns(_uom(table, number), *numbers).select(AS_OF_SCHEMA.keys())


def activity(keys: pl.DataFrame, table: Keys, history: History, kept_from_us: int) -> pl.DataFrame:
    """`keys` with moves, net and gross of on hand between from_us (left out) and until_us."""
    begin, end, booked = keys["from_us"].to_numpy(), keys["until_us"].to_numpy(), _booked(keys)
    question, entries = history.rows(table.find(keys))
    change = PATTERNS[_ON_HAND][entries.pattern] * entries.quantity
    within = (entries.valid_us > begin[question]) & (entries.valid_us <= end[question]) & (change != 0)
    within &= entries.time_us <= booked[question]
    question, change = question[within], change[within]
    sums = np.zeros((3, keys.height), dtype=np.int64)
    for total, values in zip(sums, (np.ones_like(change), change, np.abs(change)), strict=True):
        np.add.at(total, question, values)
    kept = pl.Series(np.minimum(begin, booked) >= kept_from_us)
    names = ("moves", "net", "gross")
    return keys.with_columns(
        pl.select(pl.when(kept).then(pl.Series(v)).alias(name)).to_series() for name, v in zip(names, sums, strict=True)
    )


def _booked(keys: pl.DataFrame) -> Int64:
    booked: Int64 = keys["booked_us"].cast(pl.Int64).fill_null(_ALWAYS - 1).to_numpy()
    return booked


def _uom(table: Keys, number: Int64) -> pl.Series:
    met = number >= 0
    names = key_columns(table, np.where(met, number, 0))[-1] if len(table) else pl.Series([None] * len(number))
    return pl.select(pl.when(pl.Series(met)).then(names.cast(pl.String)).alias("uom")).to_series()
