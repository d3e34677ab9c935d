"""A circuit breaker on the gate: opens when a rule's failure ratio leaps.

Ratios are measured over blocks of a fixed number of rows of a partition, counted from its first row, so what
the breaker says is a function of the rows alone: not of batch cuts, restarts or the clock. Only how long the
source pauses is wall time, and that is the source's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from schemas.batch import GatedBatch

_MEMORY = 0.05  # weight of the newest block in a rule's usual ratio: about twenty blocks


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """Opens at `ratio` failures in a block of `block_rows`, if that is also `leap` times the usual ratio."""

    block_rows: int
    ratio: float
    leap: float


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """The breaker opened or closed with the block that ends at `last_offset`."""

    kind: Literal["breaker_open", "breaker_closed"]
    code: str
    ratio: float
    usual: float
    block_rows: int
    last_offset: int


@dataclass(slots=True)
class Breaker:
    """The breaker of one partition."""

    rule: BreakerRule
    open_on: str | None = None
    """Code of the rule on which the breaker is open."""
    _rows: int = 0
    _failures: dict[str, int] = field(default_factory=dict)
    _usual: dict[str, float] = field(default_factory=dict)

    def observe(self, batch: GatedBatch) -> list[BreakerEvent]:
        """Count a batch; what opened or closed the breaker, in order."""
        offsets = batch.raw.offsets
        positions = np.searchsorted(offsets, batch.rejects["offset"].to_numpy())
        reasons = batch.rejects["reasons"]
        events: list[BreakerEvent] = []
        start, seen = 0, 0
        while start < len(offsets):
            end = min(len(offsets), start + self.rule.block_rows - self._rows)
            upto = int(np.searchsorted(positions, end))
            self._count(reasons[seen:upto].to_list())
            self._rows += end - start
            start, seen = end, upto
            if self._rows == self.rule.block_rows:
                events += self._judge(int(offsets[end - 1]))
        return events

    def _count(self, reasons: list[list[str]]) -> None:
        for code in itertools.chain.from_iterable(reasons):
            self._failures[code] = self._failures.get(code, 0) + 1

    def _judge(self, last_offset: int) -> list[BreakerEvent]:
        """A block is full: compare its ratios with the usual ones, then begin the next."""
        ratios = {code: count / self.rule.block_rows for code, count in self._failures.items()}
        events = []
        if self.open_on is None:
            leaps = {c: r for c, r in ratios.items() if r >= self._limit(c)}
            if leaps:
                self.open_on = max(sorted(leaps), key=leaps.__getitem__)
                events.append(self._event("breaker_open", self.open_on, ratios, last_offset))
        elif ratios.get(self.open_on, 0.0) < self._limit(self.open_on):
            events.append(self._event("breaker_closed", self.open_on, ratios, last_offset))
            self.open_on = None
        if self.open_on is None:
            # What failed while open is not usual, or a long outage would become the norm.
            for code in sorted({*self._usual, *ratios}):
                usual = self._usual.get(code, 0.0)
                self._usual[code] = usual + _MEMORY * (ratios.get(code, 0.0) - usual)
        self._rows, self._failures = 0, {}
        return events

    def _limit(self, code: str) -> float:
        return max(self.rule.ratio, min(1.0, self.rule.leap * self._usual.get(code, 0.0)))

    def _event(
        self, kind: Literal["breaker_open", "breaker_closed"], code: str, ratios: Mapping[str, float], last: int
    ) -> BreakerEvent:
        usual = self._usual.get(code, 0.0)
        return BreakerEvent(kind, code, ratios.get(code, 0.0), usual, self.rule.block_rows, last)

    def snapshot(self) -> dict[str, Any]:
        """State as primitives."""
        return {
            "open_on": self.open_on,
            "rows": self._rows,
            "failures": dict(self._failures),
            "usual": dict(self._usual),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. A block that is full already, as the rule has shorter ones now, begins anew."""
        self.open_on = state["open_on"]
        self._usual = dict(state["usual"])
        if state["rows"] < self.rule.block_rows:
            self._rows = state["rows"]
            self._failures = dict(state["failures"])
