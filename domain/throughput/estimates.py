"""Throughput and service rates of robots, zones and sites from windows, on time and final.

*Throughput rate* is tasks per available robot-hour: what an entity does, demand permitting. *Service rate* is
tasks per busy robot-hour: what it could do. Idle time must not enter the latter, and need not be screened
out: its exposure is busy time, so a window that is idle for nine tenths counts by its busy tenth. Learning
only from windows that are busy throughout looks safer and is wrong: a long task fills windows without ever
finishing in one, and under light load a window that saw a task end is seldom busy to its own end. Measured at
60 s windows, one-minute tasks and 30 % utilisation: true rate 60 per hour, busy windows alone 24, busy time 60
(Clarke 1957, Annals of Mathematical Statistics 28:1036, gives the latter as maximum likelihood).

A robot's or zone's prior has the mean of its site, whose own prior is that of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.timeline import Stage
from domain.throughput.book import BOOK_SCHEMA, GammaBook, split
from domain.throughput.counters import Bool
from domain.throughput.entities import EntityWindow
from domain.throughput.rate import Evidence, Float64, Int64, RateModel, posterior, posterior_mean
from domain.throughput.stages import Stages
from schemas.outputs import THROUGHPUT


@dataclass(frozen=True, slots=True)
class RateNote:
    """A window, and what was known of its entities after it (`GammaBook.evidence`)."""

    window: EntityWindow
    evidence: Float64


class RateLearner:
    """Learns and estimates the rates of robots, zones and sites from `LEVEL_SCHEMA` rows."""

    def __init__(self, book: GammaBook, contract: str) -> None:
        self.book = book
        self._contract = contract

    def windows(self, rows: pl.DataFrame) -> dict[int, EntityWindow]:
        """Windows in order by start."""
        return self.book.entities.windows(rows)

    def rows(self, windows: Sequence[EntityWindow]) -> pl.DataFrame:
        """Rows that `windows` turns into the same windows."""
        return self.book.entities.rows(windows)

    def learn(self, window: EntityWindow) -> RateLearner:
        """What is known after one more window."""
        return RateLearner(self.book.learn(window), self._contract)

    def note(self, window: EntityWindow) -> RateNote:
        """All that `estimate` needs of the window last learned."""
        return RateNote(window, self.book.evidence(window))

    def estimate(self, notes: Sequence[RateNote]) -> pl.DataFrame:
        """Columns of the output `throughput` but for those of the stage; `window_start` in Int64 us."""
        rows = self.rows([note.window for note in notes])
        evidence, scatter = split(np.concatenate([note.evidence for note in notes], axis=2))
        model = self.book.model
        sites = self.book.entities.sites([note.window for note in notes])
        dispersion = scatter.dispersion(sites)
        rate = posterior(evidence, model.prior_tasks, self._prior(sites, evidence, dispersion), dispersion)
        busy_s, available_s = rows["busy_us"].to_numpy() / 1e6, rows["available_us"].to_numpy() / 1e6
        exposed = available_s > 0
        utilisation = np.divide(busy_s, available_s, out=np.zeros_like(busy_s), where=exposed)
        known = evidence.exposure[1] > 0
        return rows.select(
            pl.exclude("busy_us", "available_us"),
            pl.Series("busy_s", busy_s),
            pl.Series("available_s", available_s),
            _where(exposed, utilisation).alias("utilisation"),
            pl.Series("rate", rate.mean[0]),
            pl.Series("rate_lo", rate.low[0]),
            pl.Series("rate_hi", rate.high[0]),
            pl.Series("dispersion", dispersion[0]),
            _where(known, rate.mean[1]).alias("service_rate"),
            _where(known, rate.low[1]).alias("service_rate_lo"),
            _where(known, rate.high[1]).alias("service_rate_hi"),
            _where(known, dispersion[1]).alias("service_dispersion"),
            pl.lit(str(model)).alias("model"),
            pl.lit(self._contract).alias("contract"),
        )

    def _prior(self, sites: Int64, evidence: Evidence, dispersion: Float64) -> Float64:
        """Prior rates over available and over busy hours (2, rows); `sites`: place of the row of each row's site."""
        model = self.book.model
        fleet = np.full_like(evidence.count, model.prior_rate)
        means = posterior_mean(evidence, model.prior_tasks, fleet, dispersion)
        is_site = sites == np.arange(len(sites))
        return np.where(is_site | (sites < 0), fleet, means[:, sites])

    def snapshot(self) -> dict[str, bytes]:
        """State as named Arrow bytes."""
        return {"book": to_bytes(self.book.state)}

    def restored(self, state: dict[str, bytes]) -> RateLearner:
        """Learner of the same parameters with a snapshot's state."""
        book = GammaBook.stored(self.book.model, self.book.window_us, from_bytes(state["book"]))
        return RateLearner(book, self._contract)


def _where(known: Bool, values: Float64) -> pl.Expr:
    return pl.when(pl.Series(known)).then(pl.Series(values))


class ThroughputEstimator(Stages[RateLearner]):
    """Rows of the output `throughput` from `LEVEL_SCHEMA` rows of windows, on time and final."""

    def __init__(self, model: RateModel, window_us: int, contract: str) -> None:
        book = GammaBook.stored(model, window_us, pl.DataFrame(schema=BOOK_SCHEMA))
        super().__init__(RateLearner(book, contract), THROUGHPUT, window_us)

    def run(self, order: Iterable[tuple[Stage, int]], rows: Mapping[Stage, pl.DataFrame]) -> pl.DataFrame:
        """See `Stages.run`."""
        estimates = super().run(order, rows)
        if self.learned.book.entities.crowded:
            self.restore(self.snapshot())  # which numbers afresh the entities that are not forgotten
        return estimates
