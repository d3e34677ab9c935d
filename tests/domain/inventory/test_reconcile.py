"""Counts against a real ledger: each class with its cause, what is proposed, and independence of order and cuts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inventory.counts import COUNT_SCHEMA, ITEM_SCHEMA
from domain.inventory.ledger import Ledger
from domain.inventory.reconcile import ReconcileConfig, Reconciled, Reconciler
from domain.inventory.steadiness import Steadiness
from domain.inventory.tables import MOVE_SCHEMA
from domain.inventory.tolerance import Noise, Tolerance
from schemas.errors import RecoveryError

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WINDOW = HOUR // 4
NOON = 20_000 * DAY + 12 * HOUR
"""When the counts of these tests are as of."""


def _move(quantity, at, reason="sale", late=0, location="pick", to=None, sku="x"):
    """Units moved at a time (us after noon), booked so much later."""
    text = f"{sku}{location}{reason}{quantity}{at}"
    return {
        "event_id": text,
        "site": "north",
        "sku": sku,
        "location": location,
        "quantity": round(quantity * 1_000),
        "uom": "each",
        "reason": reason,
        "document": text,
        "line": "1",
        "to_site": None,
        "to_location": to,
        "corrects": None,
        "valid_us": NOON + at,
        "time_us": NOON + at + late,
        "record_us": NOON + at + late,
        "_identity": int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"),
        "window_start": (NOON + at + late) // WINDOW * WINDOW,
    }


def _count(quantity, at=0, reported=20 * MINUTE, sku="x", location="pick"):
    key = {"site": "north", "sku": sku, "location": location}
    times = {"as_of_us": NOON + at, "time_us": NOON + at + reported}
    return {"event_id": f"c{sku}{location}{at}", "kind": "count", **key, "quantity": round(quantity * 1_000), **times}


def _item(abc="B", unit_cost=3.0, sku="x", pack=None):
    return {"sku": sku, "abc": abc, "unit_cost": unit_cost, "pack": pack, "time_us": NOON - 2 * DAY}


OPENING = _move(100, -2 * DAY, "opening")


def _frames(moves, counts, items):
    schemas = (MOVE_SCHEMA, COUNT_SCHEMA, ITEM_SCHEMA)
    return [pl.DataFrame(rows, schema=schema) for rows, schema in zip((moves, counts, items), schemas, strict=True)]


def _run(moves, counts, items=None, hours=8, config=None, until=None, *, restart=False, shuffle=None):
    """All said of these rows, in calls of so many hours to `until` (us after noon), or to two days after the last."""
    config = config or ReconcileConfig()
    frames = _frames(moves, counts, [_item()] if items is None else items)
    if shuffle:
        frames = [f[shuffle.sample(range(f.height), f.height)] for f in frames]
    times = [t for f in frames for t in f["time_us"]]
    end = max(times) + 2 * DAY if until is None else NOON + until
    at, span, said = min(times) // WINDOW * WINDOW, round(hours * HOUR), []
    ledger, reconciler = Ledger(WINDOW, 48 * HOUR), Reconciler(config)
    while at < end:
        part = [f.filter(pl.col("time_us").is_between(at, at + span, closed="left")) for f in frames]
        at += span
        if restart:
            ledger, reconciler = _restarted(ledger, reconciler, config)
        postings = ledger.post(part[0]).postings
        said.append(reconciler.advance(part[1], part[2], postings, at, ledger))
    return Reconciled(**{f.name: pl.concat([getattr(s, f.name) for s in said]) for f in fields(Reconciled)})


def _restarted(ledger, reconciler, config):
    new = Ledger(WINDOW, 48 * HOUR), Reconciler(config)
    new[0].restore(ledger.snapshot())
    new[1].restore(reconciler.snapshot())
    return new


def _classes(said):
    return said.looks["class"].to_list()


def test_a_count_is_held_against_the_book_of_its_moment():
    """Picks between the count and its report are no difference; it is looked at twice, a day apart."""
    said = _run([OPENING, _move(-30, HOUR)], [_count(100, reported=2 * HOUR)])
    assert said.looks["book"].to_list() == [100_000, 100_000]
    assert said.looks["stage"].to_list() == ["first", "final"]
    assert _classes(said) == ["ok", "ok"]
    first, final = said.looks["looked_us"].to_list()
    assert (first - NOON, final - first) == (2 * HOUR + 15 * MINUTE, DAY)
    assert said.proposed.height == said.leaks.height == said.refused.height == 0


def test_a_late_paper_is_timing():
    """The first look lacks it; the final one knows, and proposes nothing."""
    said = _run([OPENING, _move(-30, -HOUR, late=5 * HOUR)], [_count(70)])
    assert _classes(said) == ["shrinkage", "timing"]
    assert said.looks["difference"].to_list() == [-30_000, 0]
    assert said.looks["confidence"][0] < said.looks["confidence"][1]
    assert said.proposed.height == 0


def test_a_paper_dated_before_its_goods_moved_is_timing_too():
    """The count agreed with the book until the paper came."""
    said = _run([OPENING, _move(-30, -HOUR, late=5 * HOUR)], [_count(100)])
    assert _classes(said) == ["ok", "timing"]
    assert said.proposed.height == 0


@pytest.mark.parametrize("at", [-9 * MINUTE, 9 * MINUTE])
def test_moves_near_the_count_make_it_a_race(at):
    """Whether it saw them or not, or half of them, it is no loss."""
    for seen in (-30, -15, 0):
        after = 100 + seen
        said = _run([OPENING, _move(-30, at)], [_count(after)])
        if abs(said.looks["difference"][1]) > 1_000:
            assert _classes(said) == ["raced"] * 2
            assert said.looks["unexplained"].to_list() == [0, 0]
        assert said.proposed.height == 0


def test_moves_outside_the_band_explain_nothing():
    """Eleven minutes after, a pick had nothing to do with the count; nor does a pick explain what is too much."""
    assert _classes(_run([OPENING, _move(-30, 11 * MINUTE)], [_count(77)]))[1] == "shrinkage"
    assert _classes(_run([OPENING, _move(-30, 5 * MINUTE)], [_count(122)]))[1] == "gain"


def test_goods_under_way_that_have_come_are_timing():
    """They lie there, and their arrival is booked only after the count."""
    bulk = _move(500, -2 * DAY, "opening", location="bulk")
    out = _move(-40, -2 * HOUR, "transfer_out", location="bulk", to="pick")
    said = _run([OPENING, bulk, out, _move(40, HOUR, "transfer_in")], [_count(140)])
    assert _classes(said) == ["timing", "timing"]
    assert said.looks["by_transfers"].to_list() == [40_000, 40_000]
    assert said.proposed.height == 0


@pytest.mark.parametrize(
    ("counted", "slip"), [(1_000, "factor_10"), (10, "factor_10"), (-100, "wrong_sign"), (1_200, "dozen")]
)
def test_a_slip_is_named_and_not_made_good(counted, slip):
    """Somebody should count again."""
    said = _run([OPENING], [_count(counted)])
    assert _classes(said) == ["mis_key", "mis_key"]
    assert said.looks["slip"].to_list() == [slip] * 2
    assert json.loads(said.looks["evidence"][1])["slip"]["kind"] == slip
    assert said.proposed.height == 0


def test_a_loss_is_proposed_at_the_final_look():
    """With quantity, value, a sentence and evidence."""
    said = _run([OPENING, _move(-3, 5 * MINUTE)], [_count(60)])
    final = said.looks.row(1, named=True)
    assert (final["class"], final["by_moves"], final["unexplained"]) == ("shrinkage", -3_000, -37_000)
    assert (final["value"], final["tolerance"]) == (-111.0, 1_000)
    assert final["reason"] == "counted 60, booked 100: -40, of which nothing explains -37, beyond the tolerance of 1"
    assert final["confidence"] > 0.99
    assert json.loads(final["evidence"])["moves_near"]["after"] == {"moves": 1, "net": -3_000, "gross": 3_000}
    proposed = said.proposed.row(0, named=True)
    assert (proposed["quantity"], proposed["time_us"]) == (-37_000, final["looked_us"])
    assert said.proposed.height == 1
    whole = _run([OPENING], [_count(60)]).proposed["reason"][0]
    assert whole == "counted 60, booked 100: -40, which nothing explains, beyond the tolerance of 1"


@pytest.mark.slow
def test_what_was_made_good_meanwhile_is_not_proposed():
    """An adjustment soon after the count neither explains the loss as a race nor is proposed again."""
    made_good = _move(-40, 5 * MINUTE, "adjust")
    said = _run([OPENING, made_good], [_count(60)])
    assert _classes(said) == ["shrinkage", "shrinkage"]
    assert said.proposed.height == 0
    wrong = _run([OPENING, _move(40, -5 * MINUTE, "adjust")], [_count(100)])
    assert _classes(wrong) == ["shrinkage", "shrinkage"]
    half = _run([OPENING, _move(-15, 2 * HOUR, "adjust")], [_count(60)])
    assert half.proposed["quantity"].to_list() == [-25_000]


def test_packs_keyed_for_pieces_are_named():
    """The item says, in thousandths, how many pieces a pack holds."""
    opening = _move(360, -2 * DAY, "opening")
    said = _run([opening], [_count(20)], [_item(pack=18_000)])
    assert _classes(said) == ["mis_key", "mis_key"]
    assert said.looks["slip"].to_list() == ["pack", "pack"]
    assert "as if 360 had been keyed wrongly (pack" in said.looks["reason"][0]
    assert _classes(_run([opening], [_count(20)], [_item()])) == ["shrinkage", "shrinkage"]


@pytest.mark.slow
def test_tolerance_goes_by_class_and_value():
    """Two of 100 missing: too many of A and B, not of C; and never mind what is worth little."""
    for abc, name in (("A", "shrinkage"), ("B", "shrinkage"), ("C", "ok"), (None, "ok")):
        assert _classes(_run([OPENING], [_count(98)], [_item(abc)]))[1] == name
    cheap = ReconcileConfig(tolerance=Tolerance(value=10.0))
    assert _classes(_run([OPENING], [_count(98)], config=cheap)) == ["ok", "ok"]
    assert _classes(_run([OPENING], [_count(98)], [_item("B", None)], config=cheap))[1] == "shrinkage"


def test_counts_that_cannot_be_judged_are_refused():
    """Of a place nobody knows, from too long ago, of the future; the others are not troubled."""
    counts = [
        _count(5, location="nowhere"),
        _count(5, at=-20 * HOUR, reported=20 * HOUR),
        _count(5, at=3 * HOUR, reported=-2 * HOUR),
        _count(100, at=MINUTE),
    ]
    said = _run([OPENING], counts)
    codes = dict(said.refused.select("event_id", "code").iter_rows())
    assert codes == {
        counts[0]["event_id"]: "ledger.unknown_location",
        counts[1]["event_id"]: "reconcile.too_old",
        counts[2]["event_id"]: "reconcile.future",
    }
    assert said.looks["event_id"].to_list() == [counts[3]["event_id"]] * 2


def test_an_answer_the_ledger_no_longer_has_is_an_error():
    """Three days in one call are more than its history."""
    with pytest.raises(ValueError, match="history"):
        _run([OPENING, _move(-1, 3 * DAY)], [_count(100)], [], hours=6 * 24)


def _leaking(days, locations=("pick",), per_day=2):
    """Openings of 1000, two units gone a day at each location, counted daily."""
    opening = [_move(1_000, -2 * DAY, "opening", location=at) for at in locations]
    counts = [_count(1_000 - per_day * d, at=d * DAY, location=at) for at in locations for d in range(days)]
    return opening, counts


@pytest.mark.slow
def test_a_slow_leak_is_found_among_counts_within_tolerance():
    """Class C forgives 50 of 1000; fourteen days of two each are found long before that, restarts or not."""
    config = ReconcileConfig(noise=Noise(shares={**Noise().shares, "C": 0.0005}))
    opening, counts = _leaking(14)
    said = _run(opening, counts, [_item("C")], hours=6, config=config, restart=True)
    assert set(_classes(said)) == {"ok"}
    leak = said.leaks.row(0, named=True)
    assert (leak["direction"], leak["location"]) == ("loss", "pick")
    assert leak["quantity"] == -2_000 * leak["counts"]
    assert leak["since_us"] == NOON
    assert said.proposed["quantity"][0] == leak["quantity"]
    assert "a little each time" in said.proposed["reason"][0]


def test_an_adjustment_is_no_gain():
    """After the book is put right by 20 the differences are 20 smaller; nothing came back."""
    config = ReconcileConfig()
    opening, counts = _leaking(8, per_day=0)
    gone = [c | {"quantity": c["quantity"] - 5_000} for c in counts]
    adjusted = _run([*opening, _move(-5, 3 * DAY + HOUR, "adjust")], gone, [_item("C")], hours=6, config=config)
    assert adjusted.leaks.height == 0
    assert adjusted.looks.filter(pl.col("stage") == "final")["difference"].to_list() == [-5_000] * 4 + [0] * 4


@pytest.mark.slow
def test_a_leak_that_is_made_good_every_day_is_one():
    """The difference stays at two; what adjustments hid is counted in."""
    opening, counts = _leaking(14)
    adjusted = [_move(-2, d * DAY + HOUR, "adjust") for d in range(1, 14)]
    said = _run([*opening, *adjusted], counts, [_item("A")], hours=8)
    assert said.looks["difference"].min() == -2_000
    assert said.leaks["direction"].to_list()[:1] == ["loss"]


@pytest.mark.slow
def test_a_leak_too_small_for_one_location_is_found_in_all_together():
    """The SKU's locations are pooled at a site."""
    opening, counts = _leaking(9, locations=("a", "b", "c", "d"), per_day=1)
    said = _run(opening, counts, [_item("A")], hours=6)
    assert said.leaks["location"].to_list()[0] is None


