"""Stock in the lake: views and macros against a plain program over the same moves."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dashboards.sql import query
from domain.inventory.reasons import BALANCES, REASONS
from schemas.outputs import ADJUSTMENT, ORDER_PROPOSAL, REPLENISHMENT
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.writer import LakeWriter

from .frames import rows_of
from .stock_rows import SKU, Key, Move, at, frame, legs, plain

NUMBERS = itertools.count()
SHOWN = ", ".join(f"({name} * 1000)::BIGINT" for name in (*BALANCES, "position"))
SECONDS = st.integers(0, 50)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink a history through a lake takes minutes


class Site:
    """A lake in which each history has a site of its own, so that many fit into one."""

    def __init__(self, folder: Path) -> None:
        self.location = LakeLocation(folder)
        self.writer = LakeWriter(self.location, "run-1", "throughput", "lake-0")
        self.writer.resume(None)
        self.reader = connect(self.location, read_only=True)
        self.name = ""

    def tell(self, moves: list[Move], revised: list[Move], cut: int) -> list[Move]:
        """Write the moves in two commits, those in `revised` first otherwise; gives them as they are called here."""
        self.name = f"site-{next(NUMBERS)}"
        here = [self._here(move) for move in moves]
        was = [dataclasses.replace(self._here(move), quantity=move.quantity + 7, happened=50) for move in revised]
        names = {move.event_id for move in was}
        once = [move for move in here if move.event_id not in names]
        self._commit(frame(was), frame(once[:cut]))
        self._commit(frame(once[cut:]), frame([move for move in here if move.event_id in names], 1))
        return here

    def _commit(self, *frames: pl.DataFrame) -> None:
        for rows in frames:
            self.writer.append("stock_move", rows)
        self.writer.commit()

    def _here(self, move: Move) -> Move:
        corrects = move.corrects and f"{self.name}/{move.corrects}"
        named = {"event_id": f"{self.name}/{move.event_id}", "document": f"{self.name}/{move.document}"}
        return dataclasses.replace(move, site=self.name, corrects=corrects, **named)

    def stock(self, source: str) -> dict[Key, list[int]]:
        """What a view or macro gives for the site."""
        rows = self.reader.execute(
            f"SELECT site, sku, location, {SHOWN} FROM {source} WHERE site = '{self.name}'"
        ).fetchall()
        return {(site, sku, location): values for site, sku, location, *values in rows}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("stock") / "lake")
    yield made
    made.reader.close()
    made.writer.close()


@st.composite
def histories(draw: st.DrawFn) -> list[Move]:
    moves: list[Move] = []
    for number in range(draw(st.integers(1, 25))):
        happened = draw(SECONDS)
        location = draw(st.sampled_from(["pick", "bulk", "dock"]))
        moves.append(
            Move(
                event_id=f"e{number}",
                site="",
                location=location,
                quantity=draw(st.integers(-5_000, 5_000)),
                reason=draw(st.sampled_from(sorted(REASONS))),
                document=f"d{draw(st.integers(0, 3))}",
                to_location={"pick": "bulk", "bulk": "dock", "dock": "pick"}[location],
                corrects=draw(st.none() | st.sampled_from([f"e{n}" for n in range(number)] or [None])),
                happened=happened,
                booked=happened + draw(st.sampled_from([0, 0, 0, 5, 30])),
            )
        )
    return moves


def without(moves: list[Move], document: str) -> list[Move]:
    """The moves but those of a document and all that takes them back, however indirectly."""
    gone = {move.event_id for move in moves if move.document == document}
    while more := {move.event_id for move in moves if move.corrects in gone} - gone:
        gone |= more
    return [move for move in moves if move.event_id not in gone]


@pytest.mark.slow
@settings(max_examples=10, deadline=None, phases=PHASES)
@given(moves=histories(), happened=SECONDS, booked=SECONDS, cut=st.integers(0, 25), data=st.data())
def test_every_past_is_that_of_a_plain_program(
    site: Site, moves: list[Move], happened: int, booked: int, cut: int, data: st.DataObject
) -> None:
    """Stock now, as it was, as it was known, by both times and without a document: sums over the moves that count."""
    revised = [move for move in moves if data.draw(st.booleans())]
    here = site.tell(moves, revised, cut)
    then, known = f"'{at(happened).isoformat()}'", f"'{at(booked).isoformat()}'"
    assert site.stock("stock_now") == plain(here)
    assert site.stock(f"stock_as_it_was({then})") == plain(m for m in here if m.happened <= happened)
    assert site.stock(f"stock_as_known({known})") == plain(m for m in here if m.booked <= booked)
    both = (m for m in here if m.happened <= happened and m.booked <= booked)
    assert site.stock(f"stock_as_of({then}, {known})") == plain(both)
    for number in range(2):
        document = f"{site.name}/d{number}"
        assert site.stock(f"stock_without('{document}')") == plain(without(here, document))


@pytest.mark.slow
@settings(max_examples=5, deadline=None, phases=PHASES)
@given(moves=histories())
def test_history_is_the_book_after_each_move(site: Site, moves: list[Move]) -> None:
    """The history of a key has each change once, in the order in which they happened, and the balances after it."""
    here = site.tell(moves, [], len(moves))
    for key, final in plain(here).items():
        rows = site.reader.execute(
            f"SELECT event_id, leg, on_hand_change, {SHOWN} FROM stock_history('{site.name}', '{SKU}', '{key[2]}')"
        ).fetchall()
        changes = [(m, leg, d) for m in here for leg, k, d in legs(m) if k == key]
        changes.sort(key=lambda c: (c[0].happened, c[0].booked, c[0].event_id, c[1]))
        assert [(e, leg, change) for e, leg, change, *_ in rows] == [
            (m.event_id, leg, Decimal(d[0]) / 1000) for m, leg, d in changes
        ]
        sums = itertools.accumulate((d for _, _, d in changes), lambda a, b: [x + y for x, y in zip(a, b, strict=True)])
        assert [values[:5] for _, _, _, *values in rows] == list(sums)
        assert rows[-1][3:] == tuple(final)


def test_what_takes_a_document_back_goes_with_it(site: Site) -> None:
    """Without a document its correction is gone too, and the correction of that; nothing is left hanging."""
    here = site.tell(
        [
            Move("a", "", "pick", 9_000, document="count"),
            Move("b", "", "pick", -5_000, document="slip"),
            Move("c", "", "pick", 5_000, document="undo", corrects="b"),
            Move("d", "", "pick", -5_000, document="redo", corrects="c"),
        ],
        [],
        4,
    )
    key = (site.name, SKU, "pick")
    assert plain(here)[key][0] == site.stock("stock_now")[key][0] == 4_000
    assert site.stock(f"stock_without('{site.name}/slip')")[key][0] == 9_000
    assert site.stock(f"stock_without('{site.name}/undo')")[key][0] == 4_000
    assert site.stock(f"stock_without('{site.name}/no such')") == site.stock("stock_now")


def test_counts_of_moves_and_newest_times(site: Site) -> None:
    """A balance says how many changes are behind it, and when the latest happened and was booked."""
    site.tell(
        [Move("a", "", "pick", 1, happened=30, booked=30), Move("b", "", "pick", 1, happened=5, booked=40)], [], 1
    )
    row = site.reader.execute(
        f"SELECT uom, moves, last_event_time, last_booked_time FROM stock_now WHERE site = '{site.name}'"
    ).fetchall()
    assert row == [("each", 2, at(30), at(40))]


def proposals(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """Rows of `adjustment`: proposal, status, when it came to that, when it expires."""
    made = rows_of("adjustment", len(rows)).with_columns(
        proposal=pl.Series([r[0] for r in rows]),
        status=pl.Series([r[1] for r in rows]),
        event_time=pl.Series([at(r[2]) for r in rows]).cast(ADJUSTMENT.schema["event_time"]),
        expires_at=pl.Series([at(r[3]) for r in rows]).cast(ADJUSTMENT.schema["expires_at"]),
    )
    return made.select(ADJUSTMENT.schema.keys())


@pytest.mark.slow
def test_open_proposals(sqlite_location: LakeLocation) -> None:
    """Open is what is proposed, not decided, and not expired by the newest event; a move's time passes too."""
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)

    def is_open() -> list[str]:
        return [row[0] for row in query(sqlite_location, "SELECT proposal FROM adjustment_open ORDER BY 1").rows]

    writer.append(
        "adjustment",
        proposals(
            ("new", "proposed", 10, 100),
            ("short", "proposed", 10, 40),
            ("yes", "proposed", 10, 100),
            ("no", "proposed", 10, 100),
            ("undone", "proposed", 10, 100),
        ),
    )
    writer.commit()
    assert is_open() == ["new", "no", "short", "undone", "yes"]
    decided = [("yes", "accepted"), ("no", "rejected"), ("undone", "accepted"), ("undone", "reversed")]
    writer.append("adjustment", proposals(*((name, status, 20, 100) for name, status in decided)))
    writer.commit()
    assert is_open() == ["new", "short"]
    for booked, left in ((39, ["new", "short"]), (40, ["new"]), (100, [])):
        writer.append("stock_move", frame([Move(f"m{booked}", "s", "pick", 1, booked=booked)]))
        writer.commit()
        assert is_open() == left
    writer.close()


