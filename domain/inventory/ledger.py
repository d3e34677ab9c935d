"""The stock ledger: moves in, postings out; balances, broken invariants and refusals with them.

Rules:

- Moves are booked in order of `time_us`, then `_identity`. A call brings the moves of one or many whole windows, each
  window once; how windows are dealt into calls, and how rows lie in a call, changes nothing.
- A balance is the sum of its postings, exactly. A move that would take one beyond `LIMIT` is refused, never wrapped.
- An SKU keeps the dimension of its first well-formed move.
- An invariant is judged when all moves of an instant are booked.
- Two times: `valid_us`, when it happened, and `time_us`, when it was booked. `as_of` answers on both, within the
  kept history. Corrections are moves with `corrects` and the opposite quantity; nothing is ever edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import polars as pl

from domain.inventory.arrays import Int64, UInt8
from domain.inventory.codes import CODES, OVERFLOW, number
from domain.inventory.enrol import enrol
from domain.inventory.history import Entries, History
from domain.inventory.keys import Keys
from domain.inventory.legs import Legs
from domain.inventory.overflow import overflowing
from domain.inventory.questions import activity, as_of, known
from domain.inventory.reasons import BALANCES
from domain.inventory.report import balances_of, findings_of, position, postings_of
from domain.inventory.running import running
from domain.inventory.tables import (
    BALANCE_SCHEMA,
    FINDING_SCHEMA,
    MOVE_SCHEMA,
    POSTING_SCHEMA,
    REFUSED_SCHEMA,
)
from domain.inventory.units import BASE
from domain.inventory.wellformed import judge
from domain.streaming.frames import frame_of, from_bytes, to_bytes
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING

_STATE_VERSION = 1
HEAD: Final = "head"
"""Part of a snapshot that changes with every window; all others never do."""
_NEVER: Final = 2**62
"""When a key was first posted to that never was."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a call booked: frames in POSTING_SCHEMA, BALANCE_SCHEMA, FINDING_SCHEMA, REFUSED_SCHEMA."""

    postings: pl.DataFrame
    balances: pl.DataFrame
    findings: pl.DataFrame
    refused: pl.DataFrame


