"""What holds for every expert and for the mix of them: River's own checks, and our rules on top."""

from __future__ import annotations

import math
import random
import sys
from types import SimpleNamespace
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.checks import yield_checks

from domain.demand.experts.catalogue import EXPERTS
from domain.demand.experts.croston import SBA, Croston
from domain.demand.experts.expert import HIGHEST
from domain.demand.experts.holt_winters import HoltWinters
from domain.demand.experts.ses import SES
from domain.demand.experts.snarimax import GuardedSNARIMAX
from domain.demand.experts.tsb import TSB
from domain.demand.hedge import Mix

ALL = [
    TSB(),
    SES(),
    Croston(),
    SBA(),
    HoltWinters(season=7),
    HoltWinters(season=1),
    GuardedSNARIMAX(season=7),
    GuardedSNARIMAX(season=1, p=1),
    Mix(tuple(EXPERTS), season=7),
]
NAN = float("nan")
HORIZONS = (0, 1, 7, 30, 400)


def _random(n, seed=1):
    rng = random.Random(seed)
    return [float(rng.choice([0, 0, 1, 2, 5, 40])) for _ in range(n)]


HARD = {
    "nothing": [],
    "a single point": [3.0],
    "a single zero": [0.0],
    "leading zeros": [0.0] * 60 + [5.0, 0.0, 7.0],
    "zeros only": [0.0] * 300,
    "a constant": [12.0] * 300,
    "a constant in thousandths of millions": [12e9] * 300,
    "NaN first": [NAN, NAN, 4.0, 5.0],
    "NaN only": [NAN] * 30,
    "NaN in between": [4.0, NAN, 5.0, NAN, NAN, 6.0] * 20,
    "infinities": [4.0, float("inf"), 5.0, -float("inf")] * 20,
    "negative": [4.0, -3.0, 5.0, -1e300] * 20,
    "huge": [1e300, 1.7e308, 1e18, 1e17] * 20,
    "huge once": [2.0] * 50 + [1e300] + [2.0] * 200,
    "huge after zeros": [0.0] * 50 + [1e18] + [0.0] * 200,
    "tiny": [5e-324, 1e-200, 1e-160, 0.0] * 20,
    "from tiny to huge": [1e-300, 1e300] * 60,
    "a gap of months": [*_random(60), *[NAN] * 200, *_random(60)],
    "months of nothing": [*_random(60), *[0.0] * 400, *_random(20)],
    "exponential growth": [1.5**k for k in range(150)],
    "a saw": [float(k % 7) for k in range(200)],
    "two values in turn": [0.0, 1000.0] * 100,
}


def experts(expert):
    return f"{expert.NAME}-{getattr(expert, 'season', 0)}"


def fed(expert, values):
    """A fresh expert of the same parameters that has learned `values`."""
    clone = expert.clone()
    for y in values:
        clone.learn_one(y)
    return clone


