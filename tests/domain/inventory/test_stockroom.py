"""The stockroom: what decisions, statements, gaps and strange rows come to, however windows are dealt into calls."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inventory.openings import OPENING_TYPE
from domain.inventory.stockroom import (
    Arrivals,
)
from schemas.errors import RecoveryError
from schemas.ids import event_id
from tests.domain.inventory.stockrooms import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    OPENING,
    SCHEMAS,
    SHORT,
    adjusted,
    arrivals,
    codes,
    decided,
    decision,
    item,
    move,
    play,
    proposal_of,
    room,
    starts_of,
    stated,
    statuses,
)


def test_an_accepted_proposal_is_booked_once_whatever_is_said_again():
    """The move is booked in the decision's window; the same decision again, days later or at once, changes nothing."""
    p = proposal_of()
    again = [decision(f"d{n}", p["proposal"], "accepted", 2 * DAY + n * HOUR) for n in range(3)]
    said = decided(*again, decision("d3", p["proposal"], "accepted", 9 * DAY))
    assert statuses(said) == [("proposed", None), ("accepted", "d0")]
    assert adjusted(said) == [(-20_000, p["proposal"], None)]
    booked = said["postings"].filter(pl.col("reason") == "adjust").row(0, named=True)
    assert (booked["time_us"], booked["window_start"]) == (NOON + 2 * DAY, NOON + 2 * DAY)
    assert codes(said["refused_decisions"]) == {}
    assert said["balances"].tail(1)["on_hand"].to_list() == [80_000]


@pytest.mark.parametrize("verdict", ["rejected", "expired"])
def test_what_is_rejected_or_expired_is_never_booked(verdict):
    """An acceptance that comes after is refused."""
    p = proposal_of()
    late = decision("late", p["proposal"], "accepted", 3 * DAY)
    said = decided(decision("d", p["proposal"], verdict, 2 * DAY), late)
    assert statuses(said) == [("proposed", None), (verdict, "d")]
    assert adjusted(said) == []
    refusal = {"rejected": "proposal.decided", "expired": "proposal.expired"}[verdict]
    assert codes(said["refused_decisions"]) == {"late": refusal}


def test_a_proposal_nobody_decides_expires():
    """At its time, to the microsecond, and a decision after that is refused."""
    p = proposal_of()
    said = decided(decision("late", p["proposal"], "accepted", 9 * DAY))
    assert statuses(said) == [("proposed", None), ("expired", None)]
    assert said["adjustments"]["time_us"][1] == p["expires_us"]
    assert codes(said["refused_decisions"]) == {"late": "proposal.expired"}


def test_a_reversal_takes_an_adjustment_back_once():
    """It corrects the move of the acceptance, with the opposite quantity."""
    p = proposal_of()
    accept = decision("d", p["proposal"], "accepted", 2 * DAY)
    undo = [decision(f"u{n}", p["reversal"], "accepted", 3 * DAY + n * HOUR) for n in range(2)]
    early = decision("early", p["reversal"], "accepted", 2 * DAY - HOUR)
    said = decided(early, accept, *undo)
    assert statuses(said) == [("proposed", None), ("accepted", "d"), ("reversed", "u0")]
    first = said["postings"].filter(pl.col("reason") == "adjust")["event_id"][0]
    assert adjusted(said) == [(-20_000, p["proposal"], None), (20_000, p["reversal"], first)]
    assert codes(said["refused_decisions"]) == {"early": "proposal.not_accepted"}


def test_a_decision_about_a_proposal_that_was_replaced_is_refused():
    """A later count of the same place proposes anew; the old proposal is not what is there to be decided."""
    p = proposal_of()
    second = stated("c2", 75, DAY, reported=20 * MINUTE)
    said = decided(decision("d", p["proposal"], "accepted", 3 * DAY), counts=(SHORT, second))
    proposed = said["adjustments"].filter(pl.col("status") == "proposed")
    assert proposed["quantity"].to_list() == [-20_000, -25_000]
    assert adjusted(said) == []
    assert codes(said["refused_decisions"]) == {"d": "proposal.changed"}


