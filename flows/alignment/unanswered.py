"""How often it is told that setpoints are not answered: once an hour for each zone, or anew after an answer."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from domain.alignment.setpoints import Answered

HOUR_US: Final = 3_600_000_000
_KIND: Final = "unacknowledged"


class Unanswered:
    """Zones of which it was told within the hour, and when."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], int] = {}

    def news(self, answered: Answered) -> pl.DataFrame:
        """The exceptions (EXCEPTION_SCHEMA) without those that say again what was told within the hour."""
        if not answered.setpoints.height and not answered.exceptions.height:
            return answered.exceptions
        heard = answered.setpoints.filter(pl.col("acknowledgement").is_not_null())
        happened = [(time_us, -1, (site, zone)) for site, zone, time_us in heard.select(*_WHERE).iter_rows()]
        kinds = answered.exceptions.select(*_WHERE, "kind").iter_rows()
        happened += [(t, at, (s, z)) for at, (s, z, t, kind) in enumerate(kinds) if kind == _KIND]
        known = [at for time_us, at, zone in sorted(happened) if self._known(time_us, at, zone)]
        rows = answered.exceptions.with_row_index("_at")
        return rows.filter(~pl.col("_at").is_in(known)).drop("_at")

    def _known(self, time_us: int, at: int, zone: tuple[str, str]) -> bool:
        """Whether it was told within the hour; an answer (`at` is -1) ends that."""
        self._told = {one: told_us for one, told_us in self._told.items() if told_us > time_us - HOUR_US}
        if at < 0:
            self._told.pop(zone, None)
            return False
        return self._told.setdefault(zone, time_us) != time_us

    def snapshot(self) -> list[object]:
        """State as primitives."""
        return [[*zone, told_us] for zone, told_us in sorted(self._told.items())]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        self._told = {(site, zone): told_us for site, zone, told_us in state}


_WHERE: Final = ("site", "zone", "time_us")
