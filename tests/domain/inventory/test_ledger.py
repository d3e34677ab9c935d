"""The ledger against a plain program, for any moves, in any order, cut anywhere, resumed anywhere."""

from __future__ import annotations

import itertools

import duckdb
import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from domain.inventory.codes import CODES, LIMIT
from domain.inventory.ledger import Ledger, Posted
from domain.inventory.reasons import BALANCES
from domain.inventory.tables import AS_OF_SCHEMA, BALANCE_SCHEMA, FINDING_SCHEMA, KEY, POSTING_SCHEMA, REFUSED_SCHEMA
from schemas.errors import RecoveryError
from tests.domain.inventory.moves import WINDOW, frame, histories, move
from tests.domain.inventory.plain_ledger import PlainLedger

TABLES = ("postings", "balances", "findings", "refused")


def ledger() -> Ledger:
    return Ledger(WINDOW, 48 * WINDOW)


def together(posted: list[Posted]) -> list[pl.DataFrame]:
    return [pl.concat([getattr(p, name) for p in posted]) for name in TABLES]


def same(one: list[Posted], other: list[Posted]) -> None:
    for a, b in zip(together(one), together(other), strict=True):
        assert_frame_equal(a, b)


def cut(rows: list[dict[str, object]], at: set[int]) -> list[pl.DataFrame]:
    """Calls of whole windows; a new one begins at each window number in `at`."""
    bounds = [0, *sorted(at), 100]
    windows = [(a * WINDOW, b * WINDOW) for a, b in itertools.pairwise(bounds)]
    return [frame([r for r in rows if a <= r["window_start"] < b]) for a, b in windows]


CUTS = st.sets(st.integers(1, 3))


@settings(max_examples=50, deadline=None)
@given(histories())
def test_the_ledger_books_what_a_plain_program_books(rows):
    """Postings, window balances, findings and refusals are those of a loop over dicts."""
    posted, plain = ledger().post(frame(rows)), PlainLedger(rows)
    assert posted.postings.select("event_id", "leg", *KEY, *BALANCES).rows() == plain.postings
    assert posted.refused.select("event_id", "code").rows() == plain.refused
    assert sorted(
        posted.findings.select(*KEY, "invariant", "broken", "time_us", "event_id", "amount").rows()
    ) == sorted(plain.findings)
    told = {(r[0], tuple(r[1:4])): list(r[4:]) for r in posted.balances.select("window_end", *KEY, *BALANCES).rows()}
    assert told == plain.at_window


@settings(max_examples=50, deadline=None)
@given(histories())
def test_the_sum_of_postings_is_the_balance(rows):
    """The invariant of the ledger, after any moves."""
    posted = ledger().post(frame(rows))
    sums = posted.postings.group_by(KEY).agg(pl.col(BALANCES).sum())
    last = posted.balances.group_by(KEY, maintain_order=True).last().select(*KEY, *BALANCES)
    assert_frame_equal(sums, last, check_row_order=False)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_rows_of_a_call_may_come_in_any_order(rows, random):
    """A shuffled call books the same, row by row."""
    shuffled = random.sample(rows, len(rows))
    same([ledger().post(frame(rows))], [ledger().post(frame(shuffled))])


@settings(max_examples=50, deadline=None)
@given(histories(), CUTS)
@pytest.mark.slow
def test_windows_may_be_dealt_into_calls_in_any_way(rows, cuts):
    """One call or many: the same tables, in the same order."""
    one, many = ledger(), ledger()
    same([one.post(frame(rows))], [many.post(part) for part in cut(rows, cuts)])