def test_a_decision_about_nothing_is_refused():
    """Whether the proposal never was or is not there yet."""
    p = proposal_of()
    said = decided(decision("d", "no such id", "accepted", DAY), decision("e", p["proposal"], "accepted", HOUR))
    assert codes(said["refused_decisions"]) == {"d": "proposal.unknown", "e": "proposal.unknown"}
    assert adjusted(said) == []


def test_a_decision_knows_what_was_proposed_just_before_its_window():
    """Also when proposal, decision and all moves between them come in one call."""
    p = proposal_of()
    moves = [OPENING, *(move(f"m{hour}", 0, DAY + hour * HOUR) for hour in range(4))]
    decisions = [decision("d", p["proposal"], "accepted", DAY + 2 * HOUR)]
    given_rows = arrivals(moves=moves, counts=[SHORT], items=[item()], decisions=decisions)
    for cuts in ((), range(1, 9)):
        said = play(given_rows, cuts)
        assert statuses(said) == [("proposed", None), ("accepted", "d")]
        assert (-20_000, p["proposal"], None) in adjusted(said)


def test_a_statement_opens_the_book_of_a_key_that_never_moved():
    """As of the time it states; the next one is a count of what the first one opened."""
    first = stated("s1", 40, 0, reported=5 * MINUTE, location="bulk")
    said = play(arrivals(statements=[first, first | stated("s2", 40, HOUR, location="bulk")]), until=2 * DAY)
    opening = said["postings"].row(0, named=True)
    assert said["postings"].height == 1
    assert (opening["reason"], opening["on_hand"], opening["valid_us"]) == ("opening", 40_000, NOON)
    assert opening["event_id"] == event_id(OPENING_TYPE, ["s1"])
    assert said["looks"].select("event_id", "class").unique().rows() == [("s2", "ok")]


@pytest.mark.parametrize(
    "before",
    [
        {"location": "bulk", "at": -DAY},
        {"location": "bulk", "at": 0},
        {"location": "pick", "to_location": "bulk", "reason": "relocate", "at": -DAY, "quantity": -40},
        {"location": "pick", "to_location": "bulk", "reason": "relocate", "at": 0, "quantity": -40},
    ],
)
def test_a_statement_about_a_key_that_moved_is_a_count(before):
    """However short before it the key was moved at, or something was moved to it."""
    at, quantity = before.pop("at"), before.pop("quantity", 40)
    said = play(
        arrivals(
            moves=[OPENING, move("m", quantity, at, **before)],
            statements=[stated("s", 40, at, reported=5 * MINUTE, location="bulk")],
        ),
        until=3 * DAY,
    )
    assert said["looks"]["event_id"].to_list() == ["s", "s"]
    assert said["looks"]["class"].unique().to_list() == ["ok"]
    assert event_id(OPENING_TYPE, ["s"]) not in said["postings"]["event_id"]


@pytest.mark.parametrize(
    "strange",
    [
        {"statements": [stated("bad", None, 0, location="bulk")]},
        {"statements": [stated("bad", 10**14, 0, uom="t", sku="bolt", location="bulk")]},
        {"moves": [move("bad", None, 0, location="bulk")]},
        {"moves": [move("bad", 1, 0, location="bulk", uom="kg")]},
        {"moves": [move("bad", 10**15, 0, location="bulk")]},
    ],
)
def test_a_refused_row_opens_and_stops_nothing(strange):
    """A good statement opens the book, whatever was refused of its key in the same window."""
    good = stated("good", 40, MINUTE, location="bulk")
    rows = {"moves": [OPENING], "statements": [good]}
    said = play(arrivals(**{name: rows[name] + strange.get(name, []) for name in rows}), until=2 * DAY)
    assert said["postings"].filter(pl.col("location") == "bulk")["on_hand"].to_list() == [40_000]
    refused = [said[name] for name in ("refused_moves", "refused_counts") if said[name].height]
    assert [frame["event_id"].to_list() for frame in refused] == [["bad"]]


