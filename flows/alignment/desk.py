"""The desk where everything about capacity and demand comes together: what windows bring, and what reviews decide.

After each window tasks of robots that failed are given to others. A review decides the rest, in this order: gaps, what
is shed, who should do what, and the setpoints of zones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from domain.alignment.shedding import Shedding
from domain.alignment.shedding_stage import SheddingConfig
from domain.allocation.recovery_tables import REALLOCATED
from domain.allocation.task_book import Booked, TaskBook
from flows.alignment.arrivals import Window
from flows.alignment.dispatch import Dispatch
from flows.alignment.outlook import FORGOTTEN_US, Outlook
from flows.alignment.results import told
from flows.alignment.sections import Alignment
from flows.alignment.signals import dropped_signals, exception_signals, stuck_signals, unmapped_signals
from flows.alignment.steering import Steering
from flows.alignment.zones import loads, zone_states
from flows.carried import ORIGIN
from flows.estimators import Rows
from schemas.outputs import ALIGNMENT, ASSIGNMENT, REALLOCATION, SETPOINT, SHEDDING, SIGNAL

_ZONE: Final = ("site", "zone")
_ARRIVED: Final = ("created", "created_micro", "found", "found_micro")
_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Learned:
    """What a window came to: rows of outputs, and rows that are refused.

    The latter are sourced and have a code; beside them the columns that tell them apart.
    """

    told: list[Rows]
    refused: list[tuple[pl.DataFrame, Sequence[str]]]


class Desk:
    """All that is known of robots, tasks, demand and setpoints."""

    def __init__(self, settings: Alignment, window_us: int, *, answered: bool) -> None:
        self._stale_us = round(settings.stale_s * 1e6)
        self._tasks = TaskBook()
        self._outlook = Outlook(settings, window_us)
        self._steering = Steering(settings, answered=answered)
        self._dispatch = Dispatch(settings)
        shedding = SheddingConfig(
            service_us=round(settings.service_level_s * 1e6),
            ageing_us=round(settings.ageing_s * 1e6),
            most=settings.protected,
        )
        self._shedding = Shedding(shedding)
        self._shedding_policy = pl.lit(shedding.name)
        self._unmapped: dict[tuple[str, str], int] = {}
        """Sites and SKUs that were told to have no rule, and when there was demand of them last."""

    def learn(self, brought: Window, end: int) -> Learned:
        """Take in a window."""
        booked = self._booked(brought, end)
        self._dispatch.told_of(brought.robots)
        self._outlook.estimated(brought.demand)
        answered = self._steering.advance(brought.answers, end)
        rows = [
            told(SETPOINT, answered.setpoints),
            (SIGNAL.name, exception_signals(answered.exceptions)),
            (SIGNAL.name, dropped_signals(booked.dropped)),
        ]
        refused: list[tuple[pl.DataFrame, Sequence[str]]] = [(booked.refused, ORIGIN)] if booked.refused.height else []
        if answered.refused.height:
            by = ["event_id", "proposal", "decision", "time_us"]
            codes = answered.refused.select(*by, "code").unique(by)
            refused.append((brought.answers.join(codes, on=by, how="inner", maintain_order="left"), by))
        return Learned([one for one in rows if one[1].height], refused)

    def _booked(self, brought: Window, end: int) -> Booked:
        booked = self._tasks.advance(brought.tasks, end)
        flows = booked.flows
        work = flows.select(*_ZONE, "done", pl.col("done_micro").alias("work_micro"))
        self._outlook.learn(brought.start, brought.presence, work, flows.select(*_ZONE, *_ARRIVED))
        self._shedding.learn(brought.tasks.filter(pl.col("transition") == "created"))
        return booked

    def recover(self, at: int) -> list[Rows]:
        """What becomes of tasks of robots that failed, and who should do them now; a `review` does that, too."""
        tasks, robots = self._tasks.open(), self._dispatch.known(self._outlook.fleet.robots())
        reallocated = self._dispatch.recover(at, self._tasks, tasks, robots)
        new = (reallocated["status"] == REALLOCATED).any()
        parts = self._dispatched(at, tasks, robots) if new else []
        parts.append(told(REALLOCATION, self._dispatch.taken_over(reallocated)))
        return [one for one in parts if one[1].height]

    def _dispatched(self, at: int, tasks: pl.DataFrame, robots: pl.DataFrame) -> list[Rows]:
        found = self._dispatch.review(at, tasks, self._shedding.shed(at, tasks), robots, self._tasks.done())
        return [told(ASSIGNMENT, found.assignments), (SIGNAL.name, stuck_signals(found.stuck, at))]

    def review(self, at: int) -> list[Rows]:
        """Everything that is decided at a time."""
        passed = self._steering.advance(None, at)
        parts = [told(SETPOINT, passed.setpoints), (SIGNAL.name, exception_signals(passed.exceptions))]
        tasks, robots = self._tasks.open(), self._dispatch.known(self._outlook.fleet.robots())
        reallocated = self._dispatch.recover(at, self._tasks, tasks, robots)
        backlog = self._tasks.backlog().select(*_ZONE, (pl.col("work_micro") / _MICRO).alias("backlog"))
        view = self._outlook.review(at, backlog)
        # Before anything is known of what arrives, that nothing does is no news to decide upon.
        begun = self._outlook.begun
        parts += [told(ALIGNMENT, view.gaps), *self._unmapped_signals(view.unmapped, at)] if begun else []
        zones = zone_states(at, self._stale_us, view, tasks, robots, self._steering.named) if begun else []
        shed = self._shedding.review(at, loads(view.gaps, zones), tasks)
        parts.append(told(SHEDDING, shed.with_columns(policy=self._shedding_policy)))
        parts += self._dispatched(at, tasks, robots)
        parts.append(told(REALLOCATION, self._dispatch.taken_over(reallocated)))
        if zones:
            decided = self._steering.decide(at, zones)
            parts += [told(SETPOINT, decided.setpoints), (SIGNAL.name, exception_signals(decided.exceptions))]
        return [one for one in parts if one[1].height]

    def _unmapped_signals(self, unmapped: pl.DataFrame, at: int) -> list[Rows]:
        """Of each site and SKU once, until there has been no demand of it for a week."""
        known = {key: seen for key, seen in self._unmapped.items() if seen >= at - FORGOTTEN_US}
        keys = list(unmapped.select("site", "sku").iter_rows())
        fresh = unmapped.filter(pl.Series([key not in known for key in keys], dtype=pl.Boolean))
        self._unmapped = known | dict.fromkeys(keys, at)
        return [(SIGNAL.name, unmapped_signals(fresh.unique(("site", "sku"), maintain_order=True), at))]

    def snapshot(self) -> list[object]:
        """State as primitives and bytes."""
        unmapped = [[*key, seen] for key, seen in sorted(self._unmapped.items())]
        parts = [self._tasks.snapshot(), self._outlook.snapshot(), self._steering.snapshot()]
        return [*parts, self._dispatch.snapshot(), self._shedding.snapshot(), unmapped]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot."""
        tasks, outlook, steering, dispatch, shedding, unmapped = state
        self._tasks.restore(tasks)
        self._outlook.restore(outlook)
        self._steering.restore(steering)
        self._dispatch.restore(dispatch)
        self._shedding.restore(shedding)
        self._unmapped = {(site, sku): seen for site, sku, seen in unmapped}