@settings(max_examples=50, deadline=None)
@given(histories(), CUTS)
@pytest.mark.slow
def test_a_restored_ledger_goes_on_as_the_old_one_would_have(rows, cuts):
    """Snapshots between any calls change nothing, in what comes out and in the next snapshot."""
    steady, resumed = ledger(), ledger()
    for part in cut(rows, cuts):
        data, resumed = resumed.snapshot(), ledger()
        resumed.restore(data)
        assert resumed.snapshot() == data
        steady.snapshot()
        same([steady.post(part)], [resumed.post(part)])
        assert resumed.snapshot() == steady.snapshot()


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(histories(wild=False, most=20))
def test_a_reversal_restores_every_balance(rows):
    """Each move booked once more with the opposite quantity leaves zeros."""
    undo = [
        move(i + 100, r["time_us"] + 4 * WINDOW)
        | {k: r[k] for k in ("site", "sku", "location", "uom", "reason", "to_site", "to_location")}
        | {"quantity": -r["quantity"], "corrects": r["event_id"]}
        for i, r in enumerate(rows)
    ]
    book = ledger()
    book.post(frame(rows))
    after = book.post(frame(undo))
    assert after.refused.is_empty()
    last = after.balances.group_by(KEY, maintain_order=True).last()
    assert all(not any(values) for values in last.select(*BALANCES, "position").rows())
    assert after.postings["corrects"].null_count() == 0


@settings(max_examples=50, deadline=None)
@given(histories(), CUTS, st.lists(st.tuples(st.integers(-200, 3_700), st.integers(0, 3_700)), min_size=1, max_size=5))
@pytest.mark.slow
def test_as_of_is_what_a_plain_program_says_for_any_two_times(rows, cuts, times):
    """Balances as of a valid time, on what was booked by a booking time, however the moves came."""
    book, plain = ledger(), PlainLedger(rows)
    for part in cut(rows, cuts):
        book.post(part)
    keys = [(s, k, p) for s in ("hub", "north") for k in ("bolt", "nut") for p in ("A1", "C3")]
    questions = [(*key, *time) for key in keys for time in times]
    asked = pl.DataFrame(questions, schema=[*KEY, "valid_us", "booked_us"], orient="row")
    answers = book.as_of(asked)
    assert dict(answers.schema) == AS_OF_SCHEMA
    assert answers.select(BALANCES).rows() == [tuple(plain.as_of(q[:3], *q[3:])) for q in questions]
    assert answers["known"].to_list() == [
        any(key == q[:3] and row["time_us"] <= q[4] for key, _, row in plain.booked) for q in questions
    ]
    assert answers["location_known"].to_list() == [
        any((key[0], key[2]) == (q[0], q[2]) and row["time_us"] <= q[4] for key, _, row in plain.booked)
        for q in questions
    ]


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(histories(wild=False), CUTS, st.integers(0, 3_700), st.integers(0, 3_700))
def test_sql_over_the_postings_gives_the_same_as_of_balances(rows, cuts, valid, booked):
    """What the ledger answers, an analyst finds in the table of postings, as it was and as it was known."""
    book = ledger()
    postings = together([book.post(part) for part in cut(rows, cuts)])[0]
    with duckdb.connect() as lake:
        lake.register("postings", postings)
        sums = ", ".join(f"sum({name})::BIGINT" for name in BALANCES)
        where = f"valid_us <= {valid} AND time_us <= {booked}"
        found = lake.execute(f"SELECT site, sku, location, {sums} FROM postings WHERE {where} GROUP BY ALL").fetchall()
    keys = postings.select(KEY).unique()
    answers = book.as_of(keys.with_columns(valid_us=pl.lit(valid), booked_us=pl.lit(booked)))
    told = [row for row in answers.select(*KEY, *BALANCES).rows() if any(row[3:])]
    assert sorted(told) == sorted(row for row in found if any(row[3:]))


def test_a_key_is_known_from_its_first_move_on():
    """Later moves, and a restart, do not make it younger."""
    book = ledger()
    for number, time in enumerate((100, 2_000)):
        book.post(frame([move(number, time)]))
    resumed = ledger()
    resumed.restore(book.snapshot())
    asked = pl.DataFrame({"site": "hub", "sku": "bolt", "location": "A1", "booked_us": [99, 100, 1_999]})
    for one in (book, resumed):
        assert one.known(asked).select("known", "location_known").rows() == [(False,) * 2, (True,) * 2, (True,) * 2]