_MOVES = st.lists(
    st.tuples(
        st.integers(-40, 40),
        st.integers(-200, 1_300),
        st.sampled_from(("sale", "adjust", "receipt")),
        st.sampled_from((0, 0, 0, 90, 900)),
        st.sampled_from("xy"),
    ),
    max_size=12,
)
_COUNTS = st.lists(
    st.tuples(st.integers(-5, 150), st.integers(0, 1_200), st.integers(1, 200), st.sampled_from("xy")),
    max_size=8,
    unique_by=lambda c: (c[1], c[3]),
)


def test_first_looks_are_believed_as_far_as_those_of_their_class_held():
    """A class that changed until the final look loses, one that stayed gains; of others nothing is known."""
    steadiness = Steadiness()
    for number in range(5):
        steadiness.first(("count", f"c{number}"), "shrinkage")
        steadiness.first(("statement", f"c{number}"), "ok")
        steadiness.final(("count", f"c{number}"), "timing")
        steadiness.final(("statement", f"c{number}"), "ok")
    shares = [steadiness.share(name) for name in ("shrinkage", "ok", "gain")]
    assert shares == [8 / 15, 13 / 15, 8 / 10]


@pytest.mark.slow
def test_a_slip_says_nothing_of_a_leak():
    """Neither its own number nor the way back from it goes into the sums."""
    config = ReconcileConfig(noise=Noise(shares={**Noise().shares, "C": 0.0005}))
    opening, counts = _leaking(14)
    slip = _count(100, 5 * DAY + 6 * HOUR)
    plain, slipped = (_run(opening, [*counts, *more], [_item("C")], hours=6, config=config) for more in ([], [slip]))
    assert "mis_key" in _classes(slipped)
    assert slipped.leaks.equals(plain.leaks)


