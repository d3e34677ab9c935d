"""Fixed-share Hedge: weights as in the papers, within their bounds, and a mix as good as its best expert."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.demand.experts.catalogue import EXPERTS
from domain.demand.hedge import FixedShare, Mix

ALL = tuple(EXPERTS)
NAN = float("nan")


def reference(values, forecasts, eta, share):
    """Weights after each value, as plain matrix arithmetic from the definition."""
    values, forecasts = np.asarray(values), np.asarray(forecasts)
    n, experts = forecasts.shape
    weights, scale = np.full(experts, 1 / experts), 0.0
    for t in range(n):
        mixed = weights @ forecasts[t]
        gain = max(0.05, 1 / (t + 1))
        scale = (1 - gain) * scale + gain * min((values[t] - mixed) ** 2, 100 * scale or np.inf)
        losses = np.minimum(1, (values[t] - forecasts[t]) ** 2 / (4 * scale))
        weights = weights * np.exp(-eta * losses)
        weights = (1 - share) * weights / weights.sum() + share / experts
    return weights


def test_weights_are_those_of_the_definition():
    """Against a reference in numpy, over 300 random values and three experts."""
    rng = np.random.default_rng(7)
    values = rng.gamma(1.0, 10.0, 300)
    forecasts = np.abs(values[:, None] + rng.normal(0, [2, 10, 30], (300, 3)))
    weights = FixedShare(3, eta=0.5, share=0.01)
    for y, ahead in zip(values, forecasts, strict=True):
        weights.learn_one(float(y), ahead.tolist())
    assert weights.weights == pytest.approx(reference(values, forecasts, 0.5, 0.01).tolist(), rel=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 1e18), st.floats(0, 1e19), st.floats(0, 1e19)), max_size=50),
    st.floats(1e-3, 100),
    st.floats(1e-3, 0.5),
)
def test_weights_sum_to_one_and_never_underflow(rows, eta, share):
    """Whatever is forecast, each weight stays above share / K, and their sum is 1."""
    weights = FixedShare(2, eta=eta, share=share)
    for y, *ahead in rows:
        weights.learn_one(y, ahead)
        assert sum(weights.weights) == pytest.approx(1, rel=1e-9)
        assert min(weights.weights) >= share / 2 * (1 - 1e-9)


def test_zeros_forecast_as_zeros_weigh_nobody():
    """Leading zeros tell nothing of the experts, also of those that joined with less than an equal say."""
    weights = FixedShare(2, eta=0.5, share=0.01)
    weights.weights = [0.9, 0.1]
    for _ in range(50):
        weights.learn_one(0.0, [0.0, 0.0])
    assert weights.weights == [0.9, 0.1]


def test_an_expert_comes_back_when_the_series_changes():
    """After 500 values in favour of the first expert, 60 in favour of the second turn the weights."""
    weights = FixedShare(2, eta=0.5, share=0.01)
    rng = random.Random(3)
    for t in range(560):
        y = rng.uniform(5, 15)
        weights.learn_one(y, [y, y + 10] if t < 500 else [y + 10, y])
        if t == 499:
            assert weights.weights[0] > 0.9
    assert weights.weights[1] > 0.9


@pytest.mark.parametrize("at", [60, 300])
def test_one_huge_value_does_not_freeze_the_weights(at):
    """50 values after one of 1e9 the expert that is better since then leads, as if that one had not been."""
    rng = random.Random(4)
    weights = FixedShare(2, eta=0.5, share=0.01)
    for t in range(at + 51):
        y = 1e9 if t == at else rng.uniform(5, 15)
        near, far = (y, y + 10) if t < at else (y + 10, y)
        weights.learn_one(y, [10.0, 12.0] if t == at else [near, far])
    assert weights.weights[1] > 0.8


@pytest.mark.slow
def test_the_mix_comes_near_the_best_of_its_experts():
    """On seasonal, intermittent and drifting demand the mix's squared error is within 10 % of the best expert's."""
    rng = np.random.default_rng(8)
    t = np.arange(1200)
    kinds = {
        "seasonal": rng.poisson(40 + 30 * np.sin(2 * np.pi * t / 7)),
        "intermittent": rng.poisson(5, 1200) * (rng.random(1200) < 0.3),
        "level shifts": rng.poisson(20 + 60 * (t // 300 % 2)),
    }
    for series in kinds.values():
        rivals = [Mix(season=7, names=ALL), *(EXPERTS[name](7) for name in ALL)]
        errors = np.zeros(len(rivals))
        for at, y in enumerate(series):
            if at > 200:
                errors += [(y - rival.forecast(1)[0]) ** 2 for rival in rivals]
            for rival in rivals:
                rival.learn_one(float(y))
        assert errors[0] <= 1.1 * errors[1:].min()


def test_a_mix_forecasts_the_weighted_mean():
    """By its own weights and the forecasts of experts that learned the same."""
    mix, alone = Mix(ALL, season=4), [EXPERTS[name](4) for name in ALL]
    rng = random.Random(2)
    for _ in range(90):
        y = float(rng.randrange(20))
        for expert in (mix, *alone):
            expert.learn_one(y)
    expected = np.array(list(mix.weights.values())) @ np.array([expert.forecast(6) for expert in alone])
    assert mix.forecast(6) == pytest.approx(expected.tolist(), rel=1e-12)


@pytest.mark.parametrize(("seen", "entry"), [(5, 1 / 4), (10, 8 / 10 / 4), (100, 8 / 100 / 4), (1000, 0.01 / 4)])
def test_experts_come_and_go(seen, entry):
    """Those that stay keep state and proportion, those that went are gone.

    New ones know the mix's forecast and no more, and start with 1 / K in a young mix, with share / K in an old one.
    """
    mix = Mix(("tsb", "ses"), season=4)
    for y in ((3.0, 0.0, 5.0, 9.0, 0.0) * 200)[:seen]:
        mix.learn_one(y)
    before, states, now = mix.weights, mix.snapshot()[2], mix.forecast(1)[0]
    new = [EXPERTS[name](4) for name in ("holt_winters", "snarimax")]
    for expert in new:
        expert.learn_one(now)
    mix.take_part(ALL)
    assert mix.names == ALL
    assert mix.snapshot()[2] == [*states, *(expert.snapshot() for expert in new)]
    assert mix.forecast(1)[0] == pytest.approx(now)
    after = mix.weights
    assert after["holt_winters"] == after["snarimax"] == pytest.approx(entry)
    assert after["tsb"] / after["ses"] == pytest.approx(before["tsb"] / before["ses"])
    assert sum(after.values()) == pytest.approx(1)
    mix.take_part(("tsb", "ses"))
    assert mix.snapshot()[2] == states
    assert mix.weights == pytest.approx(before)


def test_nobody_of_the_old_stays():
    """If all experts are new, they start alike, in a mix that has weighed many values too."""
    mix = Mix(("tsb", "ses"))
    for _ in range(20):
        mix.learn_one(3.0)
    mix.take_part(("holt_winters", "snarimax"))
    assert mix.weights == {"holt_winters": 0.5, "snarimax": 0.5}


def test_a_restored_mix_has_the_experts_of_its_snapshot():
    """Even if it was made with others."""
    mix = Mix(("tsb", "ses"), season=4)
    mix.take_part(ALL)
    for y in (3.0, 0.0, 5.0) * 20:
        mix.learn_one(y)
    other = Mix(("tsb", "ses"), season=4)
    other.restore(mix.snapshot())
    assert other.weights == mix.weights
    assert other.forecast(9) == mix.forecast(9)


def test_an_unknown_value_weighs_nobody():
    """NaN leaves the weights as they were."""
    mix = Mix(ALL, season=4)
    for y in (3.0, 0.0, 5.0) * 20:
        mix.learn_one(y)
    before = mix.weights
    mix.learn_one(NAN)
    mix.learn_one(math.inf)
    assert mix.weights == before


def test_its_text_names_every_model_and_parameter():
    """What an estimate is recorded with."""
    assert str(Mix()) == "hedge@2(eta=0.5,share=0.01,tsb@1(alpha=0.1,beta=0.05),ses@1(alpha=0.1))"


def test_an_unknown_name_is_refused():
    """The message lists the experts there are."""
    with pytest.raises(ValueError, match=r"no expert is called 'arima'; there are tsb, ses, holt_winters, snarimax"):
        Mix(("arima",))


@pytest.mark.parametrize(("eta", "share"), [(0, 0.01), (101, 0.01), (NAN, 0.01), (0.5, 0), (0.5, 1.0)])
def test_parameters_out_of_range_are_refused(eta, share):
    """The message gives both."""
    with pytest.raises(ValueError, match=f"eta={eta:g}, share={share:g}"):
        FixedShare(2, eta, share)


def test_to_be_asked_changes_nothing():
    """Asked after each value or hardly ever, before others take part or before a restart: the same to the bit."""
    four = ("tsb", "ses", "holt_winters", "snarimax")
    asked, silent = Mix(("tsb", "ses"), 2), Mix(("tsb", "ses"), 2)
    for day, y in enumerate([3.0, 0.0, 5.0, 1.0] * 12):
        names = four if day % 10 > 4 else four[:2]
        path = asked.forecast(3)
        if day % 3 == 0:
            assert path == [silent.forecast(ahead)[-1] for ahead in (1, 2, 3)]
        if day % 7 == 0:
            asked.learn_one(99.0)
            asked.forecast(1)
            asked.restore(silent.snapshot())
        asked.take_part(names)
        silent.take_part(names)
        asked.learn_one(y)
        silent.learn_one(y)
        assert asked.snapshot() == silent.snapshot()


def test_the_order_of_experts_does_not_matter():
    """Those that forecast all buckets alike may stand anywhere among those that do not; no bucket ahead is none."""
    names = ("ses", "holt_winters", "tsb")
    mixes = [Mix(order, season=2) for order in (names, names[::-1], ("holt_winters", "ses", "tsb"))]
    for y in [4.0, 8.0, 0.0, 6.0] * 10:
        for mix in mixes:
            mix.learn_one(y)
    first, *others = [mix.forecast(3) for mix in mixes]
    assert len(set(first)) > 1
    for other in others:
        assert other == pytest.approx(first, rel=1e-9)
    assert [mix.forecast(0) for mix in mixes] == [[]] * 3