class Ledger:
    """Balances of all keys, and the postings of the last `history_us`."""

    def __init__(self, window_us: int, history_us: int) -> None:
        self._window = window_us
        self._kept = history_us
        self._until = BEGINNING
        self._keys = Keys()
        self._balances: Int64 = np.zeros((len(BALANCES), 0), dtype=np.int64)
        self._first: Int64 = np.empty(0, dtype=np.int64)
        self._history = History()

    @property
    def kept_from_us(self) -> int:
        """Oldest time that `as_of` still answers for: the last window's end less the history."""
        return self._until - self._kept

    def post(self, moves: pl.DataFrame) -> Posted:
        """Book the moves (MOVE_SCHEMA) of whole windows, all behind those of earlier calls; ValueError if not."""
        if moves.height == 0:
            return _nothing()
        moves = moves.select(MOVE_SCHEMA.keys()).sort("time_us", "_identity")
        self._move_on(moves["window_start"])
        judged = judge(moves)
        legs = enrol(moves, judged, self._keys)
        self._grow()
        refused = overflowing(legs, self._balances)
        if len(refused):
            judged.code[refused] = number(OVERFLOW)
            legs = legs[~np.isin(legs.row, refused)]
        return self._book(moves, legs, judged.code)

    def _move_on(self, starts: pl.Series) -> None:
        windows = starts.to_numpy()
        first = int(windows.min())
        if first < self._until:
            raise ValueError(f"moves of the window at {first} us come too late: all until {self._until} us is booked")
        self._until = int(windows.max()) + self._window

    def _grow(self) -> None:
        new = len(self._keys) - len(self._first)
        if new:
            self._balances = np.pad(self._balances, ((0, 0), (0, new)))
            self._first = np.pad(self._first, (0, new), constant_values=_NEVER)

    def _book(self, moves: pl.DataFrame, legs: Legs, code: UInt8) -> Posted:
        names = pl.Series("code", ["", *CODES])
        refused = moves.with_columns(names.gather(code)).filter(pl.Series(code != 0))
        if len(legs) == 0:
            return Posted(**_empty() | {"refused": refused})
        sorted_legs = legs.by_key()
        time, window = (moves[name].to_numpy()[sorted_legs.row] for name in ("time_us", "window_start"))
        after = running(sorted_legs, self._balances)
        posted = Posted(
            postings=postings_of(moves, legs, self._keys),
            balances=balances_of(sorted_legs, after, window, self._window, self._keys),
            findings=findings_of(moves, sorted_legs, after, time, self._balances, self._keys),
            refused=refused,
        )
        self._take(sorted_legs, after, moves["valid_us"].to_numpy()[sorted_legs.row], time)
        return posted

    def _take(self, legs: Legs, after: Int64, valid: Int64, time: Int64) -> None:
        starts = np.flatnonzero(np.diff(legs.key, prepend=-1))
        ends = np.append(starts[1:], len(legs)) - 1
        touched = legs.key[starts]
        self._balances[:, touched] = after[:, ends]
        self._first[touched] = np.minimum(self._first[touched], time[starts])
        self._history.add(Entries(legs.key, legs.quantity, legs.pattern, valid, time), self.kept_from_us)

    def as_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """AS_OF_SCHEMA, row by row, for `keys` of site, sku, location, valid_us, booked_us (null: all that is booked).

        A call may bring many windows. Ask with `booked_us` as the last microsecond of the window in which the question
        comes up, and the answer does not depend on what else the call brought.
        """
        return as_of(self.known(keys), self._keys, self._balances, self._history, self.kept_from_us)

    def activity(self, keys: pl.DataFrame) -> pl.DataFrame:
        """`keys` (site, sku, location, from_us, until_us, booked_us) with the moves valid in from_us < t <= until_us.

        Adds moves (count of postings that change on hand), net and gross (sums of the change and of its size); null
        where from_us or booked_us is older than the kept history.
        """
        return activity(keys, self._keys, self._history, self.kept_from_us)

    def known(self, keys: pl.DataFrame) -> pl.DataFrame:
        """`keys` (site, sku, location, booked_us) with known and location_known, as in AS_OF_SCHEMA."""
        return known(keys, self._keys, self._first)

    def base_units(self, skus: pl.Series) -> pl.Series:
        """Base unit that each SKU is held to; null for one that never moved."""
        if not len(skus):
            return pl.Series("dimension", dtype=pl.String)
        held = self._keys.frame.select("sku", "dimension").unique("sku", keep="any")
        number = skus.to_frame("sku").join(held, on="sku", how="left", maintain_order="left")["dimension"]
        return number.replace_strict(dict(enumerate(BASE.values())), return_dtype=pl.String)

    def stock(self) -> pl.DataFrame:
        """Position and available stock (on hand less allocated) of each site and SKU, over all locations, now."""
        on_hand, allocated = (self._balances[BALANCES.index(name)] for name in ("on_hand", "allocated"))
        columns = {"position": position(self._balances), "available": on_hand - allocated}
        keys = self._keys.frame.select("site", "sku", "dimension")
        rows = keys.with_columns(pl.Series(name, values[: keys.height]) for name, values in columns.items())
        sums = rows.group_by("site", "sku", "dimension").agg(pl.col(columns).sum())
        unit = pl.col("dimension").replace_strict(dict(enumerate(BASE.values())), return_dtype=pl.String)
        return sums.with_columns(unit.alias("uom")).drop("dimension").sort("site", "sku")

    def snapshot_parts(self) -> dict[str, bytes]:
        """State by name of its part. All but `head` never change once given: keep them, and drop what is not listed."""
        columns = dict(zip(BALANCES, self._balances, strict=True))
        head = {
            "version": _STATE_VERSION,
            "until": self._until,
            "chunks": self._history.begun,
            "balances": to_bytes(pl.DataFrame({**columns, "first_us": self._first})),
        }
        return {HEAD: msgspec.msgpack.encode(head), **self._keys.snapshot(), **self._history.snapshot()}

    def restore_parts(self, parts: dict[str, bytes]) -> None:
        """Take up a snapshot; one of another version is refused with RecoveryError."""
        head = msgspec.msgpack.decode(parts[HEAD])
        demand_version(head["version"], _STATE_VERSION, "the stock ledger")
        self._until = head["until"]
        frame = from_bytes(head["balances"])
        self._balances = np.stack([frame[name].to_numpy() for name in BALANCES])
        self._first = frame["first_us"].to_numpy().copy()
        self._keys.restore({name: data for name, data in parts.items() if name.startswith("keys.")})
        chunks = {name: data for name, data in parts.items() if name.startswith("history.")}
        self._history.restore(chunks, head["chunks"])

    def snapshot(self) -> bytes:
        """All parts in one MessagePack document."""
        return msgspec.msgpack.encode(self.snapshot_parts())

    def restore(self, data: bytes) -> None:
        """Take up `snapshot`."""
        self.restore_parts(msgspec.msgpack.decode(data, type=dict[str, bytes]))


def _empty() -> dict[str, pl.DataFrame]:
    return {
        "postings": frame_of((), POSTING_SCHEMA),
        "balances": frame_of((), BALANCE_SCHEMA),
        "findings": frame_of((), FINDING_SCHEMA),
        "refused": frame_of((), REFUSED_SCHEMA),
    }


def _nothing() -> Posted:
    return Posted(**_empty())