@pytest.mark.slow
def test_a_restart_forgets_no_adjustment_no_item_and_no_first_look():
    """What was made good is not proposed again, tolerances stay, and first looks are believed as far as they held."""
    moves = [OPENING, _move(-20, 10 * HOUR, "adjust")]
    counts = [*(_count(80, day * DAY) for day in range(4)), _count(77, 4 * DAY)]
    whole, resumed = (_run(moves, counts, restart=restart) for restart in (False, True))
    assert resumed.proposed["quantity"].to_list() == [-3_000]
    assert resumed.looks.equals(whole.looks)
    first = resumed.looks.filter(stage="first", **{"class": "ok"})["confidence"].to_list()
    assert first == sorted(first)
    assert first[0] == pytest.approx(0.8)
    assert first[-1] > 0.8


@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(_MOVES, _COUNTS, st.sampled_from((2, 3, 5)), st.randoms(use_true_random=False))
def test_order_cuts_and_restarts_change_nothing(moves, counts, hours, random):
    """Rows shuffled, dealt into other calls, everything restored before each call: the same is said to the last bit."""
    booked = [_move(q, at * MINUTE, why, late * MINUTE, sku=sku) for q, at, why, late, sku in moves]
    openings = [_move(100, -5 * HOUR, "opening", sku=sku) for sku in "xy"]
    unique = list({m["event_id"]: m for m in openings + booked}.values())
    counted = [_count(q, at * MINUTE, reported * MINUTE, sku) for q, at, reported, sku in counts]
    items = [_item("A"), _item("C", None, "y")]
    until = 60 * HOUR
    one = _run(unique, counted, items, hours=8, until=until)
    other = _run(unique, counted, items, hours=hours, until=until, restart=True, shuffle=random)
    for f in fields(Reconciled):
        frames = [getattr(said, f.name).filter(pl.col(_TIME[f.name]) <= NOON + 60 * HOUR) for said in (one, other)]
        assert frames[0].equals(frames[1])


_TIME = {"looks": "looked_us", "leaks": "looked_us", "proposed": "time_us", "refused": "time_us"}


def test_a_snapshot_of_another_version_is_refused():
    """Never guessed at."""
    with pytest.raises(RecoveryError, match="version 0"):
        Reconciler(ReconcileConfig()).restore(msgspec.msgpack.encode({"version": 0}))
