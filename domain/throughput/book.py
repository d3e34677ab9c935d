"""What is known of the rates of many entities: discounted evidence and its scatter, in arrays by entity number.

Learning is pure: it gives a new book and leaves the old one as it was, so that a look ahead is a chain of
learning that is thrown away. An entity's evidence depends on its own windows alone, not on whoever else is in
the book or in the window, to the last bit; and an entity unseen for `RateModel.memory` windows starts anew, so
leaving it out of the stored state changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from domain.throughput.dispersion import Scatter
from domain.throughput.entities import Entities, EntityWindow
from domain.throughput.levels import LEVEL_KEY
from domain.throughput.rate import Evidence, Float64, Int64, RateModel

_SEEN: Final = "seen"
_EVIDENCE: Final = tuple(field.name for field in fields(Evidence))
_SCATTER: Final = tuple(field.name for field in fields(Scatter))
_KNOWN: Final = (*_EVIDENCE, *_SCATTER)
_SUMS: Final = tuple(prefix + name for name in _KNOWN for prefix in ("", "service_"))
BOOK_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    **dict.fromkeys(LEVEL_KEY, pl.String),
    _SEEN: pl.Int64,
    **dict.fromkeys(_SUMS, pl.Float64),
}
"""Entity, start of its last window, evidence and scatter over available and over busy hours (`service_...`)."""
_NEVER: Final = -(2**62)


@dataclass(frozen=True, slots=True)
class GammaBook:
    """Evidence per (level, site, entity) for tasks per available hour and tasks per busy hour."""

    model: RateModel
    window_us: int
    entities: Entities
    last: int
    """Start of the last window learned."""
    seen: Int64
    """Start of each entity's last window (entities)."""
    sums: Float64
    """`Evidence` and `Scatter`, each over available and over busy hours (11, 2, entities)."""

    @classmethod
    def stored(cls, model: RateModel, window_us: int, state: pl.DataFrame) -> GammaBook:
        """Book from its `state`; a frame without rows gives an empty one."""
        seen = state[_SEEN].to_numpy()
        sums = state.select(_SUMS).to_numpy().T.reshape(len(_KNOWN), 2, state.height)
        return cls(model, window_us, Entities(state), int(seen.max(initial=_NEVER)), seen, sums)

    @property
    def state(self) -> pl.DataFrame:
        """What is not forgotten, in `BOOK_SCHEMA`, sorted by entity."""
        kept = np.flatnonzero(self.seen >= self.last - self.model.memory * self.window_us)
        sums = self.sums.reshape(len(_SUMS), -1)[:, kept]
        columns = [pl.Series(name, values) for name, values in zip(_SUMS, sums, strict=True)]
        seen = pl.Series(_SEEN, self.seen[kept])
        return self.entities.keys(kept).with_columns(seen, *columns).sort(LEVEL_KEY)

    def learn(self, window: EntityWindow) -> GammaBook:
        """Book after a window, which must be later than those before; otherwise ValueError."""
        if window.start <= self.last:
            raise ValueError(f"window {window.start} was learned before, or a later one")
        seen, sums = self._grown(len(self.entities) - len(self.seen))
        elapsed = (window.start - seen[window.codes]) // self.window_us
        weights = _weights(self.model.discount, self.model.memory)
        kept = weights[np.minimum(elapsed, self.model.memory + 1)]
        known, scatter = split(sums.take(window.codes, axis=2))
        sites, are_robots = self.entities.sites([window]), self.entities.are_robots(window)
        scatter = scatter.learn(known, kept, window.tasks, window.hours, window.robots, sites, are_robots)
        known = known.learn(window.tasks, window.hours, kept, self.model.discount)
        seen[window.codes] = window.start
        sums[:, :, window.codes] = [
            *(getattr(known, name) for name in _EVIDENCE),
            *(getattr(scatter, name) for name in _SCATTER),
        ]
        return GammaBook(self.model, self.window_us, self.entities, window.start, seen, sums)

    def _grown(self, added: int) -> tuple[Int64, Float64]:
        """Copies with room for more entities."""
        if added == 0:
            return self.seen.copy(), self.sums.copy()
        more = np.zeros((len(_KNOWN), 2, added))
        return np.concatenate([self.seen, np.full(added, _NEVER)]), np.concatenate([self.sums, more], axis=2)

    def evidence(self, window: EntityWindow) -> Float64:
        """`sums` of the entities of a window that was learned (11, 2, rows)."""
        return self.sums.take(window.codes, axis=2)


def split(sums: Float64) -> tuple[Evidence, Scatter]:
    """Evidence and scatter of `GammaBook.sums`, or of a part of them."""
    return Evidence(*sums[: len(_EVIDENCE)]), Scatter(*sums[len(_EVIDENCE) :])


@lru_cache
def _weights(discount: float, memory: int) -> Float64:
    """Weight of evidence by age in windows, 0 beyond the memory.

    A table, because vectorised powers may round otherwise at the ends of an array than within it.
    """
    return np.append(discount ** np.arange(memory + 1, dtype=np.float64), 0.0)
