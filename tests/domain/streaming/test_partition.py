"""The partition logic against a reader that takes one row at a time and knows no batches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.streaming import windows
from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.partition import IDENTITY, OFFSET, PARTITION, RAW, VALID, PartitionLogic, Stream
from domain.streaming.watermark import TimeBounds
from domain.streaming.whole_rows import WholeRows
from domain.streaming.windows import WINDOW_START
from schemas.batch import CONTENT, REJECT_SCHEMA, Failures, GatedBatch, RawBatch
from schemas.messages import Messages
from schemas.outputs import RULE_FAILURES

WINDOW, DISORDER, LATENESS = 10, 3, 12
TIME = pl.Datetime("us", "UTC")


class CountAndSum:
    """A small aggregation: rows and sum of values per key and window."""

    def __init__(self) -> None:
        self._rows = self._empty()

    @staticmethod
    def _empty() -> pl.DataFrame:
        return pl.DataFrame(schema={"key": pl.String, "event_time": TIME, "value": pl.Int64, "_identity": pl.UInt64})

    @staticmethod
    def _group(rows: pl.DataFrame) -> pl.DataFrame:
        start = pl.col("event_time").to_physical() // WINDOW * WINDOW
        return (
            rows.group_by("key", start.alias(WINDOW_START))
            .agg(pl.len().cast(pl.Int64).alias("rows"), pl.col("value").sum())
            .sort("key", WINDOW_START)
        )

    def fold(self, rows: pl.DataFrame) -> None:
        self._rows = pl.concat([self._rows, rows])

    def peek(self, pending: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        grouped = self._group(pl.concat([self._rows, pending]))
        return grouped.filter(pl.col(WINDOW_START).is_between(start, end, closed="left"))

    def close(self, end: int) -> pl.DataFrame:
        done = pl.col("event_time").to_physical() // WINDOW * WINDOW + WINDOW <= end
        out = self._group(self._rows.filter(done))
        self._rows = self._rows.filter(~done)
        return out

    def snapshot(self) -> dict[str, bytes]:
        return {"rows": to_bytes(self._rows)}

    def restore(self, state: dict[str, bytes]) -> None:
        self._rows = from_bytes(state["rows"])


def logic(lateness: int, *, books: bool = False, dedupe: int = 100) -> PartitionLogic:
    stream = Stream(
        contract="toy@1",
        suite_hash="s",
        id_columns=("event_id",),
        columns={"key": pl.String, "event_time": TIME, "value": pl.Int64},
        bounds=TimeBounds(WINDOW, DISORDER, lateness),
        dedupe_us=dedupe,
        carries=books,
        books=books,
    )
    return PartitionLogic(stream, WholeRows(stream.row_schema, WINDOW) if books else CountAndSum())


@dataclass
class Row:
    event_id: str
    key: str
    time: int
    value: int
    bad: bool

    @property
    def raw(self) -> bytes:
        return f"{self.event_id}|{self.key}|{self.time}|{self.value}".encode()


def batch(rows: list[Row], first: int) -> GatedBatch:
    raw = RawBatch(
        "src",
        "0",
        Messages.of([r.raw for r in rows]),
        np.arange(first, first + len(rows)),
        np.zeros(len(rows), dtype=np.int64),
    )
    good = [(i, r) for i, r in enumerate(rows) if not r.bad]
    frame = pl.DataFrame(
        {
            "_row": [i for i, _ in good],
            "event_id": [r.event_id for _, r in good],
            "key": [r.key for _, r in good],
            "event_time": [r.time for _, r in good],
            "value": [r.value for _, r in good],
        },
        schema={"_row": pl.Int64, "event_id": pl.String, "key": pl.String, "event_time": pl.Int64, "value": pl.Int64},
    )
    frame = frame.with_columns(pl.col("event_time").cast(TIME), frame.drop("_row").hash_rows().alias(CONTENT))
    rejects = pl.DataFrame(
        [
            {"offset": first + i, "raw": r.raw, "kind": "quarantined", "reasons": ["x"], "detail": None}
            for i, r in enumerate(rows)
            if r.bad
        ],
        schema=REJECT_SCHEMA,
    )
    return GatedBatch(raw, frame, rejects, failures(rows, first))


def failures(rows: list[Row], first: int) -> dict[str, Failures]:
    """Bad rows fail a critical rule; a value of seven fails a warning, whether the row is bad or not."""
    failing = {
        "x": ("critical", [i for i, r in enumerate(rows) if r.bad]),
        "seven": ("warning", [i for i, r in enumerate(rows) if r.value == 7]),
    }
    return {code: Failures(severity, len(at), first + at[0]) for code, (severity, at) in failing.items() if at}


@dataclass
class Oracle:
    """One row at a time, plain Python, nothing shared with the code under test."""

    lateness: int
    books: bool = False
    top: int = -(2**62)
    seen: dict[str, Row] = field(default_factory=dict)
    accepted: list[Row] = field(default_factory=list)
    booked: list[tuple[int, Row]] = field(default_factory=list)
    """Late rows, and the newest time before each, at which it takes its place."""
    emitted: int = -(2**62)
    closed: int = -(2**62)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("good", "quarantined", "late", "duplicates", "conflicts"), 0)
    )
    on_time: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    final: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        self.counts[self._judge(row)] += 1
        if not row.bad:
            self.top = max(self.top, row.time)
            self._emit()

    def _judge(self, row: Row) -> str:
        if row.bad:
            return "quarantined"
        late = row.time < self.top - DISORDER - self.lateness
        if row.time < self.top - 100:
            return "late"
        known = self.seen.get(row.event_id)
        if known is not None and known.time >= self.top - 100:
            return "duplicates" if known.raw == row.raw else "conflicts"
        self.seen[row.event_id] = row
        if late:
            if self.books:
                self.booked.append((self.top, row))
            return "late"
        self.accepted.append(row)
        return "good"

    def _emit(self) -> None:
        due = (self.top - DISORDER) // WINDOW * WINDOW
        final = (self.top - DISORDER - self.lateness) // WINDOW * WINDOW
        for result, since, until in ((self.on_time, self.emitted, due), (self.final, self.closed, final)):
            for row in self.accepted:
                start = row.time // WINDOW * WINDOW
                if since <= start and start + WINDOW <= until:
                    rows, total = result.setdefault(start, {}).get(row.key, (0, 0))
                    result[start][row.key] = (rows + 1, total + row.value)
        self.emitted, self.closed = max(self.emitted, due), max(self.closed, final)


moves = st.one_of(st.integers(-18, 6), st.sampled_from([-200, 0, 1, 9, 10, 11, 35, 400]))
row_specs = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from("ab"), moves, st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=80,
)


def build(specs) -> list[Row]:
    """Rows around a moving event time; one in ten repeats an earlier row to the letter."""
    rows: list[Row] = []
    now = 1000
    for ident, key, move, value, dice in specs:
        if dice == 9 and rows:
            rows.append(rows[ident % len(rows)])
            continue
        now = max(now, now + move) if move > 0 else now
        rows.append(Row(f"e{ident}-{len(rows) if dice < 8 else 0}", key, max(0, now + min(move, 0)), value, dice == 8))
    return rows


def results(frames: list[pl.DataFrame]) -> dict[int, dict[str, tuple[int, int]]]:
    out: dict[int, dict[str, tuple[int, int]]] = {}
    for frame in frames:
        for r in frame.iter_rows(named=True):
            assert r["key"] not in out.setdefault(r[WINDOW_START], {}), "a window was emitted twice at one stage"
            out[r[WINDOW_START]][r["key"]] = (r["rows"], r["value"])
    return out


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(row_specs, st.lists(st.integers(1, 80), max_size=5), st.sampled_from([0, LATENESS]), st.booleans())
def test_results_are_a_function_of_rows_and_order_alone(specs, cuts, lateness, resume):
    """Counts, on-time and final results equal the row-by-row reader's, for every cut and with restarts between."""
    rows = build(specs)
    oracle = Oracle(lateness)
    for row in rows:
        oracle.take(row)
    subject, outputs, closed = logic(lateness), [], []
    edges = sorted({0, len(rows), *(c for c in cuts if c < len(rows))})
    for a, b in itertools.pairwise(edges):
        if resume:
            data, subject = subject.snapshot(), logic(lateness)
            subject.restore(data)
        outcome = subject.on_batch(batch(rows[a:b], a))
        outputs += outcome.outputs
        closed += outcome.closed
    accounting = pl.concat([f for name, f in outputs if name == "accounting"])
    assert {name: accounting[name].sum() for name in oracle.counts} == oracle.counts
    assert accounting["rows_in"].sum() == len(rows) == sum(oracle.counts.values())
    assert sum(f.height for name, f in outputs if name == "late") == oracle.counts["late"]
    bad = sum(f.height for name, f in outputs if name == "quarantine")
    assert bad == oracle.counts["quarantined"] + oracle.counts["conflicts"]
    failed = pl.concat(
        [pl.DataFrame(schema=RULE_FAILURES.schema), *(f for name, f in outputs if name == "rule_failures")]
    )
    totals = failed.group_by(pl.all().exclude("failed", "first_offset")).agg(pl.sum("failed"), pl.min("first_offset"))
    assert set(totals.rows()) == {("src", "0", "toy@1", "s", code, *f) for code, f in failures(rows, 0).items()}
    assert results([c.on_time for c in closed]) == (oracle.on_time if lateness else {})
    assert results([c.final for c in closed]) == oracle.final


