"""Quantiles of the Gamma distribution against scipy's iteration and distribution function."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import gammainc, gammaincinv

from domain.throughput.gamma import fit, gamma_quantile
from domain.throughput.gamma_table import COEFFICIENTS

SHAPES = np.concatenate(
    [np.geomspace(1e-3, 1e12, 20_001), 1 + np.geomspace(1e-15, 1, 1001), [1.0, np.nextafter(1, 0), np.nextafter(1, 2)]]
)


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_quantiles_equal_those_of_scipy(probability):
    """From shape .001 to 1e12, and on both sides of 1 where the method changes, the relative error is below 1e-12."""
    exact = gammaincinv(SHAPES, probability)
    np.testing.assert_allclose(gamma_quantile(SHAPES, probability), exact, rtol=1e-12, atol=0)


@pytest.mark.parametrize("probability", [0.025, 0.975])
def test_quantiles_are_inverse_to_the_distribution_function(probability):
    """The distribution function at a quantile gives back its probability."""
    shapes = SHAPES[(SHAPES >= 1) & (SHAPES < 1e6)]
    np.testing.assert_allclose(gammainc(shapes, gamma_quantile(shapes, probability)), probability, rtol=1e-9)


def test_a_quantile_does_not_depend_on_its_neighbours():
    """Alone, in a slice and in the whole array a shape has the same quantile to the last bit."""
    shapes = np.random.default_rng(1).gamma(1, 50, 999) + 1e-3
    whole = gamma_quantile(shapes, 0.975)
    for cut in (1, 2, 3, 5, 7, 8, 16, 17):
        parts = [gamma_quantile(shapes[a : a + cut], 0.975) for a in range(0, len(shapes), cut)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert gamma_quantile(shapes[::-3], 0.975).tobytes() == whole[::-3].tobytes()


@pytest.mark.parametrize("probability", COEFFICIENTS)
def test_the_table_is_what_a_fit_gives(probability):
    """The kept coefficients are those that scipy gives, but for its last digits."""
    np.testing.assert_allclose(COEFFICIENTS[probability], fit(probability), rtol=0, atol=1e-15)


@pytest.mark.slow
def test_scipy_stays_out_of_what_needs_it_not():
    """Shapes from 1 on and the probabilities in use need no scipy, whose import would delay the start of every run."""
    code = (
        "import sys, numpy, domain.throughput.estimates; from domain.throughput.gamma import gamma_quantile as q\n"
        "q(numpy.array([1.0, 9.5]), 0.025), q(numpy.array([1.0, 9.5]), 0.975)\n"
        "sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
