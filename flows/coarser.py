"""Windows of a stream put together to longer ones, for a step whose windows are longer."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from bytewax.operators import StatefulBatchLogic

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.windows import WINDOW_START, Closed
from flows.progress_items import Ended, Idle, Progress


class CoarserStep(StatefulBatchLogic[Progress, Progress, bytes]):
    """Whole rows of one partition by windows of `window_us`, which are made of whole windows as they come."""

    def __init__(self, window_us: int, state: bytes | None) -> None:
        self._window = window_us
        self._held = from_bytes(state) if state else None
        """Rows of final windows whose longer window goes on."""

    def on_batch(self, values: list[Progress]) -> tuple[Iterable[Progress], bool]:
        """Hold what is final until the longer window is; silence and ends are handed on with what is held."""
        return [self._taken(item) for item in values], StatefulBatchLogic.RETAIN

    def _taken(self, item: Progress) -> Progress:
        if isinstance(item, Idle):
            return Idle(self._with_held(item.present))
        if isinstance(item, Ended):
            return Ended(self._with_held(item.present))
        until = item.final_until - item.final_until % self._window
        rows = self._with_held(item.final)
        done = pl.col(WINDOW_START) + self._window <= until
        self._held = rows.filter(~done)
        return Closed(until, until, rows.clear(), rows.filter(done))

    def _with_held(self, rows: pl.DataFrame) -> pl.DataFrame:
        start = pl.col(WINDOW_START)
        longer = rows.with_columns((start - start.mod(self._window)).alias(WINDOW_START))
        return longer if self._held is None else pl.concat([self._held, longer])

    def on_eof(self) -> tuple[Iterable[Progress], bool]:
        """The partition said so itself before."""
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """State as Arrow bytes; none before the first rows."""
        return b"" if self._held is None else to_bytes(self._held)
