"""The stock ledger's cost per move, beside programs that do less, in the same process and in turns.

1,000,000 moves over 50,000 SKU-locations and 100 windows of 15 minutes, shuffled within each window, among them
transfers and relocations, which post to two keys. The ledger sorts and judges them, writes postings, balances per key
and window end, and findings, and keeps the history for questions as of an earlier time. It is given the moves in 1, 10
and 100 calls.

- *dict loop*: plain Python adds each move to five balances of its key, in order of arrival, and nothing else.
- *DuckDB group-by*: one query for the last balance of each key, and nothing else.
- *DuckDB running*: one query for the balances of each key at each window's end, by a window function.

All must agree on the last balances, to the last thousandth. The cost is CPU time of the process, least of the runs,
because a busy machine only ever adds to it.

    python -m benchmarks.inventory_ledger [--moves 1000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

import duckdb
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from domain.inventory.ledger import Ledger
from domain.inventory.reasons import BALANCES, REASONS
from domain.inventory.tables import KEY, MOVE_SCHEMA
from domain.inventory.units import UNITS

WINDOW_US = 900_000_000
WINDOWS = 100
SITES, SKUS, LOCATIONS = 5, 1_000, 10

# Share of each reason and the sign of its quantity.
_MIX = {
    "sale": (0.45, -1),
    "receipt": (0.1, 1),
    "allocate": (0.12, 1),
    "pick": (0.12, -1),
    "transfer_out": (0.03, -1),
    "transfer_in": (0.03, 1),
    "relocate": (0.05, -1),
    "order": (0.05, 1),
    "adjust": (0.05, 1),
}

Measured = tuple[float, pl.DataFrame]
"""CPU seconds, and the last balances by key, sorted."""


def moves(n: int, seed: int = 7) -> pl.DataFrame:
    """Moves in MOVE_SCHEMA, windows in order, rows within each shuffled."""
    random = np.random.default_rng(seed)
    reason = random.choice(len(_MIX), n, p=[share for share, _ in _MIX.values()])
    sign = np.array([sign for _, sign in _MIX.values()])[reason]
    names = pl.Series(list(_MIX))
    sites = pl.Series([f"site-{i}" for i in range(SITES)])
    places = pl.Series([f"A{i:02d}-{i * 7 % 40:02d}" for i in range(LOCATIONS)])
    at = random.integers(0, LOCATIONS, n)
    goes = pl.Series([name in {"transfer_out", "relocate"} for name in _MIX]).gather(reason)
    start = np.sort(random.integers(0, WINDOWS, n)) * WINDOW_US
    when = start + random.integers(0, WINDOW_US, n)
    number = pl.Series(np.arange(n)).cast(pl.String)
    return pl.DataFrame(
        {
            "event_id": "0123456789abcdef-" + number,
            "site": sites.gather(random.integers(0, SITES, n)),
            "sku": pl.Series([f"SKU-{i:06d}" for i in range(SKUS)]).gather(random.integers(0, SKUS, n)),
            "location": places.gather(at),
            "quantity": sign * random.integers(1, 20, n) * 1_000,
            "uom": pl.Series(["each", "dozen"]).gather(random.integers(0, 2, n)),
            "reason": names.gather(reason),
            "document": "document-" + pl.Series(np.arange(n) // 5).cast(pl.String),
            "line": pl.Series(np.arange(n) % 5).cast(pl.String),
            "to_site": pl.Series([None] * n, dtype=pl.String),
            "to_location": places.gather((at + 1) % LOCATIONS).set(~goes, None),
            "corrects": pl.Series([None] * n, dtype=pl.String),
            "valid_us": when,
            "time_us": when,
            "record_us": when,
            "_identity": random.integers(0, 2**63, n).astype(np.uint64),
            "window_start": start,
        },
        schema=MOVE_SCHEMA,
    )


def _last(balances: pl.DataFrame) -> pl.DataFrame:
    return balances.select(*KEY, *BALANCES).sort(KEY)


def _ledger(calls: int) -> Callable[[pl.DataFrame], Measured]:
    def run(frame: pl.DataFrame) -> Measured:
        call = pl.col("window_start") // WINDOW_US * calls // WINDOWS
        parts = frame.with_columns(call.alias("call")).partition_by("call", maintain_order=True, include_key=False)
        book = Ledger(WINDOW_US, 48 * 4 * WINDOW_US)
        began = time.process_time()
        posted = [book.post(part) for part in parts]
        cost = time.process_time() - began
        if any(p.refused.height for p in posted):
            raise SystemExit("the ledger refused moves that are good")
        balances = pl.concat([p.balances for p in posted])
        return cost, _last(balances.unique(KEY, keep="last", maintain_order=True))

    return run


def _dict_loop(frame: pl.DataFrame) -> Measured:
    effects = {name: [[c.get(b, 0) for b in BALANCES] for c in (e.here, e.there or {})] for name, e in REASONS.items()}
    times = {name: unit.milli // 1_000 for name, unit in UNITS.items()}
    names = ("site", "sku", "location", "quantity", "uom", "reason", "to_site", "to_location")
    columns = [frame[name].to_list() for name in names]
    book: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * len(BALANCES))
    began = time.process_time()
    for site, sku, location, raw, uom, reason, to_site, to_location in zip(*columns, strict=True):
        quantity = raw * times[uom]
        here, there = effects[reason]
        balances = book[site, sku, location]
        for i, coefficient in enumerate(here):
            balances[i] += coefficient * quantity
        if to_location is not None:
            balances = book[to_site or site, sku, to_location]
            for i, coefficient in enumerate(there):
                balances[i] += coefficient * quantity
    cost = time.process_time() - began
    rows = [(*key, *balances) for key, balances in book.items()]
    return cost, _last(pl.DataFrame(rows, schema=[*KEY, *BALANCES], orient="row"))


def _legs() -> str:
    effects = ", ".join(
        f"('{name}', {side}, {', '.join(str(coefficients.get(b, 0)) for b in BALANCES)})"
        for name, effect in REASONS.items()
        for side, coefficients in enumerate([effect.here, effect.there])
        if coefficients is not None
    )
    units = ", ".join(f"('{name}', {UNITS[name].milli // 1_000})" for name in ("each", "dozen"))
    deltas = ", ".join(f"quantity * times * e.{b} AS {b}" for b in BALANCES)
    return f"""
        SELECT CASE side WHEN 0 THEN site ELSE coalesce(to_site, site) END AS site, sku,
               CASE side WHEN 0 THEN location ELSE to_location END AS location, window_start, {deltas}
        FROM frame JOIN (VALUES {effects}) AS e(reason, side, {", ".join(BALANCES)}) USING (reason)
        JOIN (VALUES {units}) AS u(uom, times) USING (uom)"""


def _group_by(*names: str) -> str:
    sums = ", ".join(f"sum({b})::BIGINT AS {b}" for b in BALANCES)
    return f"SELECT {', '.join(names)}, {sums} FROM ({_legs()}) GROUP BY {', '.join(names)}"


def _running() -> str:
    sums = ", ".join(f"sum({b}) OVER w::BIGINT AS {b}" for b in BALANCES)
    key = ", ".join(KEY)
    return f"""
        SELECT {key}, window_start, {sums} FROM ({_group_by(*KEY, "window_start")})
        WINDOW w AS (PARTITION BY {key} ORDER BY window_start)"""


def _duckdb(query: str) -> Callable[[pl.DataFrame], Measured]:
    def run(frame: pl.DataFrame) -> Measured:
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1")
            connection.register("frame", frame)
            began = time.process_time()
            found = connection.execute(query).pl()
            cost = time.process_time() - began
        if "window_start" in found.columns:
            found = found.sort("window_start").unique(KEY, keep="last", maintain_order=True)
        return cost, _last(found)

    return run


CONTENDERS: dict[str, Callable[[pl.DataFrame], Measured]] = {
    "Takt ledger, 1 call": _ledger(1),
    "Takt ledger, 10 calls": _ledger(10),
    "Takt ledger, 100 calls": _ledger(100),
    "dict loop": _dict_loop,
    "DuckDB group-by": _duckdb(_group_by(*KEY)),
    "DuckDB running": _duckdb(_running()),
}


def main() -> None:
    """Measure all contenders in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    frame = moves(options.moves)
    costs: dict[str, list[float]] = defaultdict(list)
    oracle = _dict_loop(frame)[1]
    for _ in range(options.runs):
        for name, contender in CONTENDERS.items():
            cost, found = contender(frame)
            if not found.equals(oracle):
                raise SystemExit(f"{name}: balances differ from those of the dict loop")
            costs[name].append(cost)
    table = Table(title=f"{options.moves:,} moves, {oracle.height:,} keys; all agree on the last balances")
    for column in ("contender", "CPU us a move", "median", "to dict loop"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    reference = min(costs["dict loop"])
    for name, spent in costs.items():
        least, median = (1e6 * value / options.moves for value in (min(spent), statistics.median(spent)))
        table.add_row(name, f"{least:.2f}", f"{median:.2f}", f"{min(spent) / reference:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
