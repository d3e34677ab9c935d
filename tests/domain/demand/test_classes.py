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


def fed(values, buckets=8):
    classifier = Classifier(buckets)
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


@given(st.lists(st.floats(), max_size=80), st.integers(0, 80))
def test_any_floats_at_all(values, cut):
    """No float raises, CV2 is finite, and a restart in between is not seen."""
    whole, part = Classifier(), Classifier()
    for at, y in enumerate(values):
        if at == cut:
            part = Classifier()
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
