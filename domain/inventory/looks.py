"""Which counts are looked at when, and what the ledger says to each look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from domain.inventory.adjustments import Adjustments, Key, Knowledge
from domain.inventory.classify import Look, Nearby, Stage
from domain.inventory.codes import UNKNOWN_LOCATION
from domain.inventory.counts import COUNT_SCHEMA, REFUSED_COUNT_SCHEMA, StockBook
from domain.inventory.tables import KEY
from domain.streaming.frames import frame_of, from_bytes, to_bytes

TOO_OLD: Final = "reconcile.too_old"
FUTURE: Final = "reconcile.future"

_HOUR_US: Final = 3_600_000_000
_WAITING: Final = {**COUNT_SCHEMA, "first_us": pl.Int64, "final_us": pl.Int64, "first_book": pl.Int64}
_ORDER: Final = ("looked_us", "stage", "as_of_us", *KEY, "event_id", "kind")  # "final" sorts before "first"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in microseconds of event time."""

    window_us: int = _HOUR_US // 4
    grace_us: int = 24 * _HOUR_US
    """From the first look to the final one."""
    band_us: int = _HOUR_US // 6
    """Moves as near a count as this may have been seen or not."""
    reach_us: int = 12 * _HOUR_US
    """A count that is older when it is first looked at is refused."""

    @property
    def memory_us(self) -> int:
        """How far back a look may ask."""
        return self.reach_us + self.grace_us + self.band_us + self.window_us


class Due(NamedTuple):
    """A count to be looked at now."""

    event_id: str
    kind: str
    key: Key
    knowledge: Knowledge
    look: Look


class Looks:
    """Counts that wait for their final look."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._waiting = pl.DataFrame(schema=_WAITING)

    def due(
        self, counts: pl.DataFrame, until_us: int, book: StockBook, adjustments: Adjustments
    ) -> tuple[list[Due], pl.DataFrame]:
        """Take in counts (COUNT_SCHEMA); looks due up to `until_us`, in their order, and counts that are refused."""
        if not (counts.height or (self._waiting["final_us"] <= until_us).any()):
            return [], frame_of((), REFUSED_COUNT_SCHEMA)
        window, grace = self._timing.window_us, self._timing.grace_us
        first_us = (pl.col("time_us") // window + 1) * window
        final_us = first_us + -(-grace // window) * window
        new = counts.select(*COUNT_SCHEMA, first_us=first_us, final_us=final_us)
        new, refused = self._of_its_time(new)
        if new.height == 0 and not (self._waiting["final_us"] <= until_us).any():
            return [], refused.select(REFUSED_COUNT_SCHEMA.keys())
        new = _answered(new, "first_us", book)
        unknown = new.filter(~pl.col("location_known")).with_columns(code=pl.lit(UNKNOWN_LOCATION))
        refused = pl.concat([refused, unknown.select(REFUSED_COUNT_SCHEMA.keys())]).sort("time_us", "event_id", "kind")
        new = new.filter("location_known").with_columns(first_book="on_hand")
        waiting = pl.concat([self._waiting, new.select(_WAITING.keys())])
        ready = pl.col("final_us") <= until_us
        self._waiting = waiting.filter(~ready)
        final = _answered(waiting.filter(ready), "final_us", book)
        rows = pl.concat([_look(new, "first", "first_us"), _look(final, "final", "final_us")])
        return self._with_moves(rows.sort(_ORDER), book, adjustments), refused

    def _of_its_time(self, new: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Counts of a time that can be asked about, and the others."""
        age = pl.col("first_us") - pl.col("as_of_us")
        code = pl.when(age <= 0).then(pl.lit(FUTURE)).when(age > self._timing.reach_us).then(pl.lit(TOO_OLD))
        new = new.with_columns(code=code)
        strange = pl.col("code").is_not_null()
        return new.filter(~strange).drop("code"), new.filter(strange).select(REFUSED_COUNT_SCHEMA.keys())

    def _with_moves(self, rows: pl.DataFrame, book: StockBook, adjustments: Adjustments) -> list[Due]:
        band = self._timing.band_us
        as_of = pl.col("as_of_us")
        keys = rows.select(*KEY, "as_of_us", booked_us=pl.col("looked_us") - 1)
        sides = [keys.with_columns(from_us=as_of - band, until_us=as_of)]
        sides.append(keys.with_columns(from_us=as_of, until_us=as_of + band))
        near = _activity(pl.concat(sides), book)
        due = []
        for i, row in enumerate(rows.iter_rows(named=True)):
            key = (row["site"], row["sku"], row["location"])
            at, looked_us = row["as_of_us"], row["looked_us"]
            look = Look(
                stage=row["stage"],
                counted=row["quantity"],
                book=row["on_hand"],
                first_book=row["first_book"],
                in_transit=row["in_transit"],
                before=_less(near[i], adjustments.within(key, at - band, at, looked_us)),
                after=_less(near[rows.height + i], adjustments.within(key, at, at + band, looked_us)),
            )
            due.append(Due(row["event_id"], row["kind"], key, Knowledge(at, looked_us), look))
        return due

    def state(self) -> bytes:
        """Counts that wait, as Arrow bytes."""
        return to_bytes(self._waiting)

    def take_up(self, state: bytes) -> None:
        """Go on from a `state`."""
        self._waiting = from_bytes(state)


def _look(counts: pl.DataFrame, stage: Stage, when: str) -> pl.DataFrame:
    known = ("first_book", "on_hand", "in_transit")
    return counts.select(*COUNT_SCHEMA, *known, looked_us=when, stage=pl.lit(stage))


def _answered(counts: pl.DataFrame, when: str, book: StockBook) -> pl.DataFrame:
    """Counts with what the book says as of them, as known at their look."""
    asked = counts.select(*KEY, valid_us="as_of_us", booked_us=pl.col(when) - 1)
    answer = book.as_of(asked).select("location_known", "on_hand", "in_transit")
    _insist(answer["on_hand"])
    return counts.with_columns(answer)


def _activity(keys: pl.DataFrame, book: StockBook) -> list[Nearby]:
    moves = book.activity(keys.select(*KEY, "from_us", "until_us", "booked_us")).select("moves", "net", "gross")
    _insist(moves["net"])
    return [Nearby(*row) for row in moves.iter_rows()]


def _insist(answers: pl.Series) -> None:
    if answers.null_count():
        raise ValueError(
            "counts older than the ledger's history: give a call fewer windows, or the ledger a longer history"
        )


def _less(near: Nearby, adjusted: list[int]) -> Nearby:
    return Nearby(near.moves - len(adjusted), near.net - sum(adjusted), near.gross - sum(map(abs, adjusted)))