def test_late_and_conflicting_rows_keep_their_bytes_and_origin():
    """A late and a conflicting row carry raw bytes, partition and offset."""
    subject = logic(0)
    rows = [Row("a", "k", 500, 1, bad=False), Row("a", "k", 500, 2, bad=False), Row("b", "k", 480, 1, bad=False)]
    outputs = dict(subject.on_batch(batch(rows, 7)).outputs)
    assert outputs["quarantine"].select("offset", "raw", "kind", "reasons").rows() == [
        (8, rows[1].raw, "conflict", ["identity.conflict"])
    ]
    assert outputs["late"].select("offset", "raw", "late_by_s").rows() == [(9, rows[2].raw, 17e-6)]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(row_specs, st.lists(st.integers(1, 80), max_size=5), st.booleans())
def test_booked_rows_take_their_place_at_the_newest_time_before_them(specs, cuts, resume):
    """Every accepted and every late row is given once, in the window of its place, with its own time and its origin."""
    rows = build(specs)
    oracle = Oracle(0, books=True)
    for row in rows:
        oracle.take(row)
    subject, outputs, given_rows = logic(0, books=True), [], []
    edges = sorted({0, len(rows), *(c for c in cuts if c < len(rows))})
    for a, b in itertools.pairwise(edges):
        if resume:
            data, subject = subject.snapshot(), logic(0, books=True)
            subject.restore(data)
        outcome = subject.on_batch(batch(rows[a:b], a))
        outputs += outcome.outputs
        for closed in outcome.closed:
            assert (closed.final[WINDOW_START] + WINDOW <= closed.final_until).all()
            given_rows.append(closed.final)
    given_rows.append(subject.on_end())
    found = pl.concat(given_rows)
    told = found.select(pl.col("event_time").to_physical(), VALID, WINDOW_START, "key", "value", RAW).rows()
    expected = [(row.time, row) for row in oracle.accepted] + oracle.booked
    assert sorted(told) == sorted(
        (at, row.time, at // WINDOW * WINDOW, row.key, row.value, row.raw) for at, row in expected
    )
    assert found[IDENTITY].n_unique() == len({row.event_id for _, row in expected})
    assert all(rows[offset].raw == raw for offset, raw in found.select(OFFSET, RAW).iter_rows())
    assert found[PARTITION].unique().to_list() in ([], ["0"])
    accounting = pl.concat([f for name, f in outputs if name == "accounting"])
    assert {name: accounting[name].sum() for name in oracle.counts} == oracle.counts
    late = [row for name, f in outputs if name == "late" for row in f.filter("booked")["raw"]]
    assert sorted(late) == sorted(row.raw for _, row in oracle.booked)


@pytest.mark.parametrize("lateness", [[12, 300, 300, 12], [300, 12, 0, 300]])
def test_other_lateness_from_a_restart_on_brings_no_window_back(lateness, monkeypatch):
    """Wider or narrower: what is too late stays so, windows are final once, and have every good row once."""
    monkeypatch.setattr(windows, "_FOLD_ROWS", 20)
    rows = [Row(f"e{time}", "k", time, 1, bad=False) for time in range(1000, 1400)]
    for at in (100, 200, 300):
        rows.insert(at, Row(f"old{at}", "k", 1001, 1, bad=False))
    subject, outcomes = logic(lateness[0], dedupe=400), []
    for number, at in enumerate(range(0, len(rows), 100)):
        outcomes.append(subject.on_batch(batch(rows[at : at + 100], at)))
        state, subject = subject.snapshot(), logic(lateness[min(number + 1, 3)], dedupe=400)
        subject.restore(state)
    good = sum(f["good"].sum() for one in outcomes for name, f in one.outputs if name == "accounting")
    told = results([*(closed.final for one in outcomes for closed in one.closed), subject.on_end()])
    assert sum(count for window in told.values() for count, _ in window.values()) == good
    assert sum(f["late"].sum() for one in outcomes for name, f in one.outputs if name == "accounting") >= 1


def test_a_longer_memory_from_a_restart_on_books_nothing_twice():
    """An id that was forgotten before is too old to be booked, whatever is remembered from now on."""
    repeated, newest = Row("a", "k", 1000, 1, bad=False), Row("b", "k", 1200, 1, bad=False)
    before = logic(0, books=True)
    before.on_batch(batch([repeated, newest], 0))
    after = logic(0, books=True, dedupe=1000)
    after.restore(before.snapshot())
    outcome = after.on_batch(batch([repeated], 2))
    assert [f["booked"].to_list() for name, f in outcome.outputs if name == "late"] == [[False]]


def test_a_late_row_is_booked_as_long_as_its_identity_is_remembered():
    """Exactly as old as the dedupe horizon it is booked still, a microsecond older no more."""
    subject = logic(0, books=True, dedupe=100)
    late = [Row("at", "k", 1100, 1, bad=False), Row("beyond", "k", 1099, 1, bad=False)]
    outcome = subject.on_batch(batch([Row("newest", "k", 1200, 1, bad=False), *late], 0))
    assert [f["booked"].to_list() for name, f in outcome.outputs if name == "late"] == [[True, False]]
