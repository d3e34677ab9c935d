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
from domain.streaming.frames import from_bytes, to_bytes

TOO_OLD: Final = "reconcile.too_old"
FUTURE: Final = "reconcile.future"

_HOUR_US: Final = 3_600_000_000
_WAITING: Final = {**COUNT_SCHEMA, "first_us": pl.Int64, "final_us": pl.Int64, "first_book": pl.Int64}
_ORDER: Final = ("looked_us", "stage", "as_of_us", *KEY, "event_id")  # "final" sorts before "first"


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
        timing = self._timing
        window = timing.window_us
        first_us = (pl.col("time_us") // window + 1) * window
        grace_us = -(-timing.grace_us // window) * window
        new = counts.select(COUNT_SCHEMA.keys()).with_columns(first_us=first_us, final_us=first_us + grace_us)
        new, refused = self._admitted(new, book)
        waiting = pl.concat([self._waiting, new.select(_WAITING.keys())])
        ready = pl.col("final_us") <= until_us
        self._waiting = waiting.filter(~ready)
        final = _answered(_look(waiting.filter(ready), "final", "final_us"), book)
        first = _look(new, "first", "first_us", "on_hand", "in_transit")
        rows = pl.concat([first, final.select(first.columns)]).sort(_ORDER)
        return self._with_moves(rows, book, adjustments), refused

    def _admitted(self, new: pl.DataFrame, book: StockBook) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Counts that can be reconciled, with the book as first known, and the others."""
        age = pl.col("first_us") - pl.col("as_of_us")
        code = pl.when(age <= 0).then(pl.lit(FUTURE)).when(age > self._timing.reach_us).then(pl.lit(TOO_OLD))
        new = new.with_columns(code=code)
        strange = new.filter(pl.col("code").is_not_null())
        new = _answered(new.filter(pl.col("code").is_null()).with_columns(looked_us="first_us"), book)
        unknown = new.filter(~pl.col("location_known")).with_columns(code=pl.lit(UNKNOWN_LOCATION))
        refused = pl.concat([strange.select(REFUSED_COUNT_SCHEMA.keys()), unknown.select(REFUSED_COUNT_SCHEMA.keys())])
        new = new.filter("location_known").with_columns(first_book="on_hand")
        return new, refused.sort("time_us", "event_id")

    def _with_moves(self, rows: pl.DataFrame, book: StockBook, adjustments: Adjustments) -> list[Due]:
        band = self._timing.band_us
        as_of = pl.col("as_of_us")
        keys = rows.select(*KEY, "as_of_us", booked_us=pl.col("looked_us") - 1)
        before = _activity(keys.with_columns(from_us=as_of - band, until_us=as_of), book)
        after = _activity(keys.with_columns(from_us=as_of, until_us=as_of + band), book)
        due = []
        for row, *sides in zip(rows.iter_rows(named=True), before, after, strict=True):
            key = (row["site"], row["sku"], row["location"])
            knowledge = Knowledge(row["as_of_us"], row["looked_us"])
            edges = ((knowledge.as_of_us - band, knowledge.as_of_us), (knowledge.as_of_us, knowledge.as_of_us + band))
            near = [
                _less(side, adjustments.within(key, *edge, knowledge.looked_us))
                for side, edge in zip(sides, edges, strict=True)
            ]
            look = Look(
                stage=row["stage"],
                counted=row["quantity"],
                book=row["on_hand"],
                first_book=row["first_book"],
                in_transit=row["in_transit"],
                before=near[0],
                after=near[1],
            )
            due.append(Due(row["event_id"], key, knowledge, look))
        return due

    def state(self) -> bytes:
        """Counts that wait, as Arrow bytes."""
        return to_bytes(self._waiting)

    def take_up(self, state: bytes) -> None:
        """Go on from a `state`."""
        self._waiting = from_bytes(state)


def _look(counts: pl.DataFrame, stage: Stage, when: str, *known: str) -> pl.DataFrame:
    return counts.select(*COUNT_SCHEMA, "first_book", *known, looked_us=when, stage=pl.lit(stage))


def _answered(rows: pl.DataFrame, book: StockBook) -> pl.DataFrame:
    """Rows with what the book says as of their counts, as known at their looks."""
    asked = rows.select(*KEY, valid_us="as_of_us", booked_us=pl.col("looked_us") - 1)
    answer = book.as_of(asked).select("location_known", "on_hand", "in_transit")
    _insist(answer["on_hand"])
    return rows.with_columns(answer)


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