def stored(state):
    """What comes back of a snapshot from the store."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state))


def river_checks():
    """Experts with each of River's checks. River asks for scikit-learn's data sets, of which forecasters need none."""
    with mock.patch.dict(sys.modules, {"sklearn": SimpleNamespace(datasets=None)}):
        return [pytest.param(e, check, id=f"{experts(e)}-{check.__name__}") for e in ALL for check in yield_checks(e)]


every_expert = pytest.mark.parametrize("expert", ALL, ids=experts)
every_hard = pytest.mark.parametrize("values", HARD.values(), ids=HARD)


@pytest.mark.parametrize(("expert", "check"), river_checks())
def test_river_takes_it_for_one_of_its_own(expert, check):
    """Every check that River has for a forecaster passes; none is skipped."""
    assert not expert._unit_test_skips()
    check(expert.clone())


@every_expert
@every_hard
def test_forecasts_of_hard_values_are_finite(expert, values):
    """After each of the hard values, and before the first, no horizon raises or gives NaN, infinity or less than 0."""
    clone = expert.clone()
    for y in [*values, None]:
        for horizon in HORIZONS if y is None else (1, 7):
            path = clone.forecast(horizon)
            assert len(path) == horizon
            assert all(type(mean) is float and 0 <= mean < math.inf for mean in path)
        if y is not None:
            clone.learn_one(y)
    assert all(mean <= 11 * HIGHEST for mean in clone.forecast(30))


@every_expert
def test_a_long_forecast_begins_with_the_short_one(expert):
    """The first buckets of a forecast do not depend on how far it goes, nor on what was asked before."""
    clone = fed(expert, _random(200))
    assert clone.forecast(3) == clone.forecast(40)[:3] == fed(expert, _random(200)).forecast(40)[:3]


@every_expert
def test_a_forecast_changes_nothing(expert):
    """An expert asked after every value has the state of one that was never asked."""
    asked = expert.clone()
    for y in _random(150):
        before = asked.snapshot()
        assert asked.forecast(9) == asked.forecast(9)
        assert asked.snapshot() == before
        asked.learn_one(y)
    assert asked.snapshot() == fed(expert, _random(150)).snapshot()


@every_expert
def test_the_caller_cannot_change_an_expert_through_what_it_gave(expert):
    """Neither a forecast nor a snapshot shares anything with the expert, nor does an expert with what it restored."""
    one = fed(expert, _random(100))
    state, path = one.snapshot(), one.forecast(9)
    other = expert.clone()
    other.restore(given := stored(state))
    for shared in (path, given, *(part for part in given if isinstance(part, list))):
        shared.clear()
    assert one.snapshot() == other.snapshot() == state
    assert one.forecast(9) == other.forecast(9) != []


@every_expert
def test_clones_start_afresh_and_go_their_own_ways(expert):
    """A clone has the parameters and none of the state; what it learns stays with it."""
    taught = fed(expert, _random(100))
    clone = taught.clone()
    assert str(clone) == str(taught) == str(expert)
    assert clone.snapshot() == expert.clone().snapshot() != taught.snapshot()
    before = taught.snapshot()
    clone.learn_one(77.0)
    assert taught.snapshot() == before


@every_expert
@every_hard
def test_a_restored_expert_goes_on_bit_for_bit(expert, values):
    """Stored and restored in the middle and after the end, forecasts and state are those of the undisturbed one."""
    for cut in {len(values) // 3, len(values) // 2, len(values)}:
        whole, part = fed(expert, values[:cut]), expert.clone()
        part.restore(stored(whole.snapshot()))
        for y in [*values[cut:], *_random(20)]:
            assert part.forecast(9) == whole.forecast(9)
            whole.learn_one(y)
            part.learn_one(y)
        assert stored(part.snapshot()) == stored(whole.snapshot())


@every_expert
@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(), max_size=60), cut=st.integers(0, 60))
def test_any_floats_at_all(expert, values, cut):
    """Whatever floats come, forecasts are finite, and a restart in between is not seen."""
    whole, part = expert.clone(), expert.clone()
    for at, y in enumerate(values):
        if at == cut:
            part = expert.clone()
            part.restore(stored(whole.snapshot()))
        whole.learn_one(y)
        part.learn_one(y)
        assert all(0 <= mean < math.inf for mean in whole.forecast(9))
    assert part.forecast(9) == whole.forecast(9)


@every_expert
@every_hard
def test_what_is_not_known_moves_no_estimate(expert, values):
    """NaN and infinity after any history leave all but the places of season and lags as they were."""
    one = fed(expert, values)
    before = one.forecast(8)
    one.learn_one(NAN)
    seasonal = before[1:] if expert.NAME in {"holt_winters", "snarimax", "hedge"} else before[:-1]
    for mean, expected in zip(one.forecast(7), seasonal, strict=True):
        assert mean == pytest.approx(expected, rel=1e-9)


@every_expert
def test_what_is_not_known_before_the_first_value_shows_nowhere(expert):
    """NaN before a series begins leaves no trace in state or forecasts."""
    assert fed(expert, [NAN, NAN, *_random(40)]).snapshot() == fed(expert, _random(40)).snapshot()


@every_expert
def test_memory_is_bounded(expert):
    """5,000 buckets take no more memory than 500, and the snapshot no more numbers."""
    some, many = fed(expert, _random(500)), fed(expert, _random(5000))
    assert many._raw_memory_usage <= some._raw_memory_usage + 64
    assert len(msgspec.msgpack.encode(many.snapshot())) <= len(msgspec.msgpack.encode(some.snapshot())) + 16


@pytest.mark.parametrize(("name", "bytes_"), [("tsb", 400), ("ses", 300), ("holt_winters", 500), ("snarimax", 5000)])
def test_experts_are_small(name, bytes_):
    """With a season of a week an expert stays within its share of the 10 KB of a live series."""
    expert = fed(EXPERTS[name](7), _random(500))
    expert.forecast(14)
    assert expert._raw_memory_usage <= bytes_


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, NAN])
def test_a_gain_outside_its_range_is_refused(wrong):
    """The message names the gain."""
    for make in (SES, TSB, Croston, HoltWinters):
        with pytest.raises(ValueError, match="alpha="):
            make(alpha=wrong)


def test_a_snapshot_of_another_form_is_refused():
    """A snapshot of another expert, or of another season, is not taken silently."""
    for expert, other in [
        (SES(), TSB()),
        (TSB(), Croston()),
        (HoltWinters(season=7), HoltWinters(season=1)),
        (HoltWinters(), SES()),
    ]:
        with pytest.raises(ValueError, match=r"unpack|season of the snapshot has 1 buckets"):
            expert.restore(other.snapshot())
