"""What one look at a count comes to, by hand: a book of 100 of class B, so a tolerance of one unit."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from domain.inventory.classify import Item, Judge, Look, Nearby, Verdict
from domain.inventory.mis_key import SlipRates, by_chance, mis_key
from domain.inventory.tolerance import Noise, Tolerance
from domain.inventory.units import MILLI

BOOK = 100
ITEM = Item(abc="B", unit_cost=3.0)
NOISE = Noise()
CAME, WENT = Nearby(1, 10 * MILLI, 10 * MILLI), Nearby(1, -10 * MILLI, 10 * MILLI)
BOTH = Nearby(2, 0, 20 * MILLI)


def verdict(counted, *, book=BOOK, first=None, transit=0, before=None, after=None, value=0.0) -> Verdict:
    """Of a count in units, `first` the book at the first look if it was another."""
    judge = Judge(Tolerance(value=value), NOISE, SlipRates())
    known = (counted * MILLI, book * MILLI, (book if first is None else first) * MILLI, transit * MILLI)
    return judge.verdict(Look("final", *known, before or Nearby(), after or Nearby()), ITEM)


def parts(found: Verdict) -> tuple[str, float, float, float]:
    """Class, and units that moves, goods under way and nothing explain."""
    return found.name, *(milli / MILLI for milli in (found.by_moves, found.by_transfers, found.unexplained))


@pytest.mark.parametrize(
    ("counted", "about", "expected"),
    [
        (101, {}, ("ok", 0, 0, 1)),
        (102, {}, ("gain", 0, 0, 2)),
        (98, {}, ("shrinkage", 0, 0, -2)),
        # What was booked since the first look explains it, or was dated too early.
        (100, {"first": 99}, ("ok", 0, 0, 0)),
        (100, {"first": 98}, ("timing", 0, 0, 0)),
        (90, {"first": 91}, ("timing", 0, 0, -10)),
        (90, {"first": 92}, ("shrinkage", 0, 0, -10)),
        # Moves before the count that it saw undone, and after it that were under way; half done, too.
        (106, {"before": WENT}, ("raced", 6, 0, 0)),
        (111, {"before": WENT}, ("raced", 10, 0, 1)),
        (112, {"before": WENT}, ("gain", 10, 0, 2)),
        (94, {"before": WENT}, ("shrinkage", 0, 0, -6)),
        (94, {"before": CAME}, ("raced", -6, 0, 0)),
        (106, {"before": CAME}, ("gain", 0, 0, 6)),
        (94, {"after": WENT}, ("raced", -6, 0, 0)),
        (106, {"after": WENT}, ("gain", 0, 0, 6)),
        (106, {"after": CAME}, ("raced", 6, 0, 0)),
        (94, {"after": CAME}, ("shrinkage", 0, 0, -6)),
        (111, {"after": BOTH}, ("raced", 10, 0, 1)),
        (89, {"before": BOTH}, ("raced", -10, 0, -1)),
        (118, {"before": WENT, "after": CAME}, ("raced", 18, 0, 0)),
        # Goods under way that have come; they can only be too much, and less than none explains nothing.
        (107, {"transit": 8}, ("timing", 0, 7, 0)),
        (108, {"transit": 7}, ("timing", 0, 7, 1)),
        (109, {"transit": 7}, ("gain", 0, 7, 2)),
        (93, {"transit": 8}, ("shrinkage", 0, 0, -7)),
        (107, {"transit": -8}, ("gain", 0, 0, 7)),
        # Of two causes that which explains more is named.
        (120, {"before": WENT, "transit": 10}, ("raced", 10, 10, 0)),
        (121, {"before": WENT, "transit": 11}, ("timing", 10, 11, 0)),
        (1000, {}, ("mis_key", 0, 0, 900)),
        # What is left of it is what must be worth pursuing: at 3 apiece 7 are worth 20, and 6 are not.
        (93, {"value": 20.0}, ("shrinkage", 0, 0, -7)),
        (94, {"value": 20.0}, ("ok", 0, 0, -6)),
        (84, {"value": 20.0, "before": CAME}, ("ok", -10, 0, -6)),
    ],
)
def test_a_difference_has_the_class_of_what_may_explain_it(counted, about, expected):
    """And is split into what moves, what goods under way and what nothing explains."""
    assert parts(verdict(counted, **about)) == expected


def against_chance(counted, width) -> float:
    """By Bayes' rule: a cause that may make any of so many units' difference, against a true one of just this."""
    cause = 1 / (width + 1)
    return cause / (cause + by_chance((counted - BOOK) * MILLI, BOOK * MILLI, MILLI))


def outside(units) -> float:
    """Probability that honest counts are no further from this book."""
    return 1 - 2 * norm.sf(units * MILLI / NOISE.deviation("B", BOOK * MILLI))


@pytest.mark.parametrize(
    ("counted", "about", "expected"),
    [
        (101, {}, 1.0),
        (100, {"first": 98}, 1.0),
        (90, {"first": 91}, against_chance(90, 1)),
        (106, {"before": WENT}, against_chance(106, 10)),
        (106, {"before": WENT, "after": WENT}, against_chance(106, 20)),
        (107, {"transit": 8}, against_chance(107, 8)),
        (98, {}, outside(2)),
        (112, {"before": WENT}, outside(2)),
        (94, {"value": 20.0}, 1.0),
    ],
)
def test_a_verdict_says_how_sure_it_is(counted, about, expected):
    """The more a cause could explain, the less it says; a loss is as sure as honest counts do not go so far."""
    assert verdict(counted, **about).confidence == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("counted", "book"), [(2, 12), (2, 15), (12, 21)])
@pytest.mark.parametrize("value", [0.0, 1e9])
def test_a_slip_is_named_where_it_is_likelier_than_not(counted, book, value):
    """Else the chance of one is taken off what is said instead."""
    found, slip = verdict(counted, book=book, value=value), mis_key(counted * MILLI, book * MILLI, MILLI)
    assert slip is not None
    if book == 15:  # two for fifteen: just likelier than not
        assert 0.5 < slip.any_slip < 0.6
    if slip.any_slip >= 0.5:
        assert (found.name, found.slip, found.confidence) == ("mis_key", slip, slip.any_slip)
        return
    chance = 2 * norm.sf(abs(counted - book) * MILLI / NOISE.deviation("B", book * MILLI))
    sure = 1 - slip.any_slip if value else (1 - slip.any_slip) * (1 - chance)
    assert (found.name, found.slip) == ("ok" if value else "shrinkage", None)
    assert found.confidence == pytest.approx(sure, rel=1e-9)
