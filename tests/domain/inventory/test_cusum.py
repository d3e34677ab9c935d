"""Run lengths of the CUSUM against the literature, and against a Markov chain of its sums."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.special import ndtr

from domain.inventory.cusum import Cusum, CusumLimits

# Montgomery, Introduction to Statistical Quality Control, table 9.3: k = 1/2, two-sided.
MONTGOMERY = {
    (4, 0.0): 168,
    (4, 0.5): 26.6,
    (4, 1.0): 8.38,
    (4, 2.0): 3.34,
    (5, 0.0): 465,
    (5, 0.5): 38.0,
    (5, 1.0): 10.4,
    (5, 1.5): 5.75,
    (5, 2.0): 4.01,
    (5, 3.0): 2.57,
}


def _one_sided(shift: float, limits: CusumLimits, cells: int = 400) -> float:
    """Average run length of one side: Brook and Evans (1972), the sum in cells."""
    width = 2 * limits.h / (2 * cells - 1)
    at = np.arange(cells) * width
    step = at[None, :] - at[:, None] + limits.k - shift
    moves = ndtr(step + width / 2) - ndtr(step - width / 2)
    moves[:, 0] = ndtr(step[:, 0] + width / 2)
    return float(np.linalg.solve(np.eye(cells) - moves, np.ones(cells))[0])


def _two_sided(shift: float, limits: CusumLimits) -> float:
    return 1 / (1 / _one_sided(shift, limits) + 1 / _one_sided(-shift, limits))


@pytest.mark.parametrize(("h", "shift"), MONTGOMERY)
def test_the_markov_chain_agrees_with_the_published_run_lengths(h, shift):
    """The oracle of the next test is itself right."""
    assert _two_sided(shift, CusumLimits(0.5, h)) == pytest.approx(MONTGOMERY[h, shift], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "runs"), [(0.0, 1_000), (0.5, 1_500), (1.0, 3_000), (-1.0, 3_000)])
def test_run_lengths_are_those_of_the_literature(shift, runs):
    """Between false alarms lie 465 values on average; shifts either way are found as soon as they should be."""
    limits, cusum, rng = CusumLimits(), Cusum(), np.random.default_rng(3)
    expected = _two_sided(shift, limits)
    values = iter(rng.normal(shift, 1, int(1.2 * runs * expected)).tolist())
    lengths = []
    for _ in range(runs):
        length = 1
        while cusum.update(next(values), limits) is None:
            length += 1
        lengths.append(length)
    error = np.std(lengths) / sqrt(runs)
    assert abs(np.mean(lengths) - expected) < 4 * error
    assert error < 0.05 * expected


def test_an_alarm_says_what_went_since_when():
    """Direction, quantity and time are those of the terms since the sum began to rise."""
    cusum, limits = Cusum(), CusumLimits()
    assert cusum.update(2.0, limits, quantity=900, before_us=0) is None
    alarms = [cusum.update(-2.5, limits, quantity=-3_000, before_us=t) for t in (10, 20, 30)]
    assert alarms[:2] == [None, None]
    alarm = alarms[2]
    assert alarm is not None
    assert (alarm.direction, alarm.terms, alarm.quantity, alarm.since_us) == ("loss", 3, -9_000, 10)


def test_it_starts_anew_after_an_alarm():
    """Both sums are zero again, and a stored CUSUM goes on as the original."""
    cusum, limits = Cusum(), CusumLimits()
    cusum.update(3.0, limits)
    again = Cusum.stored(cusum.state())
    assert again.update(4.0, limits) == cusum.update(4.0, limits) is not None
    assert again.state() == cusum.state() == [0.0, 0, 0, 0] * 2
