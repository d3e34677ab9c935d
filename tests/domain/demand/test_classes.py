"""Syntetos and Boylan's classes: the published limits, hysteresis, and hard values."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.demand.classes import TAKE_PART, Classifier, DemandClass
from domain.demand.experts.catalogue import EXPERTS

NAN = float("nan")


def fed(values, season=1):
    classifier = Classifier(season)
    for y in values:
        classifier.learn_one(float(y))
    return classifier


def changes(values):
    """How often the class changes over a series."""
    classifier, seen = Classifier(), []
    for y in values:
        classifier.learn_one(float(y))
        seen.append(classifier.demand_class)
    return sum(a is not b for a, b in itertools.pairwise(seen) if a)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 6, 5, 4] * 5, DemandClass.SMOOTH),
        ([1, 1, 1, 40] * 5, DemandClass.ERRATIC),
        ([5, 0, 0, 6] * 5, DemandClass.INTERMITTENT),
        ([1, 0, 0, 1, 0, 0, 40, 0] * 5, DemandClass.LUMPY),
    ],
)
def test_the_four_classes(values, expected):
    """Even or uneven sizes, in every bucket or now and then."""
    assert fed(values).demand_class is expected


def test_few_buckets_give_the_plain_means():
    """Up to 50 buckets ADI and CV2 are those of the definition: buckets per demand, variance over squared mean."""
    values = np.random.default_rng(5).poisson(0.8, 50) * 3.0
    sizes = values[values > 0]
    classifier = fed(values)
    assert classifier.adi == pytest.approx(len(values) / len(sizes))
    assert classifier.cv2 == pytest.approx(sizes.var() / sizes.mean() ** 2)


@pytest.mark.parametrize("values", [[], [5.0] * 7, [0.0] * 500, [0.0] * 500 + [3.0], [NAN] * 500])
def test_too_little_to_go_by_is_no_class(values):
    """Fewer than eight buckets, or than two of them with demand."""
    assert fed(values).demand_class is None


@pytest.mark.parametrize("adi", [1.2, 1.32, 1.45])
@pytest.mark.parametrize("seed", range(4))
def test_an_item_near_the_limit_does_not_flutter(adi, seed):
    """In ten years of days at or near the limit of ADI it changes five times at most."""
    rng = np.random.default_rng(seed)
    assert changes((rng.random(3650) < 1 / adi) * 5.0) <= 5


def test_an_item_that_changes_is_followed():
    """A slow item that sells daily from some day on is smooth within ten weeks."""
    classifier = fed([5, 0, 0, 6] * 50)
    for _ in range(70):
        classifier.learn_one(5.0)
    assert classifier.demand_class is DemandClass.SMOOTH


def test_both_sides_of_the_band():
    """Between the limit over 1.15 and the limit times 1.15 the class is what it was."""
    up, down = fed([5.0] * 200), fed([5, 0, 0] * 70)
    for _ in range(400):  # an ADI of 4/3 from below, then from above
        for classifier in (up, down):
            for y in (5.0, 5.0, 5.0, 0.0):
                classifier.learn_one(y)
    assert 1.3 < up.adi < 1.37
    assert up.demand_class is DemandClass.SMOOTH
    assert down.demand_class is DemandClass.INTERMITTENT


def opened(shut, season, seasons, rng, rate=20.0):
    """Demand of a shop that is closed at some places of its season."""
    values = rng.poisson(rate, season * seasons)
    values[np.isin(np.arange(values.size) % season, shut)] = 0
    return values


@pytest.mark.parametrize(
    ("shut", "season", "seasons"),
    [((5, 6), 7, 16), ((0, 1, 2, 3, 4, 5, 22, 23), 24, 14), ((3,), 7, 8), ((0, 2, 4, 6), 7, 26)],
)
def test_a_shop_that_is_closed_now_and_then_does_not_make_demand_rare(shut, season, seasons):
    """Within some seasons its demand is smooth, and rare where nobody is told of a season."""
    values = opened(shut, season, seasons, np.random.default_rng(1))
    assert fed(values, season).demand_class is DemandClass.SMOOTH
    assert fed(values, season).adi == pytest.approx(1, abs=0.15)
    assert fed(values).adi == pytest.approx(season / (season - len(shut)), abs=0.2)


def test_days_that_are_not_known_go_on_in_the_season():
    """Of one in five days of a shop with weekends nothing is known."""
    rng = np.random.default_rng(2)
    values = opened((5, 6), 7, 30, rng).astype(float)
    values[rng.random(values.size) < 0.2] = NAN
    assert fed(values, 7).adi == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("season", [7, 24])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5, 0.65])
def test_rare_demand_is_no_shop_that_is_closed(season, rate):
    """What comes by chance leaves no place of the season shut: ADI is within 3 % of what it is without one."""
    values = (np.random.default_rng(3).random(3000) < rate) * 4.0
    without, found = Classifier(), Classifier(season)
    for y in values[:1000].tolist():
        without.learn_one(y)
        found.learn_one(y)
    ratios = []
    for y in values[1000:].tolist():
        without.learn_one(y)
        found.learn_one(y)
        ratios.append(found.adi / without.adi)
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)
    assert found.demand_class is without.demand_class


def test_a_shop_that_opens_on_more_days_is_followed():
    """Saturdays count again from the first one on which somebody asks: what then sells on a day in four is rare."""
    rng = np.random.default_rng(4)
    often, seldom = (fed(opened((5, 6), 7, 20, rng), 7) for _ in range(2))
    for _ in range(20):
        for y in (20, 21, 19, 22, 20, 18, 0):
            often.learn_one(y)
        for y in (rng.random(7) < 0.25) * 20.0:
            seldom.learn_one(y)
    assert often.demand_class is DemandClass.SMOOTH
    assert seldom.demand_class is DemandClass.INTERMITTENT
    assert seldom.adi == pytest.approx(4, rel=0.25)


def test_an_item_that_nobody_asks_for_any_more_is_rare():
    """Its places are not shut one by one: when nobody asks anywhere, empty buckets count."""
    classifier = fed([5.0] * 200 + [0.0] * 60, 7)
    assert classifier.demand_class is DemandClass.INTERMITTENT


@given(st.lists(st.floats() | st.just(0.0), max_size=80), st.integers(0, 80), st.sampled_from([1, 2, 7]))
def test_any_floats_at_all(values, cut, season):
    """No float raises, CV2 is finite, and a restart in between is not seen."""
    whole, part = Classifier(season), Classifier(season)
    for at, y in enumerate(values):
        if at == cut:
            part = Classifier(season)
            part.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(whole.snapshot())))
        whole.learn_one(y)
        part.learn_one(y)
        assert whole.adi >= 1
        assert 0 <= whole.cv2 < math.inf
    assert part.snapshot() == whole.snapshot()
    assert part.demand_class is whole.demand_class


def test_only_intermittent_items_go_without_the_costly_experts():
    """Every class has TSB and SES, as the item too new for a class; all names are in the catalogue."""
    assert set(TAKE_PART) == {None, *DemandClass}
    for names in TAKE_PART.values():
        assert names[:2] == ("tsb", "ses")
        assert set(names) <= set(EXPERTS)
    assert TAKE_PART[DemandClass.LUMPY] == TAKE_PART[DemandClass.INTERMITTENT] == ("tsb", "ses")
    assert TAKE_PART[DemandClass.SMOOTH] == TAKE_PART[DemandClass.ERRATIC] == tuple(EXPERTS)
