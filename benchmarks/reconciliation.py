"""How often reconciliation cries wolf, and how soon it finds a leak: on a simulated site whose stock is known.

Four ways to look at the same counts:

- *book now*: the count against the book at the time it is reported;
- *as of*: against the book as of the moment of the count, by what is booked when it is reported;
- *as of, bands*: the final look, which knows late papers, transfers under way, moves near the count and slips;
- *as of, CUSUM*: alarms for slow leaks.

A false alarm is one about a count that was keyed rightly, of stock that nobody took: for the first two a difference
beyond tolerance, for the third the class shrinkage or gain, for the fourth an alarm. Run it: `python -m
benchmarks.reconciliation`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import median

import polars as pl

from domain.inventory.ledger import Ledger
from domain.inventory.reconcile import ReconcileConfig, Reconciled, Reconciler
from domain.inventory.tolerance import Tolerance
from domain.twin.stock_config import StockSiteConfig
from domain.twin.stock_frames import StockFrames, stock_frames
from domain.twin.stock_site import CountTruth, StockRun, StockSite

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
WINDOW_US = HOUR_US // 4
HISTORY_US = 48 * HOUR_US
METHODS = ("book now", "as of", "as of, bands", "as of, CUSUM")


@dataclass
class Seen:
    """What reconciliation said, and what the book said when counts were reported."""

    looks: pl.DataFrame
    leaks: pl.DataFrame
    proposed: pl.DataFrame
    refused: pl.DataFrame
    now: dict[str, int] = field(default_factory=dict)


@dataclass
class Score:
    """One row of the table."""

    method: str
    clean: int
    false: int
    leaks: int
    days: list[float]

    @property
    def per_1000(self) -> float:
        return 1_000 * self.false / self.clean

    def __str__(self) -> str:
        found = f"{len(self.days)}/{self.leaks}"
        days = f"{median(self.days):.1f}" if self.days else "-"
        return f"{self.method:<14}{self.false:>7}{self.per_1000:>12.2f}{found:>10}{days:>10}"


def calls(frames: StockFrames, windows: int) -> Iterator[tuple[StockFrames, int]]:
    """The site's rows dealt into calls of so many windows, and the end of each call."""
    span = windows * WINDOW_US
    call = pl.col("time_us") // span
    tables = [f.with_columns(call=call) for f in (frames.moves, frames.counts, frames.items)]
    ends = sorted({c for f in tables for c in f["call"].unique()})
    parts = [f.partition_by("call", as_dict=True, include_key=False) for f in tables]
    empty = [f.drop("call").clear() for f in tables]
    for number in range(ends[0], ends[-1] + 1 + (24 * HOUR_US + span) // span):
        mine = [p.get((number,), e) for p, e in zip(parts, empty, strict=True)]
        yield StockFrames(*mine), (number + 1) * span


def reconcile(frames: StockFrames, config: ReconcileConfig | None = None, windows: int = 24) -> Seen:
    """Run the ledger and reconciliation over all of it."""
    ledger, reconciler = Ledger(WINDOW_US, HISTORY_US), Reconciler(config or ReconcileConfig())
    said: list[Reconciled] = []
    now: dict[str, int] = {}
    for call, until_us in calls(frames, windows):
        postings = ledger.post(call.moves).postings
        said.append(reconciler.advance(call.counts, call.items, postings, until_us, ledger))
        at = pl.col("time_us") // WINDOW_US * WINDOW_US + WINDOW_US - 1
        asked = call.counts.select("site", "sku", "location", valid_us=at, booked_us=at)
        now |= dict(zip(call.counts["event_id"], ledger.as_of(asked)["on_hand"], strict=True))
    parts = [pl.concat([getattr(s, name) for s in said]) for name in ("looks", "leaks", "proposed", "refused")]
    return Seen(*parts, now=now)


def scores(run: StockRun, seen: Seen) -> list[Score]:
    """The table, row by row."""
    truth = {c.event_id: c for c in run.counts}
    tolerance, abc = Tolerance(), {c.sku: c.sku[0].upper() for c in run.counts}
    alarms: dict[str, list[tuple[CountTruth, int]]] = {method: [] for method in METHODS}
    for row in seen.looks.iter_rows(named=True):
        count = truth[row["event_id"]]
        if row["stage"] == "first":
            for method, book in (("book now", seen.now[count.event_id]), ("as of", row["book"])):
                if abs(row["counted"] - book) > tolerance.quantity(abc[count.sku], book):
                    alarms[method].append((count, row["looked_us"]))
        elif row["class"] in {"shrinkage", "gain"}:
            alarms["as of, bands"].append((count, row["looked_us"]))
    for row in seen.leaks.iter_rows(named=True):
        alarms["as of, CUSUM"].append((truth[row["event_id"]], row["looked_us"]))
    return [_score(method, run, alarms[method]) for method in METHODS]


def _score(method: str, run: StockRun, alarms: list[tuple[CountTruth, int]]) -> Score:
    clean = [c for c in run.counts if not c.leaking and c.slip is None]
    false = [count for count, _ in alarms if not count.leaking and count.slip is None]
    first: dict[str, int] = {}
    for count, looked_us in alarms:
        if count.leaking:
            first[count.sku] = min(first.get(count.sku, looked_us), looked_us)
    days = [(first[leak.sku] - leak.since_us) / DAY_US for leak in run.leaks if leak.sku in first]
    return Score(method, len(clean), len(false), len(run.leaks), days)


def slips(run: StockRun, seen: Seen) -> Counter[tuple[bool, str | None, str, str | None]]:
    """Counts by whether their stock leaked, the slip that was made, the class they got and the slip that was named."""
    said = {row["event_id"]: row for row in seen.looks.filter(pl.col("stage") == "final").iter_rows(named=True)}
    rows = [(c, said[c.event_id]) for c in run.counts if c.event_id in said]
    return Counter((c.leaking, c.slip, row["class"], row["slip"]) for c, row in rows)


def main(seeds: int = 3) -> None:
    """Print the tables of several sites."""
    for seed in range(1, seeds + 1):
        run = StockSite(replace(StockSiteConfig(), seed=seed)).run()
        seen = reconcile(stock_frames(run.delivered, WINDOW_US))
        print(f"site {seed}: {len(run.counts):,} counts, {len(run.leaks)} leaks")
        print(f"{'':<14}{'false':>7}{'per 1,000':>12}{'leaks':>10}{'days':>10}")
        for score in scores(run, seen):
            print(score)
        for (leaking, slip, name, named), number in sorted(slips(run, seen).items(), key=str):
            stock = "leaking" if leaking else "sound"
            print(f"  {stock:<9}{slip or 'keyed rightly':<15}{name:<11}{named or '':<11}{number:>7}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
