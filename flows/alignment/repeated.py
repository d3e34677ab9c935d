"""How often it is told that setpoints of a zone are not carried out for one and the same reason: once an hour.

That nobody answers is told anew after an answer; a rejection and a failure after a setpoint that is completed, or with
another comment. A controller that refuses whatever it is asked for would be an alarm at each review.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from domain.alignment.setpoints import Answered

HOUR_US: Final = 3_600_000_000
_UNANSWERED: Final = "unacknowledged"
_KINDS: Final = (_UNANSWERED, "rejected", "failed")
_WHERE: Final = ("site", "zone", "time_us")
_ANSWER: Final = -1
"""In place of the number of a row: answers of a time come before exceptions of the same time."""


class Repeated:
    """What was told of zones within the hour, and when."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, ...], int] = {}
        """By site, zone, kind and comment."""

    def news(self, answered: Answered) -> pl.DataFrame:
        """The exceptions (EXCEPTION_SCHEMA) without those that say again what was told within the hour."""
        if not answered.setpoints.height and not answered.exceptions.height:
            return answered.exceptions
        heard = answered.setpoints.filter(pl.col("acknowledgement").is_not_null()).select(*_WHERE, "status")
        happened = [(time_us, _ANSWER, (site, zone, status, "")) for site, zone, time_us, status in heard.iter_rows()]
        kinds = answered.exceptions.select(*_WHERE, "kind", pl.col("comment").fill_null("")).iter_rows()
        happened += [(t, at, (s, z, kind, why)) for at, (s, z, t, kind, why) in enumerate(kinds) if kind in _KINDS]
        known = [at for time_us, at, what in sorted(happened) if self._known(time_us, at, what)]
        rows = answered.exceptions.with_row_index("_at")
        return rows.filter(~pl.col("_at").is_in(known)).drop("_at")

    def _known(self, time_us: int, at: int, what: tuple[str, ...]) -> bool:
        """Whether it was told within the hour."""
        self._told = {one: told_us for one, told_us in self._told.items() if told_us > time_us - HOUR_US}
        if at != _ANSWER:
            return self._told.setdefault(what, time_us) != time_us
        *zone, status, _ = what
        ended = _KINDS if status == "completed" else (_UNANSWERED,)
        self._told = {one: at_us for one, at_us in self._told.items() if [*one[:2]] != zone or one[2] not in ended}
        return False

    def snapshot(self) -> list[object]:
        """State as primitives."""
        return [[*what, told_us] for what, told_us in sorted(self._told.items())]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        self._told = {tuple(what): told_us for *what, told_us in state}
