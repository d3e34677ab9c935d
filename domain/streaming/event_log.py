"""Rows in the order in which they came, that grow old and are forgotten: kept as pieces of a snapshot.

A snapshot adds one piece, with the rows since the last one. Small pieces are joined when those behind them have grown
as large, so that there are few of them and a row is written but a few times over. Rows themselves are not held here.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import polars as pl

from domain.streaming.frames import from_bytes, micros, to_bytes
from domain.streaming.parts import Part

_LARGEST: Final = 1 << 17
"""Rows above which a piece is not joined with others: to write a large one takes as long as a reader may wait."""


class _Piece(NamedTuple):
    rows: int
    newest: int
    part: Part


class EventLog:
    """A log of frames of one schema, which grow old by a column of times (Int64, or a datetime in microseconds)."""

    def __init__(self, time: str) -> None:
        self._time = time
        self._pieces: list[_Piece] = []
        self._fresh: list[pl.DataFrame] = []

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows."""
        if rows.height:
            self._fresh.append(rows)

    def forget(self, before: int) -> None:
        """Rows older than that are needed no more; some of them may stay."""
        self._pieces = [piece for piece in self._pieces if piece.newest >= before]
        self._fresh = [rows for rows in self._fresh if self._newest(rows) >= before]

    def snapshot(self) -> list[Any]:
        """Pieces in order."""
        if self._fresh:
            self._pieces.append(self._piece(self._fresh))
            self._fresh = []
        while len(self._pieces) > 1:
            older, newer = self._pieces[-2:]
            if older.rows > 2 * newer.rows or older.rows + newer.rows > _LARGEST:
                break
            self._pieces[-2:] = [self._piece([from_bytes(piece.part.read()) for piece in (older, newer)])]
        return [list(piece) for piece in self._pieces]

    def restore(self, state: list[Any]) -> list[pl.DataFrame]:
        """Take up a snapshot; its frames in order, with rows among them that were forgotten."""
        self._pieces = [_Piece(*piece) for piece in state]
        self._fresh = []
        return [from_bytes(piece.part.read()) for piece in self._pieces]

    def _piece(self, frames: list[pl.DataFrame]) -> _Piece:
        rows = pl.concat(frames)
        return _Piece(rows.height, self._newest(rows), Part(to_bytes(rows)))

    def _newest(self, rows: pl.DataFrame) -> int:
        return int(micros(rows[self._time]).max())