@pytest.mark.parametrize("hours", [30, 49, 73, 500])
def test_stock_may_rest_for_days_while_a_count_waits(hours):
    """Over a weekend nothing moves: the final look is still on what was booked by then, and nothing fails."""
    said = play(arrivals(moves=[OPENING, move("m", -1, hours * HOUR)], counts=[SHORT], items=[item()]))
    looks = said["looks"].select("stage", "book", "looked_us").rows()
    at = NOON + 30 * MINUTE
    assert looks == [("first", 100_000, at), ("final", 100_000, at + DAY)]


@pytest.mark.parametrize("restart", [False, True])
def test_time_passes_where_only_other_streams_have_rows(restart):
    """The final look comes due, and proposes, in a call without a row of stock."""
    rows = arrivals(moves=[OPENING], counts=[SHORT], items=[item()])
    apart = play(rows, (len(starts_of(rows)),), restart=restart, until=2 * DAY)
    assert [row["proposal"] for row in apart["adjustments"].iter_rows(named=True)] == [proposal_of()["proposal"]]


@pytest.mark.parametrize("cuts", [(), (1, 2, 3, 4)])
def test_a_unit_that_becomes_known_later_does_not_change_an_earlier_count(cuts):
    """A SKU that was counted before it ever moved is held to the count's unit until it moves, whatever the calls."""
    nut = {"sku": "nut", "location": "pick"}
    said = play(
        arrivals(
            moves=[OPENING, move("m", 5, 2 * HOUR, **nut)],
            counts=[
                stated("kg", 1, 0, uom="kg", **nut),
                stated("each", 1, HOUR, **nut),
                stated("later", 5, 3 * HOUR, **nut),
                stated("kg-later", 5, 4 * HOUR, uom="kg", **nut),
            ],
        ),
        cuts,
    )
    assert codes(said["refused_counts"]) == {"each": "ledger.dimension", "kg-later": "ledger.dimension"}


def test_a_count_that_is_refused_binds_nobody():
    """A count of an unknown place does not hold its SKU to its unit."""
    rows = [
        stated("lost", 1, 0, uom="kg", sku="nut", location="moon"),
        stated("fine", 1, HOUR, sku="nut"),
    ]
    said = play(arrivals(moves=[OPENING], counts=rows))
    assert codes(said["refused_counts"]) == {"lost": "ledger.unknown_location"}


def test_counts_are_refused_with_a_code_each_and_disturb_no_other():
    """Unknown place, other dimension, no whole thousandths, too old, of a time to come: and one that is fine."""
    counts = [
        SHORT,
        stated("place", 1, 0, location="moon"),
        stated("dimension", 1, 0, uom="kg"),
        stated("inexact", None, 0),
        stated("too-much", 10**12, 0, uom="gross"),
        stated("old", 1, -13 * HOUR, reported=13 * HOUR),
        stated("future", 1, HOUR, reported=-HOUR),
    ]
    said = play(arrivals(moves=[OPENING], counts=counts, items=[item()]), until=2 * DAY)
    assert codes(said["refused_counts"]) == {
        "place": "ledger.unknown_location",
        "dimension": "ledger.dimension",
        "inexact": "ledger.inexact",
        "too-much": "ledger.overflow",
        "old": "reconcile.too_old",
        "future": "reconcile.future",
    }
    alone = play(arrivals(moves=[OPENING], counts=[SHORT], items=[item()]), until=2 * DAY)
    assert said["looks"].equals(alone["looks"])
    assert said["adjustments"].equals(alone["adjustments"])


def test_a_late_move_is_booked_late_and_counts_from_when_it_happened():
    """The first look does not know it, the final one does; its posting has both times."""
    papers = move("papers", -20, -HOUR, late=6 * HOUR, reason="sale")
    said = play(arrivals(moves=[OPENING, papers], counts=[SHORT], items=[item()]), until=2 * DAY)
    assert said["looks"].select("stage", "book").rows() == [("first", 100_000), ("final", 80_000)]
    posting = said["postings"].filter(pl.col("event_id") == "papers").row(0, named=True)
    assert (posting["valid_us"], posting["time_us"]) == (NOON - HOUR, NOON + 5 * HOUR)
    assert said["adjustments"].height == 0


