"""The ledger as a plain program: dicts and whole numbers of any length, one move after the other."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import groupby

from domain.inventory.reasons import BALANCES, REASONS
from domain.inventory.units import UNITS

LIMIT = 10**17
WINDOW = 900

Row = dict[str, object]
Key = tuple[str, str, str]


def legs(row: Row, quantity: int) -> list[tuple[Key, list[int]]]:
    effect = REASONS[row["reason"]]
    found = [((row["site"], row["sku"], row["location"]), [effect.here.get(b, 0) * quantity for b in BALANCES])]
    if effect.there is not None:
        to = (row["to_site"] or row["site"], row["sku"], row["to_location"])
        found.append((to, [effect.there.get(b, 0) * quantity for b in BALANCES]))
    return found


def misfit(row: Row) -> str | None:
    if row["uom"] not in UNITS:
        return "ledger.unit_unknown"
    if row["reason"] not in REASONS:
        return "ledger.reason_unknown"
    if REASONS[row["reason"]].there is not None:
        to = (row["to_site"] or row["site"], row["to_location"])
        if to[1] is None or to == (row["site"], row["location"]):
            return "ledger.destination"
    if row["quantity"] is None:
        return "ledger.inexact"
    exact = Fraction(row["quantity"], 1000) * UNITS[row["uom"]].milli
    if exact.denominator != 1:
        return "ledger.inexact"
    return "ledger.overflow" if abs(exact) > LIMIT else None


def shortfalls(b: list[int]) -> dict[str, int]:
    found = {f"negative_{name}": -value for name, value in zip(BALANCES, b, strict=True)}
    found["over_allocated"] = b[1] - max(b[0], 0)
    return {name: value for name, value in found.items() if value > 0}


class PlainLedger:
    """Everything a ledger says, of rows in any order."""

    def __init__(self, rows: list[Row]) -> None:
        self.balance: dict[Key, list[int]] = defaultdict(lambda: [0] * 5)
        self.postings: list[tuple[object, ...]] = []
        self.refused: list[tuple[str, str]] = []
        self.findings: list[tuple[object, ...]] = []
        self.at_window: dict[tuple[int, Key], list[int]] = {}
        self.dimension: dict[str, str] = {}
        self.booked: list[tuple[Key, list[int], Row]] = []
        rows = sorted(rows, key=lambda r: (r["time_us"], r["_identity"]))
        for _, instant in groupby(rows, key=lambda r: r["time_us"]):
            self._instant(list(instant))

    def _instant(self, rows: list[Row]) -> None:
        before, last = {}, {}
        for row in rows:
            code, quantity = self._judge(row)
            if code:
                self.refused.append((row["event_id"], code))
                continue
            for leg, (key, deltas) in enumerate(legs(row, quantity)):
                before.setdefault(key, list(self.balance[key]))
                last[key] = row["event_id"]
                self.balance[key] = [a + b for a, b in zip(self.balance[key], deltas, strict=True)]
                self.postings.append((row["event_id"], leg, *key, *deltas))
                self.booked.append((key, deltas, row))
                self.at_window[row["window_start"] + WINDOW, key] = self.balance[key]
        for key, old in before.items():
            was, now = shortfalls(old), shortfalls(self.balance[key])
            for name in was.keys() ^ now.keys():
                self.findings.append((*key, name, name in now, rows[0]["time_us"], last[key], now.get(name, 0)))

    def _judge(self, row: Row) -> tuple[str | None, int]:
        code = misfit(row)
        if code:
            return code, 0
        unit = UNITS[row["uom"]]
        if self.dimension.setdefault(row["sku"], unit.dimension) != unit.dimension:
            return "ledger.dimension", 0
        quantity = row["quantity"] * unit.milli // 1000
        for key, deltas in legs(row, quantity):
            if any(abs(a + b) > LIMIT for a, b in zip(self.balance[key], deltas, strict=True)):
                return "ledger.overflow", 0
        return None, quantity

    def as_of(self, key: Key, valid: int, booked: int) -> list[int]:
        total = [0] * 5
        for at, deltas, row in self.booked:
            if at == key and row["valid_us"] <= valid and row["time_us"] <= booked:
                total = [a + b for a, b in zip(total, deltas, strict=True)]
        return total