def test_older_than_the_history_is_not_answered():
    """What is forgotten gives nulls, never a wrong number; the oldest kept instant is right still."""
    book = Ledger(WINDOW, WINDOW)
    times = [10 + i * 100 for i in range(40)]
    for window in range(5):
        book.post(frame([move(i, t) for i, t in enumerate(times) if t // WINDOW == window]))
    oldest = book.kept_from_us
    asked = pl.DataFrame({"site": "hub", "sku": "bolt", "location": "A1", "valid_us": [oldest - 1, oldest, 4_000]})
    answers = book.as_of(asked.with_columns(booked_us=pl.lit(None, pl.Int64)))
    assert answers["on_hand"].to_list() == [None, *(1_000 * sum(t <= at for t in times) for at in (oldest, 4_000))]
    assert [name for name in book.snapshot_parts() if name.startswith("history.")] == ["history.4"]


def test_activity_tells_of_moves_around_a_time():
    """Count, net and gross of what changed on hand between two times, the first left out."""
    rows = [move(i, t, quantity=q) for i, (t, q) in enumerate([(10, 5), (20, -7), (30, 1), (40, 9)])]
    rows += [move(9, 25, reason="allocate"), move(10, 800, quantity=100, valid_us=26)]
    book = ledger()
    book.post(frame(rows))
    asked = pl.DataFrame({"site": "hub", "sku": "bolt", "location": "A1", "from_us": 10, "until_us": 30})
    asked = pl.concat([asked.with_columns(booked_us=pl.lit(at, pl.Int64)) for at in (799, None)])
    assert book.activity(asked).select("moves", "net", "gross").rows() == [(2, -6, 8), (3, 94, 108)]


def test_an_empty_ledger_answers():
    """Questions before the first move find nothing and fail at nothing."""
    asked = pl.DataFrame({"site": "hub", "sku": "bolt", "location": "A1", "valid_us": 5, "booked_us": [None]})
    answer = ledger().as_of(asked).row(0, named=True)
    assert (answer["known"], answer["location_known"], answer["on_hand"], answer["uom"]) == (False, False, 0, None)
    posted = ledger().post(frame([]))
    schemas = (POSTING_SCHEMA, BALANCE_SCHEMA, FINDING_SCHEMA, REFUSED_SCHEMA)
    assert [dict(getattr(posted, name).schema) for name in TABLES] == list(schemas)


def test_tables_have_their_schemas():
    """Types do not depend on what was booked."""
    rows = [move(1, 1, quantity=-5), move(2, 2, uom="cubit")]
    posted = ledger().post(frame(rows))
    schemas = (POSTING_SCHEMA, BALANCE_SCHEMA, FINDING_SCHEMA, REFUSED_SCHEMA)
    assert [dict(getattr(posted, name).schema) for name in TABLES] == list(schemas)


REFUSED = [
    ("ledger.unit_unknown", {"uom": "cubit"}),
    ("ledger.reason_unknown", {"reason": "magic"}),
    ("ledger.destination", {"reason": "relocate"}),
    ("ledger.destination", {"reason": "relocate", "to_location": "A1"}),
    ("ledger.destination", {"reason": "transfer_out", "to_site": "north"}),
    ("ledger.inexact", {"quantity": None}),
    ("ledger.inexact", {"quantity": 1_500, "uom": "mg", "sku": "dye"}),
    ("ledger.overflow", {"quantity": LIMIT, "uom": "dozen"}),
    ("ledger.overflow", {"quantity": LIMIT}),
    ("ledger.overflow", {"quantity": -(2**63)}),
    ("ledger.dimension", {"uom": "kg"}),
]


@pytest.mark.parametrize(("code", "values"), REFUSED)
def test_a_move_that_cannot_be_booked_is_refused_with_its_reason(code, values):
    """It changes nothing: the moves around it are booked as if it had not been there."""
    good = [move(1, 1), move(3, 3)]
    book = ledger()
    posted = book.post(frame([good[0], move(2, 2, **values), good[1]]))
    assert posted.refused.select("event_id", "code").rows() == [("e2", code)]
    assert code in CODES
    assert_frame_equal(posted.postings, ledger().post(frame(good)).postings)


def test_a_refused_move_books_neither_leg():
    """A relocation that overflows at its destination does not leave its origin either."""
    rows = [move(1, 1, location="B2", quantity=LIMIT), move(2, 2, reason="relocate", quantity=-1_000, to_location="B2")]
    posted = ledger().post(frame(rows))
    assert posted.refused["event_id"].to_list() == ["e2"]
    assert posted.postings["event_id"].to_list() == ["e1"]


def test_balances_right_up_to_the_limit_are_kept():
    """The limit itself still fits, on the way up and down again, over calls."""
    book = ledger()
    for window, quantity in enumerate([LIMIT, -LIMIT, -LIMIT]):
        assert book.post(frame([move(window, window * WINDOW, quantity=quantity)])).refused.is_empty()
    assert book.post(frame([move(9, 9 * WINDOW, quantity=-1)])).refused["code"].to_list() == ["ledger.overflow"]


def test_units_of_one_dimension_add_up():
    """A dozen and six each are eighteen; kilograms and grams are grams."""
    rows = [move(1, 1, uom="dozen"), move(2, 2, quantity=6_000)]
    rows += [move(3, 3, sku="salt", uom="kg", quantity=1_234), move(4, 4, sku="salt", uom="g", quantity=1)]
    posted = ledger().post(frame(rows))
    assert posted.balances.select("sku", "on_hand", "uom").rows() == [
        ("bolt", 18_000, "each"),
        ("salt", 1_234_001, "g"),
    ]


def test_moves_of_one_instant_are_judged_together():
    """A sale and the receipt that feeds it at the same time are no negative stock."""
    rows = [move(i, 5, quantity=q) for i, q in enumerate([-1_000, 1_000])]
    for order in (rows, [r | {"_identity": 2**64 - 1 - r["_identity"]} for r in rows]):
        assert ledger().post(frame(order)).findings.is_empty()


def test_a_broken_invariant_is_told_once_when_it_begins_and_once_when_it_ends():
    """Not again while it lasts, though it gets worse and windows pass."""
    book = ledger()
    quantities = [-1_000, -1_000, 1_000, 1_000, 1_000]
    posted = [book.post(frame([move(i, i * WINDOW, quantity=q)])) for i, q in enumerate(quantities)]
    told = together(posted)[2].select("invariant", "broken", "time_us", "amount").rows()
    assert told == [("negative_on_hand", True, 0, 1_000), ("negative_on_hand", False, 3 * WINDOW, 0)]


def test_a_window_cannot_be_booked_twice():
    """Moves of a window that is over are a mistake of the caller."""
    book = ledger()
    book.post(frame([move(1, 5 * WINDOW)]))
    with pytest.raises(ValueError, match="come too late"):
        book.post(frame([move(2, 5 * WINDOW + 1)]))


@pytest.mark.slow
def test_parts_of_a_snapshot_never_change_once_given():
    """A store may keep every part but the head for ever, and write only new ones; there are never many of keys."""
    book, kept = Ledger(WINDOW, 3 * WINDOW), {}
    for window in range(60):
        rows = [move(i, window * WINDOW + i, sku=f"s{window}-{i}") for i in range(3)]
        book.post(frame(rows))
        parts = book.snapshot_parts()
        assert all(kept.setdefault(name, data) == data for name, data in parts.items() if name != "head")
        resumed = Ledger(WINDOW, 3 * WINDOW)
        resumed.restore_parts({name: kept.get(name, data) for name, data in parts.items()})
        assert resumed.snapshot() == book.snapshot()
        book = resumed if window % 2 else book
        assert sum(name.startswith("keys.") for name in parts) <= 8


def test_a_snapshot_of_another_version_is_refused():
    """No state is read that may mean something else."""
    parts = ledger().snapshot_parts()
    head = msgspec.msgpack.decode(parts["head"]) | {"version": 99}
    with pytest.raises(RecoveryError, match="version 99"):
        ledger().restore_parts(parts | {"head": msgspec.msgpack.encode(head)})