hours = st.integers(0, 60).map(lambda twice: twice * 2 * HOUR)
places = st.fixed_dictionaries(
    {
        "sku": st.sampled_from(["bolt", "bolt", "nut"]),
        "location": st.sampled_from(["pick", "pick", "bulk", "moon"]),
        "uom": st.sampled_from(["each", "each", "each", "dozen", "kg"]),
    }
)
amounts = st.sampled_from([1, 5, 40, 100, None])
one_move = st.tuples(places, amounts, hours, st.sampled_from([0, 0, 30 * HOUR]), st.sampled_from(["adjust", "sale"]))
one_stated = st.tuples(places, amounts, hours, st.sampled_from([0, 20 * MINUTE, 5 * HOUR]))
one_decision = st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from(["accepted", "rejected"]), hours)


@st.composite
def histories(draw):
    """Rows of all kinds, some refused; decisions are about what the same rows without them would propose."""
    rows = {
        "moves": [move("open", 100, 0, reason="opening")]
        + [
            move(f"m{n}", quantity, at, late=late, reason=reason, **place)
            for n, (place, quantity, at, late, reason) in enumerate(draw(st.lists(one_move, max_size=8)))
        ],
        "items": [item(at) for at in draw(st.lists(hours, max_size=2, unique=True))],
    }
    for name in ("counts", "statements"):
        drawn = draw(st.lists(one_stated, max_size=6))
        rows[name] = [
            stated(f"{name}{n}", quantity, at, reported=reported, **place)
            for n, (place, quantity, at, reported) in enumerate(drawn)
        ]
    proposed = play(arrivals(**rows), until=8 * DAY)["adjustments"]
    drawn = draw(st.lists(one_decision, max_size=6)) if proposed.height else []
    known = [(p, r) for p, r in zip(*(proposed[name] for name in ("proposal", "reversal")), strict=True)]
    rows["decisions"] = [
        decision(f"d{n}", known[which % len(known)][undo], verdict, 2 * DAY + at)
        for n, (which, undo, verdict, at) in enumerate(drawn)
    ]
    return arrivals(**rows)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(histories(), st.lists(st.integers(1, 50), max_size=8), st.booleans(), st.randoms(use_true_random=False))
def test_calls_order_within_them_and_restarts_change_nothing(given_rows, cuts, restart, dice):
    """All that is found is a function of the rows alone."""
    mixed = Arrivals(
        **{
            name: (frame := getattr(given_rows, name))[dice.sample(range(frame.height), frame.height)]
            for name in SCHEMAS
        }
    )
    expected = play(given_rows, until=8 * DAY)
    found = play(mixed, cuts, restart=restart, until=8 * DAY)
    every_window = play(given_rows, range(1, 200), restart=restart, until=8 * DAY)
    for name, frame in expected.items():
        for other in (found[name], every_window[name]):
            assert frame.height == other.height, name
            assert frame.sort(frame.columns).equals(other.sort(frame.columns)), name


def test_a_copy_shares_nothing_with_its_original():
    """What is tried on a copy, as at an end of input, leaves no trace."""
    subject, copy = room(), room()
    first = arrivals(moves=[OPENING])
    subject.advance(first, starts_of(first))
    copy.restore(subject.snapshot())
    in_kg, in_each = (arrivals(counts=[stated(uom, 1, 0, sku="nut", uom=uom)]) for uom in ("kg", "each"))
    copy.advance(in_kg, starts_of(in_kg))
    found = subject.advance(in_each, starts_of(in_each))
    assert [frame.height for frame in found.refused_counts if frame.height] == []


def test_state_of_another_version_is_refused():
    """A wrong version is an error, not a wrong book."""
    with pytest.raises(RecoveryError, match="has version 99"):
        room().restore(room().snapshot() | {"version": 99})
