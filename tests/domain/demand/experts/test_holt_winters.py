"""Holt and Winters' smoothing against statsmodels, and what River's additive form gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from river.time_series import HoltWinters as RiverHoltWinters

from domain.demand.experts.holt_winters import HoltWinters

GAINS = [(0.1, 0.02, 0.1, 0.9), (0.5, 0.3, 0.2, 0.98), (0.3, 0.1, 0.6, 1.0)]


def seasonal(n, season, seed=2):
    rng = np.random.default_rng(seed)
    return 200 + 0.3 * np.arange(n) + 40 * np.sin(2 * np.pi * np.arange(n) / season) + rng.normal(0, 8, n)


def early_state(expert, series):
    """Level, trend and season, as statsmodels starts from them, after values that end the early gains."""
    for y in series:
        expert.learn_one(float(y))
    _, level, trend, places = expert.snapshot()
    state = {"initialization_method": "known", "initial_level": level, "initial_trend": trend}
    if expert.season > 1:
        state |= {"seasonal": "add", "seasonal_periods": expert.season, "initial_seasonal": np.array(places)}
    return state


@pytest.mark.slow
@pytest.mark.parametrize("gains", GAINS)
@pytest.mark.parametrize("season", [1, 4, 7])
def test_it_equals_statsmodels(gains, season):
    """With fixed gains, from a known state, every one-step forecast is that of `ExponentialSmoothing`."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # noqa: PLC0415 - loads pandas: a second and more

    series = seasonal(40 * season + 60, season)
    start = 16 * season
    expert = HoltWinters(season, *gains)
    model = ExponentialSmoothing(series[start:], trend="add", damped_trend=True, **early_state(expert, series[:start]))
    alpha, beta, gamma, phi = gains
    fixed = {"smoothing_level": alpha, "smoothing_trend": beta, "damping_trend": phi}
    oracle = model.fit(**fixed, **({"smoothing_seasonal": gamma} if season > 1 else {}), optimized=False)
    ahead = []
    for y in series[start:]:
        ahead += expert.forecast(1)
        expert.learn_one(float(y))
    np.testing.assert_allclose(ahead, oracle.fittedvalues, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("gains", GAINS)
@pytest.mark.parametrize("season", [1, 4, 7])
def test_its_path_ahead_equals_statsmodels(gains, season):
    """The forecast of three seasons is that of `ETSModel`, model A, Ad, A.

    Not of `ExponentialSmoothing`, which up to statsmodels 0.15.0 leaves the newest place of the season out of its
    forecasts (issue 9538 there).
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415 - see above

    series = seasonal(40 * season + 60, season)
    start = 16 * season
    expert = HoltWinters(season, *gains)
    model = ETSModel(series[start:], error="add", trend="add", damped_trend=True, **early_state(expert, series[:start]))
    alpha, beta, gamma, phi = gains
    oracle = model.smooth([alpha, alpha * beta, *([gamma] if season > 1 else []), phi])
    for y in series[start:]:
        expert.learn_one(float(y))
    np.testing.assert_allclose(expert.forecast(3 * season), oracle.forecast(3 * season), rtol=1e-9)


def test_the_first_season_starts_level_and_half_of_the_season():
    """While the first season is collected the forecast is its mean; then the season is half of the differences."""
    expert = HoltWinters(season=4)
    for y, mean in zip([0.0, 4.0, 8.0], [0.0, 2.0, 4.0], strict=True):
        expert.learn_one(y)
        assert expert.forecast(2) == [mean, mean]
    expert.learn_one(12.0)
    assert expert.snapshot() == [4, 6.0, 0.0, [-3.0, -1.0, 1.0, 3.0]]
    assert expert.forecast(5) == [3.0, 5.0, 7.0, 9.0, 3.0]


@pytest.mark.parametrize("season", [1, 2, 4])
def test_gains_fall_from_the_first_values_on(season):
    """With gains next to 0 every state is that of the definition: 1/n for the level, 1/3, 1/4 ... for the season."""
    values = seasonal(9 * season, season)
    expert = HoltWinters(season, alpha=1e-9, beta=1e-9, gamma=1e-9)
    for y in values[:season]:
        expert.learn_one(float(y))
    level = values[:season].mean()
    places = (values[:season] - level) / 2
    for seen in range(season, len(values)):
        place = seen % season
        error = values[seen] - level - places[place]
        level += error / (seen + 1)
        places[place] += error / (seen // season + 2) * (season > 1)
        expert.learn_one(float(values[seen]))
        assert expert.snapshot()[1] == pytest.approx(level, rel=1e-6)
        assert expert.snapshot()[3] == pytest.approx(places.tolist(), rel=1e-6, abs=1e-6)


def test_a_season_seen_often_is_learned_whole():
    """Of a season without noise nothing is left in the errors after 60 rounds."""
    expert = HoltWinters(season=3)
    for y in [1.0, 5.0, 12.0] * 60:
        expert.learn_one(y)
    assert expert.forecast(3) == pytest.approx([1.0, 5.0, 12.0], abs=0.05)


def test_what_is_not_known_keeps_the_place_in_the_season():
    """After a gap of five of the seven days the weekend is still where it was."""
    expert = HoltWinters(season=7)
    for y in [0.0, 0.0, 0.0, 0.0, 0.0, 50.0, 80.0] * 30:
        expert.learn_one(y)
    for _ in range(5):
        expert.learn_one(float("nan"))
    assert expert.forecast(2) == pytest.approx([50.0, 80.0], abs=2)


@pytest.mark.parametrize("values", [[], [0.0] * 14])
def test_river_raises_where_ours_does_not(values):
    """Cold, and after a first season of zeros: the reason for a form of our own. Red when River has cured it."""
    river = RiverHoltWinters(alpha=0.1, beta=0.02, gamma=0.1, seasonality=7)
    with pytest.raises((IndexError, ZeroDivisionError)):
        [river.learn_one(y) for y in values] or river.forecast(1)


def test_a_season_below_one_bucket_is_refused():
    """The message says what was wrong."""
    with pytest.raises(ValueError, match="at least one bucket: 0"):
        HoltWinters(season=0)
