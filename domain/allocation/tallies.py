"""How much work came to each zone and left it."""

from __future__ import annotations

from typing import Final

import polars as pl

from domain.allocation.task_tables import COUNTS, FLOW_SCHEMA

_NO_FLOWS: Final = pl.DataFrame(schema=FLOW_SCHEMA)
_PLACE: Final = {name: 2 * at for at, name in enumerate(COUNTS)}


class Tallies:
    """Tasks and work by zone and kind."""

    def __init__(self) -> None:
        self._zones: dict[tuple[str, str], list[int]] = {}

    def add(self, kind: str, site: str, zone: str, work_micro: int, tasks: int = 1) -> None:
        """Count tasks, one of COUNTS."""
        counts = self._zones.get((site, zone))
        if counts is None:
            counts = self._zones[site, zone] = [0] * 2 * len(COUNTS)
        at = _PLACE[kind]
        counts[at] += tasks
        counts[at + 1] += work_micro

    def move(self, site: str, source: tuple[str, int], target: tuple[str, int]) -> None:
        """A task's zone or work (micro) is another."""
        self.add("moved", site, source[0], -source[1], -1)
        self.add("moved", site, target[0], target[1])

    def flows(self) -> pl.DataFrame:
        """FLOW_SCHEMA."""
        zones = sorted(zone for zone, counts in self._zones.items() if any(counts))
        if not zones:
            return _NO_FLOWS
        rows = zip(*((*zone, *self._zones[zone]) for zone in zones), strict=True)
        return pl.DataFrame(
            [pl.Series(*column) for column in zip(FLOW_SCHEMA, rows, FLOW_SCHEMA.values(), strict=True)]
        )