@pytest.mark.slow
def test_readers_see_whole_epochs_beside_a_writer(sqlite_location: LakeLocation) -> None:
    """While a flow books relocations, which add up to nothing, stock adds up to nothing at any moment."""
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    stop = threading.Event()

    def write() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            moves = [Move(f"{number}-{i}", "s", "pick", 1_000 + i, reason="relocate") for i in range(5)]
            writer.append("stock_move", frame(moves[:2]))
            writer.append("stock_move", frame(moves[2:]))
            writer.commit()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    try:
        for _ in range(12):
            seen.add(query(sqlite_location, "SELECT sum(on_hand)::DOUBLE, sum(moves)::BIGINT FROM stock_now").rows[0])
    finally:
        stop.set()
        thread.join()
        writer.close()
    assert len(seen) > 2
    assert all(on_hand in (0.0, None) and (moves or 0) % 10 == 0 for on_hand, moves in seen)


def test_times_may_be_text_of_any_zone(site: Site) -> None:
    """An instant is the same in whatever zone it is written, and whatever the reader's zone is."""
    site.tell(
        [Move("a", "", "pick", 1, happened=10, booked=10), Move("b", "", "pick", 1, happened=20, booked=20)], [], 1
    )
    reader: duckdb.DuckDBPyConnection = site.reader
    reader.execute("SET TimeZone = 'America/New_York'")
    try:
        for written in ("2025-03-01 00:00:10Z", "2025-03-01T01:00:10+01:00"):
            assert site.stock(f"stock_as_it_was('{written}')")[site.name, SKU, "pick"][0] == 1
        then = datetime.fromisoformat("2025-03-01T00:00:20+00:00").isoformat()
        assert site.stock(f"stock_as_known('{then}')")[site.name, SKU, "pick"][0] == 2
    finally:
        reader.execute("SET TimeZone = 'UTC'")


