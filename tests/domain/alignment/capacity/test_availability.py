"""Availability against the exponential of the generator, a simulated chain, and what is known at the limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.linalg import expm

from domain.alignment.availability import down_time, lost_for_good, share_up

CHAINS = [(1 / 20, 4.0, 1.0), (1 / 20, 4.0, 0.0), (0.5, 0.2, 0.3), (3.0, 3.0, 1.0)]


def up_after(time, failures, repairs, up):
    """Probability to be up, by the exponential of the generator."""
    return float((np.array([up, 1 - up]) @ expm(np.array([[-failures, failures], [repairs, -repairs]]) * time))[0])


def simulated(rng, failures, repairs, up, horizon, paths):
    """Hours down within a horizon, path by path."""
    down, now, is_up = np.zeros(paths), np.zeros(paths), rng.random(paths) < up
    while (now < horizon).any():
        stay = np.minimum(rng.exponential(np.where(is_up, 1 / failures, 1 / repairs)), np.maximum(horizon - now, 0))
        down += np.where(is_up, 0, stay)
        now, is_up = now + stay, ~is_up
    return down


@pytest.mark.slow
@pytest.mark.parametrize(("failures", "repairs", "up"), CHAINS)
@pytest.mark.parametrize("horizon", [1 / 3600, 0.25, 4.0, 168.0])
def test_share_is_the_integral_of_the_matrix_exponential(failures, repairs, up, horizon):
    """The mean share of a horizon spent up is the mean of the chain's transition probabilities over it."""
    nodes = [p for p in (0.1, 1.0, 10.0) if p < horizon]
    area, _ = integrate.quad(up_after, 0, horizon, args=(failures, repairs, up), points=nodes or None, limit=200)
    found = share_up(np.array([up]), np.array([failures]), np.array([repairs]), horizon)
    assert found[0] == pytest.approx(area / horizon, rel=1e-6)


@pytest.mark.parametrize(("failures", "repairs", "up"), CHAINS)
@pytest.mark.parametrize("horizon", [1 / 3600, 0.25, 4.0, 168.0])
@pytest.mark.parametrize("steps", [1, 7, 32])
def test_steps_add_up_to_the_formula(failures, repairs, up, horizon, steps):
    """The mean time down is that of the formula, into however many steps the horizon is cut."""
    mean, _ = down_time(
        np.array([1 - up]),
        np.ones((1, steps)),
        np.full(steps, horizon / steps),
        np.array([failures]),
        np.array([repairs]),
    )
    share = share_up(np.array([up]), np.array([failures]), np.array([repairs]), horizon)
    assert mean[0] == pytest.approx((1 - share[0]) * horizon, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("failures", "repairs", "up"), CHAINS)
@pytest.mark.parametrize("horizon", [0.25, 4.0, 24.0])
def test_time_down_is_that_of_simulated_chains(failures, repairs, up, horizon):
    """Mean and variance of the time down are those of 20,000 simulated chains, within what chance allows."""
    paths = simulated(np.random.default_rng(3), failures, repairs, up, horizon, 20_000)
    mean, variance = down_time(
        np.array([1 - up]),
        np.ones((1, 32)),
        np.diff(horizon * np.linspace(0, 1, 33) ** 2),
        np.array([failures]),
        np.array([repairs]),
    )
    assert mean[0] == pytest.approx(paths.mean(), abs=4.5 * paths.std() / np.sqrt(len(paths)))
    spread = np.sqrt((np.mean((paths - paths.mean()) ** 4) - paths.var() ** 2) / len(paths))
    assert variance[0] == pytest.approx(paths.var(), abs=4.5 * spread + 0.01 * paths.var())


def test_nobody_fails_while_charging():
    """Charging all the time a robot is never down; charging at first, it is down as if it began after that."""
    rates = np.array([0.5]), np.array([4.0])
    charging, _ = down_time(np.zeros(1), np.zeros((1, 8)), np.full(8, 0.5), *rates)
    late, _ = down_time(np.zeros(1), np.array([[0.0] * 4 + [1.0] * 4]), np.full(8, 0.5), *rates)
    half, _ = down_time(np.zeros(1), np.ones((1, 4)), np.full(4, 0.5), *rates)
    assert charging[0] == 0
    assert late[0] == pytest.approx(half[0])


def test_the_long_lost_are_given_up():
    """The probability that a robot is gone for good is Bayes's, and 1 after a day where repairs take minutes."""
    for hours in (0.0, 0.5, 2.0):
        alive = 0.99 * stats.expon(scale=0.25).sf(hours)
        assert lost_for_good(np.array([4.0]), np.array([hours]), 0.01)[0] == pytest.approx(0.01 / (0.01 + alive))
    assert lost_for_good(np.array([4.0]), np.array([24.0]), 0.01)[0] > 1 - 1e-12
