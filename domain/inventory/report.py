"""What a call booked, as tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from domain.inventory.arrays import Int64, ends_of_runs
from domain.inventory.keys import Keys
from domain.inventory.legs import Legs
from domain.inventory.reasons import BALANCES, POSITION
from domain.inventory.running import INVARIANTS, amount, turns
from domain.inventory.tables import BALANCE_SCHEMA, FINDING_SCHEMA, KEY, POSTING_SCHEMA
from domain.inventory.units import BASE
from domain.inventory.wellformed import DIMENSIONS

_UOM = pl.Series("uom", [BASE[name] for name in DIMENSIONS])


def key_columns(keys: Keys, numbers: Int64) -> list[pl.Series]:
    """Columns of KEY, and uom (base unit), of keys by number."""
    return [*(keys.frame[name].gather(numbers) for name in KEY), _UOM.gather(keys.dimensions()[numbers])]


def position(balances: Int64) -> Int64:
    """Inventory position of five balances."""
    total = np.zeros(balances.shape[1], dtype=np.int64)
    for name, values in zip(BALANCES, balances, strict=True):
        total += POSITION[name] * values
    return total


def postings_of(moves: pl.DataFrame, legs: Legs, keys: Keys) -> pl.DataFrame:
    """Table of postings; `legs` in the order of booking."""
    same = ("event_id", "reason", "document", "line", "corrects", "valid_us", "time_us", "record_us", "window_start")
    columns = moves.select(same)
    if len(legs) != moves.height or legs.side.any():
        columns = columns[legs.row]
    deltas = [pl.Series(name, legs.deltas(i)) for i, name in enumerate(BALANCES)]
    leg = pl.Series("leg", legs.side, dtype=pl.Int8)
    return columns.with_columns(leg, *key_columns(keys, legs.key), *deltas).select(POSTING_SCHEMA.keys())


def balances_of(legs: Legs, after: Int64, window: Int64, window_us: int, keys: Keys) -> pl.DataFrame:
    """Table of balances at window ends; `legs`, `after` (five balances) and `window` (start) in order of key."""
    last = np.flatnonzero(ends_of_runs(legs.key, window))
    postings = np.diff(last, prepend=-1)
    order = np.argsort(window[last], kind="stable")
    last = last[order]
    values = after[:, last]
    columns = {
        "window_end": window[last] + window_us,
        **dict(zip(BALANCES, values, strict=True)),
        "position": position(values),
        "postings": postings[order],
    }
    frame = pl.DataFrame(columns).with_columns(key_columns(keys, legs.key[last]))
    return frame.select(BALANCE_SCHEMA.keys())


def findings_of(moves: pl.DataFrame, legs: Legs, after: Int64, time: Int64, before: Int64, keys: Keys) -> pl.DataFrame:
    """Table of findings; `legs`, `after` (five balances) and `time` in order of key, `before` five balances by key."""
    last = np.flatnonzero(ends_of_runs(legs.key, time))
    key = legs.key[last]
    now, changed = turns(key, after[:, last], before)
    at = np.flatnonzero(changed)
    which = [(i, at[changed[at] >> i & 1 == 1]) for i in range(len(INVARIANTS))]
    places = np.concatenate([places for _, places in which])
    invariant = np.repeat(np.arange(len(which)), [len(places) for _, places in which])
    missing = np.concatenate([amount(after[:, last[places]], i) for i, places in which])
    order = np.lexsort((invariant, key[places], time[last[places]]))
    places, invariant = places[order], invariant[order]
    legs_at = last[places]
    moved: pl.DataFrame = moves.select("event_id", "time_us", "window_start")[legs.row[legs_at]]
    frame = moved.with_columns(
        *key_columns(keys, key[places]),
        pl.Series("invariant", INVARIANTS, dtype=pl.String).gather(invariant),
        pl.Series("broken", now[places] >> invariant & 1 == 1, dtype=pl.Boolean),
        pl.Series("amount", missing[order], dtype=pl.Int64),
    )
    return frame.select(FINDING_SCHEMA.keys())