@pytest.mark.slow
def test_orders_open_and_awaited(sqlite_location: LakeLocation) -> None:
    """Open is what nothing came of and no later review has replaced; awaited is what was accepted and has no papers."""
    writer = LakeWriter(sqlite_location, "run-1", "throughput", "lake-0")
    writer.resume(None)
    statuses = {
        "new": ["proposed"],
        "yes": ["proposed", "accepted"],
        "no": ["proposed", "rejected"],
        "came": ["proposed", "accepted", "ordered"],
        "late": ["proposed", "accepted", "lapsed"],
        "back": ["proposed", "accepted", "ordered", "reversed"],
        "undone": ["proposed", "accepted", "reversed"],
        "old": ["proposed", "expired"],
    }
    told = [(name, status) for name, all_of_it in statuses.items() for status in all_of_it]
    made = rows_of("order_proposal", len(told)).with_columns(
        proposal=pl.Series([name for name, _ in told]),
        status=pl.Series([status for _, status in told]),
        expires_at=pl.Series([at(50)] * len(told)).cast(ORDER_PROPOSAL.schema["expires_at"]),
    )
    writer.append("order_proposal", made.select(ORDER_PROPOSAL.schema.keys()))
    writer.commit()

    def listed(view: str) -> list[str]:
        return [row[0] for row in query(sqlite_location, f"SELECT proposal FROM {view} ORDER BY 1").rows]

    review = rows_of("replenishment", 1)
    for time, left in ((49, ["new"]), (50, [])):
        now = review.with_columns(event_time=pl.Series([at(time)]).cast(REPLENISHMENT.schema["event_time"]))
        writer.append("replenishment", now.select(REPLENISHMENT.schema.keys()))
        writer.commit()
        assert listed("order_open") == left
    assert listed("order_awaited") == ["yes"]
